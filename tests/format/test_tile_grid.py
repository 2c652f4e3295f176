import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pico_plugins.format.tile_grid import TileGrid

sizes = st.integers(1, 300)


@given(sizes, sizes, st.integers(32, 100), st.integers(0, 8))
@settings(max_examples=150, deadline=None)
def test_kept_parts_cover_every_pixel_once_and_come_from_their_window(width, height, tile, margin):
    seen = np.zeros((height, width), int)
    for part in TileGrid(width, height, tile, margin):
        seen[slice(*part.rows), slice(*part.columns)] += 1
        assert part.window_rows[0] <= part.rows[0] < part.rows[1] <= part.window_rows[1]
        assert part.window_columns[0] <= part.columns[0] < part.columns[1] <= part.window_columns[1]
        assert all(side % 64 == 0 for side in part.coded_shape)
    assert (seen == 1).all()


@given(sizes, sizes, st.integers(32, 100), st.integers(0, 8), st.data())
@settings(max_examples=150, deadline=None)
def test_covering_is_exactly_the_tiles_that_meet_the_box(width, height, tile, margin, data):
    grid = TileGrid(width, height, tile, margin)
    left = data.draw(st.integers(0, width - 1))
    top = data.draw(st.integers(0, height - 1))
    right = data.draw(st.integers(left + 1, width))
    bottom = data.draw(st.integers(top + 1, height))
    expected = [
        part.number
        for part in grid
        if part.rows[0] < bottom and part.rows[1] > top and part.columns[0] < right and part.columns[1] > left
    ]
    assert [part.number for part in grid.covering(left, top, right, bottom)] == expected


def test_full_windows_are_512_pixels_with_the_standard_tile():
    shapes = {part.coded_shape for part in TileGrid(504 * 3 + 8, 504 * 2 + 8, 504, 4)}
    assert shapes == {(512, 512)}


def test_edges_are_repeated_not_zero(patch):
    (tile,) = TileGrid(90, 75, 504, 4)
    window = tile.gather(patch)
    assert window.shape == (128, 128, 3)
    assert (window[75:, :90] == patch[-1]).all()
    assert (window[:75, 90:] == patch[:, -1:]).all()


def test_a_grid_of_absurd_size_costs_nothing():
    grid = TileGrid((1 << 31) - 1, (1 << 31) - 1, 32, 4)
    assert len(grid) > 1 << 50
    with pytest.raises(IndexError):
        grid[-1]

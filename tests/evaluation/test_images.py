"""Which files of a folder are measured."""

import numpy as np
from PIL import Image

from pico_plugins.evaluation.images import image_files, read_pixels


def test_folders_are_listed_in_order_and_files_taken_as_they_are(tmp_path):
    (tmp_path / "below").mkdir()
    for name in ("b.png", "a.JPG", "notes.txt", "below/c.webp"):
        (tmp_path / name).touch()
    folder, notes = tmp_path, tmp_path / "notes.txt"
    assert image_files([notes, folder]) == [notes, folder / "a.JPG", folder / "b.png"]
    assert image_files([folder], recursive=True)[-1] == folder / "below" / "c.webp"
    assert image_files([folder], {".png"}) == [folder / "b.png"]
    assert image_files([folder / "none"]) == []


def test_pixels_are_colours(tmp_path):
    Image.new("LA", (3, 2), (9, 0)).save(tmp_path / "a.png")
    assert np.array_equal(read_pixels(tmp_path / "a.png"), np.full((2, 3, 3), 9, np.uint8))

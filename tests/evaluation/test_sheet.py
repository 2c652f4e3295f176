import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

pytest.importorskip("matplotlib")

from pico_plugins.evaluation.sheet import main


def test_one_row_for_each_rate_one_column_for_each_codec(tmp_path, photo):
    source, target = tmp_path / "a.png", tmp_path / "sheet.png"
    Image.fromarray(photo[:128, :192]).save(source)
    arguments = [
        source,
        "--box",
        40,
        20,
        60,
        50,
        "--rate",
        0.6,
        "--rate",
        2,
        "--against",
        "jpeg",
        "--zoom",
        2,
        "-o",
        target,
    ]
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    with Image.open(target) as sheet:
        cells = np.asarray(sheet)
    assert cells.shape == (2 * (100 + 18) + 4, 3 * 120 + 2 * 4, 3)
    original = photo[20:70, 40:100].repeat(2, 0).repeat(2, 1)
    errors = []
    for top in (18, 18 + 122):
        assert np.array_equal(cells[top : top + 100, :120], original)
        for left in (124, 248):
            errors.append(np.abs(cells[top : top + 100, left : left + 120].astype(int) - original).mean())
    assert min(errors) > 0.5
    assert errors[0] > errors[2]  # fewer bits, further off
    assert errors[1] > errors[3]


def test_a_box_outside_is_refused(tmp_path, photo):
    Image.fromarray(photo[:64, :64]).save(tmp_path / "a.png")
    result = CliRunner().invoke(
        main, [str(tmp_path / "a.png"), "--box", "40", "0", "60", "10", "-o", str(tmp_path / "b.png")]
    )
    assert result.exit_code == 2
    assert "not inside" in result.output

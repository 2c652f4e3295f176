import csv
import json
import re

import numpy as np
import pytest
from PIL import Image

import pico_plugins
from tests.cli.conftest import pico
from tests.conftest import psnr


def test_encode_and_decode_beside_the_sources(pictures, patch):
    result = pico("encode", pictures / "two.png", "-q", 90)
    assert result.exit_code == 0, result.output
    assert "bits per pixel" in result.output
    result = pico("decode", pictures / "two.pico", "-o", pictures / "back.webp")
    assert result.exit_code == 0, result.output
    assert psnr(np.asarray(Image.open(pictures / "back.webp").convert("RGB")), patch[:, ::-1]) > 25


def test_backend(pictures):
    result = pico("encode", pictures / "two.png", "--backend", "onnxruntime")
    assert result.exit_code == 0, result.output
    result = pico("decode", pictures / "two.pico", "--backend", "onnxruntime", "-o", pictures / "back.png")
    assert result.exit_code == 0, result.output
    for command, file in (("encode", "one.jpg"), ("decode", "two.pico")):
        result = pico(command, pictures / file, "--backend", "abacus", "-o", pictures / "none")
        assert result.exit_code == 1
        assert "'abacus' is not available" in result.output


def test_decode_to_a_smaller_image(pictures, patch):
    assert pico("encode", pictures / "two.png").exit_code == 0
    assert pico("decode", pictures / "two.pico", "-o", pictures / "small.png", "--scale", "1/4").exit_code == 0
    expected = pico_plugins.decode(pictures / "two.pico", scale=1 / 4)
    assert np.array_equal(np.asarray(Image.open(pictures / "small.png")), expected)


def test_many_files_into_a_folder_keep_metadata(pictures):
    out = pictures / "out"
    assert pico("encode", pictures / "one.jpg", pictures / "two.png", "-o", out).exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == ["one.pico", "two.pico"]
    assert pico("decode", *out.iterdir(), "-o", pictures / "back", "--to", "png").exit_code == 0
    assert Image.open(pictures / "back" / "one.png").getexif()[0x010E] == "a cup"
    assert pico("encode", pictures / "one.jpg", "--strip", "-f", "-o", out).exit_code == 0
    assert pico_plugins.read_header(out / "one.pico").metadata.exif is None


def test_nothing_is_replaced_unasked(pictures):
    (pictures / "two.pico").write_bytes(b"mine")
    result = pico("encode", pictures / "two.png")
    assert result.exit_code == 1
    assert "--force" in result.stderr
    assert (pictures / "two.pico").read_bytes() == b"mine"
    assert pico("encode", pictures / "two.png", "--force").exit_code == 0


def test_one_bad_file_does_not_stop_the_others(pictures):
    (pictures / "bad.png").write_bytes(b"no image")
    result = pico("encode", pictures / "bad.png", pictures / "two.png")
    assert result.exit_code == 1
    assert "bad.png" in result.stderr
    assert (pictures / "two.pico").exists()
    assert not (pictures / "bad.pico").exists()


def test_wrong_usage(pictures):
    assert pico("encode").exit_code == 2
    assert pico("encode", pictures / "two.png", "-q", 0).exit_code == 2
    assert pico("encode", pictures / "missing.png").exit_code == 2
    assert pico("encode", pictures / "one.jpg", pictures / "two.png", "-o", pictures / "one.jpg").exit_code == 2
    assert pico("encode", pictures / "one.jpg", "-o", pictures / "no" / "a.pico").exit_code == 2
    pico("encode", pictures / "two.png")
    result = pico("decode", pictures / "two.pico", "--to", "xyz")
    assert result.exit_code == 1
    assert "cannot write .xyz" in result.stderr
    assert "cannot write .psd" in pico("decode", pictures / "two.pico", "--to", "psd").stderr


def test_one_file_into_a_folder_that_is_not_there_yet(pictures):
    assert pico("encode", pictures / "two.png", "-o", pictures / "new").exit_code == 0
    assert (pictures / "new" / "two.pico").exists()


def test_sources_are_never_replaced(pictures):
    before = (pictures / "one.jpg").read_bytes()
    result = pico("encode", pictures / "one.jpg", "-o", pictures / "one.jpg", "--force")
    assert result.exit_code == 1
    assert "its source" in result.stderr
    assert (pictures / "one.jpg").read_bytes() == before


def test_two_sources_for_one_target(pictures):
    Image.open(pictures / "one.jpg").save(pictures / "one.png")
    result = pico("encode", pictures / "one.jpg", pictures / "one.png")
    assert result.exit_code == 1
    assert "has just been written from" in result.stderr


def test_transparency_and_text_in_png(pictures, patch):
    pixels = np.dstack([patch, patch[..., :1]])
    metadata = pico_plugins.Metadata(xmp=b"<x/>", text={"Title": "a cup"})
    pico_plugins.encode_file(pictures / "a.pico", pixels, metadata=metadata)
    assert pico("decode", pictures / "a.pico").exit_code == 0
    shown = Image.open(pictures / "a.png")
    assert shown.mode == "RGBA"
    assert shown.info["Title"] == "a cup"
    assert shown.info["xmp"] == b"<x/>"
    assert "no transparency" in pico("decode", pictures / "a.pico", "--to", "jpg").stderr


def test_info(pictures, tmp_path):
    pico("encode", pictures / "one.jpg", "-q", 42)
    result = pico("info", pictures / "one.pico", "--json")
    facts = json.loads(result.output)
    assert (facts["width"], facts["height"], facts["quality"], facts["tiles"]) == (90, 75, 42, 1)
    assert facts["exif_bytes"] > 0
    assert "bits per pixel" in pico("info", pictures / "one.pico").output
    assert pico("info", pictures / "one.jpg").exit_code == 1


def test_demo(tmp_path):
    result = pico("demo", "-o", tmp_path)
    assert result.exit_code == 0, result.output
    assert "PICO" in result.output
    assert "JPEG" in result.output
    original = np.asarray(Image.open(pico_plugins.cli.__path__[0] + "/../demo/coffee.png"))
    assert psnr(np.asarray(Image.open(tmp_path / "coffee-pico.png")), original) > 25
    assert pico_plugins.read_header(tmp_path / "coffee.pico").width == 600
    perceptual = np.asarray(Image.open(tmp_path / "coffee-pico-perceptual.png"))
    assert np.array_equal(perceptual, pico_plugins.decode(tmp_path / "coffee.pico", realism=1.0))
    assert not np.array_equal(perceptual, pico_plugins.decode(tmp_path / "coffee.pico"))


def test_demo_does_not_write_beside_the_photo(pictures):
    assert pico("demo", pictures / "one.jpg", "-o", pictures).exit_code == 2


def test_help_and_version_name_the_commands():
    result = pico("--help")
    for name in ("encode", "decode", "info", "demo", "bench"):
        assert name in result.output
    assert pico_plugins.__version__ in pico("--version").output


def test_bench_offers_every_codec_and_metric():
    from pico_plugins.cli.bench import command
    from pico_plugins.evaluation.metrics import METRICS
    from pico_plugins.evaluation.peers import PEERS, USUAL

    options = {option.name: option for option in command.params}
    assert list(options["metrics"].type.choices) == list(METRICS)
    assert ["pico", *options["against"].type.choices] == list(PEERS)
    assert "psnr ms-ssim]" in options["metrics"].help and " ".join(USUAL) in options["against"].help


def test_bench_writes_table_plot_and_rates(tmp_path, photo):
    pytest.importorskip("bjontegaard")
    Image.fromarray(photo[:192, :192]).save(tmp_path / "a.png")
    out = tmp_path / "bench"
    arguments = ("bench", tmp_path / "a.png", "--against", "jpeg", "webp", "--metrics", "psnr", "ms-ssim", "-o", out)
    first = pico(*arguments)
    assert first.exit_code == 0, first.output
    assert "BD-rate of pico against jpeg" in first.output
    rows = list(csv.DictReader((out / "results.csv").open()))
    assert {row["codec"] for row in rows} == {"pico", "jpeg", "webp"}
    rates = [float(row["bpp"]) for row in rows if row["codec"] == "pico"]
    assert sum(rate <= 0.15 for rate in rates) == 1  # one beyond each end, no more is decoded
    assert sum(rate >= 1.2 for rate in rates) == 1
    for row in rows[:3]:
        assert float(row["bpp"]) == pytest.approx(8 * int(row["bytes"]) / 192**2)
    assert Image.open(out / "curves.png").width > 500
    assert pico("bench", out.parent / "empty.png").exit_code == 2
    before = (out / "cache.jsonl").read_text()
    assert pico(*arguments).output == first.output
    assert (out / "cache.jsonl").read_text() == before
    fewer = pico("bench", tmp_path / "a.png", "--against", "jpeg", "--metrics", "psnr", "-o", out)
    assert fewer.exit_code == 0, fewer.output
    assert (out / "cache.jsonl").read_text() == before


def test_bench_speed(tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "a.png")  # large enough that even JPEG takes a millisecond
    result = pico("bench", tmp_path / "a.png", "--speed", "--against", "jpeg", "--rounds", 2)
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines() if line.startswith(("pico ", "jpeg "))]
    assert [line[0] for line in lines] == ["pico", "jpeg"]
    assert all(float(line[3]) > 0 for line in lines)
    sizes = [float(line[2]) for line in lines]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.2)
    assert re.findall(r"^(1/\d) +[\d.]+ s", result.output, re.MULTILINE) == ["1/1", "1/2", "1/4", "1/8"]
    shares = [float(share) for share in re.findall(r"([\d.]+)%", result.output.split("where the time goes")[1])]
    assert len(shares) == 16
    for *stages, outside, with_scale_decoder in (shares[:8], shares[8:]):  # encode's, decode's
        assert sum(stages) == pytest.approx(100, abs=0.5)
        assert with_scale_decoder == pytest.approx(100 - sum(stages[:2]), abs=0.3)
        assert outside == pytest.approx(100 - sum(stages[:3]), abs=0.3)
        assert min(stages[:2]) > 2  # encoder and context model, context model and decoder


def test_bench_scaling(tmp_path, photo, monkeypatch):
    monkeypatch.setattr("pico_plugins.cli.bench_speed._MEGAPIXELS", (0.1, 1))
    Image.fromarray(photo[:192, :192]).save(tmp_path / "a.png")
    result = pico("bench", tmp_path / "a.png", "--scaling", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    small, large = [[float(value) for value in line.split()] for line in result.output.splitlines()[1:3]]
    assert (small[0], large[0]) == (0.1, 1)
    assert min(small[1:3] + large[1:3]) > 0
    assert small[3] < small[4] < large[4]
    assert Image.open(tmp_path / "out" / "scaling.png").width > 500


def test_bd_rate_of_known_curves():
    bjontegaard = pytest.importorskip("bjontegaard")
    assert bjontegaard
    from pico_plugins.evaluation.bd_rate import bd_rate

    anchor = [(rate, 30 + 6 * np.log2(rate)) for rate in (0.1, 0.2, 0.4, 0.8, 1.6)]
    half = [(rate / 2, value) for rate, value in anchor]
    assert bd_rate(anchor, half, 0.1, 1.6) == pytest.approx(-50, abs=1e-3)
    assert bd_rate(half, anchor, 0.1, 1.6) == pytest.approx(100, abs=1e-3)
    assert bd_rate(anchor, anchor, 0.2, 1.0) == pytest.approx(0, abs=1e-6)
    worse = [(rate * 1.1, value - 1) for rate, value in half]  # of no use to anybody: more bits for less
    assert bd_rate(anchor, half + worse, 0.1, 1.6) == pytest.approx(-50, abs=1e-3)
    far = [(rate, value + 100) for rate, value in anchor]
    assert np.isnan(bd_rate(anchor, far, 0.1, 1.6))

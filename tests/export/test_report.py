import re

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from click.testing import CliRunner

from pico_plugins import weights
from pico_plugins.cli import main
from pico_plugins.export.memory import peak_activations


def test_report():
    result = CliRunner().invoke(main, ["export", "--report"])
    assert result.exit_code == 0, result.output
    assert weights.DEFAULT in result.output
    assert "48 tiles for a photo of 4032 x 3024" in result.output
    rows = {
        name: [float(number) for number in re.findall(r"\d+\.\d", line)]
        for name, line in ((line[:24].strip(), line[24:]) for line in result.output.splitlines())
    }
    ours = 5  # encoder, quantizer, decoder, perceptual, encoder-eye; then the paper's
    assert rows["parameters, millions"][ours:] == [15.2, 9.6]
    for parameters, megabytes in zip(rows["parameters, millions"][:ours], rows["weights, MB"][:ours], strict=True):
        assert megabytes == pytest.approx(2 * parameters, rel=0.1, abs=0.15)  # two bytes each, and little else
    assert all(milliseconds > 0 for milliseconds in rows["ms a tile, one thread"])
    assert len(rows["ms a tile, one thread"]) == ours
    assert all(
        total > alone for total, alone in zip(rows["with weights, MB"], rows["peak activations, MB"], strict=False)
    )


def test_report_of_a_configuration_that_nobody_trained():
    result = CliRunner().invoke(main, ["export", "--report", "--preset", "tiny", "--branch", "small"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith("preset tiny, small branch,")
    assert lines[2].split()[:4] == ["encoder", "quantizer", "decoder", "perceptual"]
    times = next(line for line in lines if line.startswith("ms a tile"))
    encoder, _, decoder, perceptual = (float(number) for number in re.findall(r"\d+\.\d", times))
    assert encoder > 0
    assert 0 < decoder < perceptual


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--report", "--preset", "huge"], "'huge' is none of cpu, cpu-all"),
        (["--report", "--preset", "tiny", "--branch", "huge"], "'huge' is none of small, wide"),
        (["--target", "onnx", "--output", "x", "--preset", "tiny"], "no weights to write"),
        (["--report", "--branch", "wide"], "--branch is for --preset"),
    ],
)
def test_what_a_configuration_cannot_be_asked(arguments, message):
    result = CliRunner().invoke(main, ["export", *arguments])
    assert result.exit_code != 0
    assert message in result.output


def test_peak_activations_counts_what_is_alive():
    class Chain(torch.nn.Module):
        def forward(self, x):
            x = torch.cat([x, x])  # 2 beside the input's 1
            x = x[:1] + 1.0  # the slice is a view; 1 more
            return torch.cat([x, x, x, x])  # input, 1 and 4

    assert peak_activations(Chain(), [(1, 1000)]) == 2 * 6000

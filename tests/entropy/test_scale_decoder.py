import numpy as np
import pytest

from pico_plugins import weights
from pico_plugins.entropy.entropy_model import EntropyModel
from pico_plugins.entropy.scale_decoder import IntegerLayer


def _python_integers(layer, weight, bias, level_bias, x, level):
    """The specification, with Python's own integers."""
    k, c, size, _ = weight.shape
    _, h, w = x.shape
    node, part = divmod(level, 32)
    out = np.zeros((k, h, w), int)
    for row in range(h):
        for column in range(w):
            for unit in range(k):
                total = int(bias[unit]) + 32
                if level_bias is not None:
                    after = min(node + 1, len(level_bias) - 1)
                    total += int(level_bias[node][unit]) * (32 - part) + int(level_bias[after][unit]) * part
                for dy in range(size):
                    for dx in range(size):
                        y0, x0 = row + dy - size // 2, column + dx - size // 2
                        if 0 <= y0 < h and 0 <= x0 < w:
                            total += sum(int(weight[unit, i, dy, dx]) * int(x[i, y0, x0]) for i in range(c))
                out[unit, row, column] = min(max(total >> 6, 0), layer.limit)
    return out


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("level", [0, 77, 224])
def test_layer_is_what_the_specification_says(kernel, level):
    random = np.random.default_rng(kernel)
    weight = random.integers(-127, 128, (5, 4, kernel, kernel)).astype(np.int8)
    bias = random.integers(-9000, 9000, 5).astype(np.int32)
    level_bias = random.integers(-300, 300, (8, 5)).astype(np.int32)
    x = random.integers(-127, 128, (4, 4, 3)).astype(np.int32)
    layer = IntegerLayer(weight, bias, level_bias, 127, 255)
    assert np.array_equal(layer(x, level), _python_integers(layer, weight, bias, level_bias, x, level))


def test_float32_and_float64_sums_agree():
    random = np.random.default_rng(0)
    weight = random.integers(-127, 128, (64, 96, 3, 3)).astype(np.int8)
    bias = random.integers(-9000, 9000, 64).astype(np.int32)
    x = random.integers(0, 256, (96, 8, 8)).astype(np.int32)
    layer = IntegerLayer(weight, bias, None, 255, 255)
    fast = layer(x, 0)
    layer.matrix, layer.dtype = layer.matrix.astype(np.float64), np.float64
    assert np.array_equal(fast, layer(x, 0))


def test_wide_sums_leave_float32():
    weight = np.full((2, 1000, 1, 1), 127, np.int8)
    assert IntegerLayer(weight, np.zeros(2, np.int32), None, 127, 255).dtype == np.float32
    assert IntegerLayer(weight, np.zeros(2, np.int32), None, 255, 255).dtype == np.float64


def test_weights_whose_sums_are_not_exact_are_refused():
    weight = np.full((1, 70_000, 1, 1), 127, np.int8)
    with pytest.raises(ValueError, match="not exact"):
        IntegerLayer(weight, np.zeros(1, np.int32), None, 255, 255)


def test_shipped_weights_are_proven_and_run_in_float32():
    entropy = EntropyModel(weights.model_folder(weights.DEFAULT))
    assert {layer.dtype for layer in entropy.scale_decoder.layers.values()} == {np.float32}
    z = np.random.default_rng(0).integers(-127, 128, (64, 3, 2))
    indices = entropy.scale_decoder(z, 100)
    assert indices.dtype == np.uint8
    assert indices.shape == (4 * entropy.latents, 6, 4)
    assert indices.max() < len(entropy.tables)
    assert np.array_equal(indices, entropy.scale_decoder(z, 100))

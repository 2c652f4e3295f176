"""The Core ML packages, as far as they can be checked where Core ML does not run: what is written is read back, and the
graph that was converted is run in float16 on the CPU, also through the backend that would run the package."""

import io
import re
import sys
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("coremltools")

from click.testing import CliRunner

from pico_plugins import weights
from pico_plugins.backends.coreml import CoreMlNetworks
from pico_plugins.backends.onnxruntime import OnnxRuntimeNetworks
from pico_plugins.cli import main
from pico_plugins.entropy.phases import from_phases
from pico_plugins.export import coreml
from pico_plugins.export.coreml import OUTPUTS, ct, input_shapes
from pico_plugins.export.device import programs
from pico_plugins.export.palette import palette
from tests.conftest import psnr

FOLDER = weights.model_folder(weights.DEFAULT)
PROGRAMS = programs(FOLDER)

# What aneforge.readthedocs.io lists as native on every generation of the Neural Engine, of what we use.
NEURAL_ENGINE = {
    *("conv", "conv_transpose", "pixel_shuffle", "pixel_unshuffle", "concat", "split"),
    *("add", "sub", "mul", "real_div", "abs", "clip", "exp", "relu", "leaky_relu", "round"),
}


def read(path: Path):
    """Specification and main block of a package."""
    spec = ct.models.MLModel(str(path), skip_model_load=True).get_spec()
    (block,) = spec.mlProgram.functions["main"].block_specializations.values()
    return spec, block


def stored_weights(path: Path) -> dict[str, np.ndarray]:
    """The weights of a package, decompressed, by the parameters' names with underscores."""
    from coremltools.optimize.coreml import decompress_weights, get_weights_metadata

    with redirect_stderr(io.StringIO()):
        model = ct.models.MLModel(str(path), skip_model_load=True)
        entries = get_weights_metadata(decompress_weights(model), weight_threshold=0)
    return {re.sub("_to_fp16.*", "", name): entry.val for name, entry in entries.items() if "_to_fp16" in name}


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> Path:
    """All programs, as ``pico export`` writes them by default."""
    into = tmp_path_factory.mktemp("coreml")
    result = CliRunner().invoke(main, ["export", "--target", "coreml", "-o", str(into)])
    assert result.exit_code == 0, result.output
    assert result.output.count(".mlpackage") == len(PROGRAMS)
    return into


@pytest.mark.parametrize("program", PROGRAMS)
def test_ports_shapes_and_metadata(packages, program):
    spec, _ = read(packages / f"{program}.mlpackage")
    assert spec.specificationVersion == 8
    facts = spec.description.metadata.userDefined
    assert facts["pico.model_id"] == weights.DEFAULT
    assert facts["pico.levels"]
    assert spec.description.metadata.license == "MIT"
    assert [port.name for port in spec.description.output] == OUTPUTS[program]
    assert [port.name for port in spec.description.input] == list(input_shapes(FOLDER, program))
    for port in [*spec.description.output, *spec.description.input]:
        if port.name == "image":
            assert (port.type.imageType.width, port.type.imageType.height) == (512, 512)
        elif port in spec.description.output:
            assert port.type.multiArrayType.dataType == port.type.multiArrayType.FLOAT16
        else:
            array = port.type.multiArrayType
            assert tuple(array.shape) == input_shapes(FOLDER, program)[port.name]
            assert not array.WhichOneof("ShapeFlexibility")
            assert array.dataType == array.FLOAT16


@pytest.mark.parametrize("program", PROGRAMS)
def test_operations_are_those_of_the_neural_engine(packages, program):
    _, block = read(packages / f"{program}.mlpackage")
    operations = [operation.type for operation in block.operations if operation.type != "const"]
    casts = operations.count("cast")
    assert casts == (program != "quantizer")  # where the image, 8 bits, meets float16
    assert set(operations) - {"cast"} <= NEURAL_ENGINE
    for operation in block.operations:
        if operation.type in NEURAL_ENGINE:
            for output in operation.outputs:
                tensor = output.type.tensorType
                assert len(tensor.dimensions) == tensor.rank == 4
                assert all(dimension.WhichOneof("dimension") == "constant" for dimension in tensor.dimensions)
                assert tensor.dataType == 10  # FLOAT16


@pytest.mark.parametrize("program", PROGRAMS)
def test_stored_weights_are_the_shipped_ones(packages, program):
    module, package = PROGRAMS[program](FOLDER), packages / f"{program}.mlpackage"
    stored, compared = stored_weights(package), 0
    for name, parameter in module.named_parameters():
        value = stored.get(name.replace(".", "_"))
        if value is not None and parameter.numel() > 1:
            assert np.array_equal(value, parameter.detach().half().numpy()), name
            compared += parameter.numel()
    whole = sum(parameter.numel() for parameter in module.parameters())
    assert compared > 0.9 * whole
    assert size(package) == pytest.approx(2 * whole, rel=0.1, abs=150_000)  # two bytes each, and little else


def test_tensors_for_pixels_and_small_weights(packages, tmp_path):
    arguments = ["export", "--target", "coreml", "--pixels", "tensor", "--weights", "int8", "-o", str(tmp_path)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    for program in PROGRAMS:
        spec, _ = read(tmp_path / f"{program}.mlpackage")
        facts = spec.description.metadata.userDefined
        assert (facts["pico.weights"], facts["pico.pixels"]) == ("int8", "tensor")
        for port in [*spec.description.output, *spec.description.input]:
            array = port.type.multiArrayType
            assert array.dataType == array.FLOAT16
            if port.name == "image" and port in spec.description.input:
                assert tuple(array.shape) == (1, 3, 512, 512)
        assert size(tmp_path / f"{program}.mlpackage") < 0.65 * size(packages / f"{program}.mlpackage")


@pytest.mark.parametrize(("kind", "share", "bound"), [("int8", 0.65, 35), ("palettized", 0.5, 25)])
def test_compressed_weights(packages, tmp_path, photo, kind, share, bound):
    """Smaller, and still a decoder: the weights that were stored show nearly the same image."""
    full = packages / "decoder.mlpackage"
    model = ct.models.MLModel(str(full), skip_model_load=True)
    coreml.compress(model, kind).save(str(tmp_path / "decoder.mlpackage"))
    assert size(tmp_path) < share * size(full)
    z, symbols, expected = coded(photo[:128, :192], 3.5)
    module, stored = PROGRAMS["decoder"](FOLDER).eval(), stored_weights(tmp_path / "decoder.mlpackage")
    changed = 0
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            value = stored.get(name.replace(".", "_"))
            if value is not None:
                changed += not np.array_equal(value, parameter.half().numpy())
                parameter.copy_(torch.from_numpy(value.astype(np.float32)).view_as(parameter))
        given = torch.from_numpy(from_phases(symbols, np.float32))[None]
        shown = module(torch.from_numpy(z)[None].float(), given, *level(3.5))
    assert changed > 10
    quality = psnr(expected, shown[0].permute(1, 2, 0).numpy())
    print(f"{kind}: {quality:.1f} dB from the reference")
    assert quality > bound


def size(path: Path) -> int:
    return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())


def level(*values: float) -> list:
    return [torch.full((1, 1, 1, 1), value) for value in values]


def coded(pixels: np.ndarray, at: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """z, symbols and the pixels that the reference decodes from them."""
    networks = OnnxRuntimeNetworks(FOLDER, 1)
    y, z = networks.analyse(np.ascontiguousarray(pixels), at)
    mask = np.random.default_rng(0).random((4 * len(y), y.shape[1] // 2, y.shape[2] // 2)) < 0.8
    symbols = networks.quantize(z, y, mask, at)
    return z, symbols, networks.synthesise(networks.dequantize(z, symbols, at), at, 0.0)


@pytest.fixture(scope="module")
def traced() -> dict:
    """The graphs that are converted, with what they compute in."""
    return {name: coreml.trace(FOLDER, name) for name in PROGRAMS}


class GraphNetworks(CoreMlNetworks):
    """The backend with the converted graphs in PyTorch on the CPU where Core ML would be, on smaller windows."""

    def __init__(self, graphs: dict, dtype: "torch.dtype") -> None:
        self._graphs, self._dtype = {name: graph.to(dtype) for name, graph in graphs.items()}, dtype
        super().__init__(FOLDER, 1)

    def _open(self, folder: Path) -> None:
        pass

    def _predict(self, program: str, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        assert list(feed) == list(input_shapes(FOLDER, program))
        assert all(array.dtype == np.float16 for array in feed.values())
        with torch.inference_mode():
            results = self._graphs[program](*(torch.from_numpy(array).to(self._dtype) for array in feed.values()))
        results = results if isinstance(results, tuple) else (results,)
        return {name: value.half().numpy() for name, value in zip(OUTPUTS[program], results, strict=True)}


def test_the_backend_takes_the_windows_of_the_packages():
    assert CoreMlNetworks.side == input_shapes(FOLDER, "encoder")["image"][-1]


@pytest.mark.parametrize(
    ("dtype", "at", "bound"), [*(("float32", at, 70) for at in (0.0, 3.5, 7.0)), ("float16", 3.5, 50)]
)
def test_the_converted_graph_computes_the_same(traced, photo, dtype, at, bound):
    """float16 in one small window: PyTorch is slow at it on a CPU."""
    reference, networks = OnnxRuntimeNetworks(FOLDER, 1), GraphNetworks(traced, getattr(torch, dtype))
    networks.side = side = 64 if dtype == "float16" else 128
    pixels = np.ascontiguousarray(photo[150 : 150 + side, 200 : 200 + side])
    y, z = networks.analyse(pixels, at)
    expected_y, expected_z = reference.analyse(pixels, at)
    assert np.abs(y - expected_y).max() < 0.01 * np.abs(expected_y).max()
    assert np.mean(z != expected_z) < 0.01
    mask = np.random.default_rng(0).random((4 * len(y), y.shape[1] // 2, y.shape[2] // 2)) < 0.8
    expected_y = expected_y.astype(np.float16).astype(np.float32)  # as the packages take them
    symbols = networks.quantize(expected_z, expected_y, mask, at)
    expected = reference.quantize(expected_z, expected_y, mask, at)
    assert expected.any()
    assert np.mean(symbols != expected) < (0 if dtype == "float32" else 0.01) + 1e-3
    assert not symbols[~mask].any()
    latents = networks.dequantize(z, symbols, at)
    shown = networks.synthesise(latents, at, 0.0)
    by_reference = reference.synthesise(reference.dequantize(z, symbols, at), at, 0.0)
    assert shown.shape == pixels.shape
    assert psnr(by_reference, shown) > bound
    # Reduced images and other windows are the reference's.
    small = networks.synthesise(latents, at, 0.0, 8)
    assert np.array_equal(small, reference.synthesise(reference.dequantize(z, symbols, at), at, 0.0, 8))
    other = np.ascontiguousarray(photo[:64, :192])
    assert np.array_equal(networks.analyse(other, at)[0], reference.analyse(other, at)[0])


@pytest.mark.skipif(sys.platform == "darwin", reason="says what is missing elsewhere")
def test_off_the_mac_it_says_so():
    with pytest.raises(ValueError, match="macOS only"):
        CoreMlNetworks(FOLDER, 1)


def test_palette_is_better_than_even_spacing():
    values = np.random.default_rng(0).standard_t(3, (64, 100)).astype(np.float16)
    centres, chosen = palette(values)
    assert centres.shape == (64,) and chosen.shape == (6400,)
    even = np.linspace(values.min(), values.max(), 64)
    nearest = even[np.abs(values.ravel()[:, None] - even).argmin(1)]
    ours, theirs = (np.mean((values.ravel() - found) ** 2) for found in (centres[chosen].astype(float), nearest))
    assert ours < theirs / 4
    few = np.array([1.0, 1.0, 2.0, -3.0], np.float16)  # fewer values than places
    centres, chosen = palette(few)
    assert np.array_equal(centres[chosen], few)

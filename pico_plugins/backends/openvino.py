"""OpenVINO on the CPU, faster than ONNX Runtime where that multiplies bfloat16 (extra ``fast``)."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import openvino
from openvino import opset1

from ..entropy.phases import ORDER
from ..pipeline import thread_count
from ..weights import PERCEPTUAL_FILE, SYNTHESIS_FILES, synthesis_file
from .feeds import Symbols, dequantizer_feed, realism_feed
from .onnx_networks import OnnxNetworks
from .pixel_blocks import from_blocks


def _above(node: openvino.Node, kinds: tuple[str, ...]) -> openvino.Node:
    """The first input of ``node`` that is one of ``kinds``."""
    inputs = (value.get_node() for value in node.input_values())
    return next(above for above in inputs if above.get_type_name() in kinds)


def _round_with_the_last_convolution(model: openvino.Model) -> None:
    """Let one FakeQuantize stand for the bias, the clamp and the conversion that make pixels of the last convolution.

    OpenVINO computes it as part of the convolution and writes bytes at once; conversion and change of layout of float
    pixels took a fifth of the decoder's time in bfloat16. The bias has to be in its limits: a convolution that writes
    bfloat16 also rounds its bias to eight bits, here to whole levels.
    """
    convert = model.results[0].input_value(0).get_node()
    biased = _above(_above(convert.input_value(0).get_node(), ("Maximum",)), ("Add",))
    bias = _above(biased, ("Reshape",))
    while bias.get_type_name() != "Constant":
        bias = bias.input_value(0).get_node()
    bias = bias.data.astype(np.float32).reshape(1, -1, 1, 1)
    # The graph truncates after adding a half, a FakeQuantize rounds to the nearest of 256 steps.
    low, high = opset1.constant(0.5 - bias), opset1.constant(255.5 - bias)
    first, last = opset1.constant(np.float32(0)), opset1.constant(np.float32(255))
    pixels = opset1.fake_quantize(_above(biased, ("Convolution",)).output(0), low, high, first, last, 256)
    convert.input(0).replace_source_output(pixels.output(0))


def _inputs(model: openvino.Model) -> dict[str, openvino.Node]:
    return {parameter.get_friendly_name(): parameter for parameter in model.get_parameters()}


def _joined(dequantizer: openvino.Model, synthesis: openvino.Model) -> openvino.Model:
    """Both in one, with the phases put together in it: the latents stay in the layout that convolutions work in.

    To take them out and bring them back cost half as much as the context model itself.
    """
    phases = dict(zip(ORDER, dequantizer.results[0].input_value(0).get_node().input_values(), strict=True))
    in_raster_order = opset1.concat([phases[place] for place in sorted(phases)], 1)
    latents = opset1.depth_to_space(in_raster_order, "blocks_first", 2)
    first, second = _inputs(dequantizer), _inputs(synthesis)
    for name, source in (("latents", latents), ("level", first["level"])):
        for target in second[name].output(0).get_target_inputs():
            target.replace_source_output(source.output(0))
    others = [second[name] for name in second.keys() - {"latents", "level"}]
    return openvino.Model(synthesis.results, [*first.values(), *others], synthesis.get_friendly_name())


class OpenVinoNetworks(OnnxNetworks):
    """See :class:`pico_plugins.backends.Networks`.

    There is a compiled copy of a network for each thread that is in it at the same time, and no more are let in than
    there are CPUs. A copy has one stream without a thread of its own, so that it runs in the thread that calls: handing
    tiles over to OpenVINO's threads cost a fifth of decoding, and two threads in one such copy would wait for each
    other.
    """

    precision = "f32"

    def __init__(self, folder: Path, threads: int) -> None:
        # OpenVINO's first conversion of an array takes a C++ lock and Python's in one order, and in the other when two
        # threads come at once: they wait for each other for ever. So the first one is here, alone.
        openvino.Tensor(np.zeros(1, np.float32), shared_memory=True).data.copy()
        self._folder, self._threads, self._core = folder, threads, openvino.Core()
        if self.precision.upper() not in ("F32", *self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")):
            msg = f"this CPU does not compute in {self.precision}"
            raise ValueError(msg)
        self._idle: dict[str, list[openvino.InferRequest]] = {}
        self._running = threading.Semaphore(thread_count(None))

    def _compile(self, file: str) -> openvino.InferRequest:
        settings = {
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": self._threads,
            "ENABLE_CPU_PINNING": False,  # one stream is pinned to the first CPU, and so would every copy's be
            "INFERENCE_PRECISION_HINT": self.precision,
        }
        model = self._core.read_model(self._folder / file)
        if file in (*SYNTHESIS_FILES.values(), PERCEPTUAL_FILE):
            _round_with_the_last_convolution(model)
            model = _joined(self._core.read_model(self._folder / "dequantizer.onnx"), model)
        return self._core.compile_model(model, "CPU", settings).create_infer_request()

    def _run(self, file: str, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        idle = self._idle.setdefault(file, [])
        with self._running:
            try:
                request = idle.pop()
            except IndexError:
                request = self._compile(file)
            try:
                results = request.infer(feed, share_inputs=True)
                return [results[i] for i in range(len(results))]
            finally:
                idle.append(request)

    def dequantize(self, z: np.ndarray, symbols: np.ndarray, level: float) -> Symbols:
        return Symbols(z, symbols)

    def synthesise(self, latents: Symbols, level: float, realism: float, reduction: int = 1) -> np.ndarray:
        file = synthesis_file(self._folder, realism, reduction)
        feed = dequantizer_feed(latents.z, latents.symbols, level) | realism_feed(file, realism)
        return from_blocks(self._run(file, feed)[0][0])


class OpenVinoBf16Networks(OpenVinoNetworks):
    """The same in bfloat16, where the CPU has it."""

    precision = "bf16"

"""OpenVINO on the CPU, faster than ONNX Runtime where that multiplies bfloat16 (extra ``fast``)."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import openvino
from openvino import opset1

from ..pipeline import thread_count
from ..weights import SYNTHESIS_FILES
from .onnx_networks import OnnxNetworks


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


class OpenVinoNetworks(OnnxNetworks):
    """See :class:`pico_plugins.backends.Networks`."""

    own_threads = True
    precision = "f32"

    def __init__(self, folder: Path, threads: int) -> None:
        # OpenVINO's first conversion of an array takes a C++ lock and Python's in one order, and in the other when two
        # threads come at once: they wait for each other for ever. So the first one is here, alone.
        openvino.Tensor(np.zeros(1, np.float32), shared_memory=True).data.copy()
        self._folder, self._core = folder, openvino.Core()
        if self.precision.upper() not in ("F32", *self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")):
            msg = f"this CPU does not compute in {self.precision}"
            raise ValueError(msg)
        self._streams = thread_count(None)
        self._threads = threads * self._streams
        self._models: dict[str, openvino.CompiledModel] = {}
        self._loading = threading.Lock()
        self._own = threading.local()

    def _precision(self, file: str) -> str:
        """Symbols are chosen in float32, as most decoders will take them back."""
        return "f32" if file == "quantizer.onnx" else self.precision

    def _request(self, file: str) -> openvino.InferRequest:
        """This thread's own request of a network that is loaded when it is first asked for."""
        requests = self._own.__dict__
        if file not in requests:
            with self._loading:
                if file not in self._models:
                    settings = {
                        "NUM_STREAMS": self._streams,
                        "INFERENCE_NUM_THREADS": self._threads,
                        "INFERENCE_PRECISION_HINT": self._precision(file),
                    }
                    model = self._core.read_model(self._folder / file)
                    if file in SYNTHESIS_FILES.values():
                        _round_with_the_last_convolution(model)
                    self._models[file] = self._core.compile_model(model, "CPU", settings)
            requests[file] = self._models[file].create_infer_request()
        return requests[file]

    def _run(self, file: str, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        results = self._request(file).infer(feed, share_inputs=True)
        return [results[i] for i in range(len(results))]


class OpenVinoBf16Networks(OpenVinoNetworks):
    """The same with encoder and decoder in bfloat16, where the CPU has it."""

    precision = "bf16"

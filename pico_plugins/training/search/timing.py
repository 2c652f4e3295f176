"""How long a candidate's networks take for one 512 x 512 tile, in the runtimes that users have."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from ...network import ModelConfig, PicoModel
from ...network.graphs import AnalysisGraph, SynthesisGraph

Run = Callable[[], object]


def _write(module: torch.nn.Module, arguments: tuple, names: list[str], path: Path) -> None:
    """A static graph, by the quick exporter: the weights are random, only its shape matters."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(module.eval(), arguments, path, input_names=names, dynamo=False, opset_version=17)


def _onnxruntime(path: Path, feed: dict[str, np.ndarray]) -> Callable[[], Run]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda: lambda: session.run(None, feed)


def _openvino(path: Path, feed: dict[str, np.ndarray]) -> Callable[[], Run]:
    import openvino

    core = openvino.Core()
    settings = {"NUM_STREAMS": WORKERS, "INFERENCE_NUM_THREADS": WORKERS, "INFERENCE_PRECISION_HINT": "bf16"}
    compiled = core.compile_model(core.read_model(path), "CPU", settings)

    def worker() -> Run:
        request = compiled.create_infer_request()
        return lambda: request.infer(feed)

    return worker


RUNTIMES = {"onnxruntime-f32": _onnxruntime, "openvino-bf16": _openvino}
WORKERS = 2
"""Tiles in work at once, one thread each: that is how the codec uses a runtime."""

_pool = ThreadPoolExecutor(WORKERS)


def _in_parallel(worker: Callable[[], Run]) -> Run:
    """A call that runs one tile on each worker."""
    runs = [worker() for _ in range(WORKERS)]
    return lambda: list(_pool.map(lambda run: run(), runs))


def prepare(config: ModelConfig, backends: list[str], scratch: Path) -> dict[tuple[str, str], Run]:
    """(backend, side) -> a call that runs the encoder or decoder of ``config`` on one tile for each worker."""
    model = PicoModel(config)
    level = torch.tensor([4.0])
    blocks = torch.randint(0, 256, (1, 48, 128, 128), dtype=torch.uint8)
    latents = torch.randn(1, config.latents, 32, 32)
    _write(AnalysisGraph(model), (blocks, level), ["blocks", "level"], scratch / "encoder.onnx")
    arguments = (latents, level)
    _write(SynthesisGraph(model, 1), arguments, ["latents", "level"], scratch / "decoder.onnx")
    feeds = {
        "encoder": {"blocks": blocks.numpy(), "level": level.numpy()},
        "decoder": {"latents": latents.numpy(), "level": level.numpy()},
    }
    return {
        (backend, side): _in_parallel(RUNTIMES[backend](scratch / f"{side}.onnx", feeds[side]))
        for backend in backends
        for side in feeds
    }


def interleaved(runs: dict[object, Run], rounds: int) -> dict[object, float]:
    """Median milliseconds a tile of each call over ``rounds`` in turn, after two rounds of warm-up."""
    seconds: dict[object, list[float]] = {key: [] for key in runs}
    for turn in range(rounds + 2):
        for key, run in runs.items():
            start = time.perf_counter()
            run()
            if turn >= 2:
                seconds[key].append(time.perf_counter() - start)
    return {key: 1000 * statistics.median(values) / WORKERS for key, values in seconds.items()}

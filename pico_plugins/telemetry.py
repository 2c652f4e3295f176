"""Keeps the packages that run the networks from telling their makers about it.

Both are off before the package is imported, for that is when they begin: ONNX Runtime's wheels write a device id into
the home folder and look up names on the network; OpenVINO reports every import through Google Analytics.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def disable_for_onnxruntime() -> None:
    """For this process and its children, whoever imports ONNX Runtime in them; ORT_DISABLE_TELEMETRY=0 keeps it on."""
    if not os.environ.get("ORT_DISABLE_TELEMETRY"):
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"


@contextmanager
def disabled_for_openvino() -> Iterator[None]:
    """OpenVINO, first imported inside, has none: it goes without the package that sends, as if that were missing."""
    sender = "openvino_telemetry"
    if sender in sys.modules:  # somebody else's choice
        yield
        return
    sys.modules[sender] = None
    try:
        yield
    finally:
        del sys.modules[sender]

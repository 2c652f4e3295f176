"""The codecs that are compared, each with the settings it runs at."""

from __future__ import annotations

import importlib.metadata
from dataclasses import replace

from PIL import features

from .. import weights
from .peer import Peer


def _pillow(feature: str) -> str:
    return f"Pillow {importlib.metadata.version('pillow')}, {feature} {features.version(feature)}"


def pico(realism: float = 0.0, tune: str = "pixels") -> Peer:
    """Files tuned for ``tune`` that ask to be shown with ``realism``."""
    import pillow_plugin  # noqa: F401  (registers)

    version = f"pico-plugins {importlib.metadata.version('pico-plugins')}, model {weights.DEFAULT}"
    options: dict[str, object] = {"tune": tune, "realism": realism} if tune != "pixels" else {}
    if realism:
        options["realism"] = realism
    return Peer("pico", "PICO", (5, 12, 20, 28, 36, 44, 52, 60, 68, 76, 84, 92, 100), version, options)


def jpeg() -> Peer:
    options = {"optimize": True, "progressive": True}
    return Peer("jpeg", "JPEG", (5, 8, 12, 18, 25, 35, 45, 55, 65, 75, 82, 88, 93), _pillow("libjpeg_turbo"), options)


def webp() -> Peer:
    return Peer("webp", "WEBP", (1, 5, 10, 20, 30, 45, 60, 75, 83, 89, 94, 98), _pillow("webp"), {"method": 6})


def avif() -> Peer:
    return Peer("avif", "AVIF", (8, 15, 22, 30, 38, 46, 54, 62, 70, 78, 86, 92), _pillow("avif"), {"speed": 6})


def jxl() -> Peer:
    import pillow_jxl  # noqa: F401  (registers)

    version = f"pillow-jxl-plugin {importlib.metadata.version('pillow-jxl-plugin')}"
    return Peer("jxl", "JXL", (5, 10, 15, 22, 30, 40, 50, 60, 70, 78, 85, 90, 94), version, {"effort": 7})


def vvc(preset: str = "medium") -> Peer:
    from .vvc import Vvc

    version = f"imageio-ffmpeg {importlib.metadata.version('imageio-ffmpeg')}, libvvenc, qpa=0, yuv420p10"
    return Vvc("vvc", "VVC", (14, 18, 22, 26, 30, 34, 38, 42, 46), version, {"preset": preset})


def vvc_faster() -> Peer:
    return replace(vvc("faster"), name="vvc-faster")


PEERS = {"pico": pico, "jpeg": jpeg, "webp": webp, "avif": avif, "jxl": jxl, "vvc": vvc, "vvc-faster": vvc_faster}
"""All of them, by the names that commands know: a new one is a function above and a name here."""

USUAL = ("jpeg", "webp", "avif", "jxl")
"""What pico is compared with unless others are asked for: those are slow."""

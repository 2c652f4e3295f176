"""VVC through imageio-ffmpeg's program: libvvenc encodes, ffmpeg's own decoder decodes.

libvvenc takes 4:2:0 only, at 10 bits. Its perceptual adaptation is off, as for a codec that is measured by PSNR.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

import numpy as np

from .peer import Peer

_SCALER = ["-sws_flags", "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"]


def _ffmpeg(arguments: list[str], data: bytes) -> bytes:
    from imageio_ffmpeg import get_ffmpeg_exe

    command = [get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", *arguments, "pipe:1"]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


@dataclass(frozen=True)
class Vvc(Peer):
    """One intra frame; a quality q stands for the quantization parameter 63 - q, 0 at least.

    ``options`` holds libvvenc's ``preset``. It takes even sides only: odd ones are made longer by one pixel, and a byte
    before the stream says which.
    """

    def encode(self, pixels: np.ndarray, quality: int) -> bytes:
        """uint8 (H, W, 3) -> a byte and a raw VVC stream."""
        odd_height, odd_width = (side % 2 for side in pixels.shape[:2])
        pixels = np.pad(pixels, ((0, odd_height), (0, odd_width), (0, 0)), mode="edge")
        size = f"{pixels.shape[1]}x{pixels.shape[0]}"
        source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-i", "pipe:0", *_SCALER]
        settings = ["-c:v", "libvvenc", "-preset", self.options["preset"], "-qpa", "0"]
        settings += ["-qp", str(max(0, 63 - quality))]
        arguments = [*source, "-frames:v", "1", "-pix_fmt", "yuv420p10le", *settings, "-f", "vvc"]
        return bytes([2 * odd_height + odd_width]) + _ffmpeg(arguments, pixels.tobytes())

    def decode(self, data: bytes) -> np.ndarray:
        """What :meth:`encode` gives -> uint8 (H, W, 3), sent by ffmpeg as a PPM file."""
        picture = ["-pix_fmt", "rgb24", "-c:v", "ppm", "-f", "image2pipe"]
        shown = _ffmpeg(["-f", "vvc", "-i", "pipe:0", *_SCALER, *picture], data[1:])
        magic, size, _, pixels = shown.split(b"\n", 3)
        width, height = map(int, size.split())
        if magic != b"P6":
            msg = "ffmpeg sent no PPM file"
            raise ValueError(msg)
        odd_height, odd_width = divmod(data[0], 2)
        return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)[: height - odd_height, : width - odd_width]

"""The codecs that pico is compared with: real files of every size."""

import numpy as np
import pytest

from pico_plugins.evaluation.peers import PEERS
from pico_plugins.fidelity import psnr


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif", "jxl", "vvc-faster"])
def test_peers_show_images_with_odd_sides(photo, name):
    pytest.importorskip({"jxl": "pillow_jxl", "vvc-faster": "imageio_ffmpeg"}.get(name, "PIL"))
    peer = PEERS[name]()
    pixels = np.ascontiguousarray(photo[100:201, 200:333])
    files = [peer.encode(pixels, quality) for quality in (peer.qualities[3], peer.qualities[-2])]
    small, large = (peer.decode(data) for data in files)
    assert small.shape == large.shape == pixels.shape
    assert len(files[0]) < len(files[1])
    assert 20 < psnr(pixels, small) < psnr(pixels, large)

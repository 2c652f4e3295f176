"""Feature networks in a folder, to train where they cannot be installed: ``python -m pico_plugins.training.stage``.

``PICO_FEATURE_WEIGHTS=FOLDER`` makes training and evaluation take them from there. They are rounded to float16, which
moves a distance by less than 0.1%.
"""

from __future__ import annotations

import re
from pathlib import Path

import click
import numpy as np
from safetensors.numpy import save_file

from ..evaluation.lpips import lpips_weights
from .feature_distance import lite0_weights

NETWORKS = ("vgg", "alex", "lite0")
_UNUSED = re.compile(r"_blocks\.([89]|1\d)\.|_conv_head|_bn1\.|_fc|num_batches")  # of EfficientNet-Lite0


def network_arrays(name: str) -> dict[str, np.ndarray]:
    """What ``name`` of :data:`NETWORKS` needs."""
    if name == "lite0":
        return {key: value.numpy() for key, value in lite0_weights().items() if not _UNUSED.match(key)}
    return lpips_weights(name)


@click.command()
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--network", multiple=True, type=click.Choice(NETWORKS), default=NETWORKS, show_default=True)
def main(out: Path, network: tuple[str, ...]) -> None:
    """Write the weights of each network to --out and say how large they are."""
    out.mkdir(parents=True, exist_ok=True)
    for name in network:
        path = out / f"{name}.safetensors"
        save_file({key: value.astype(np.float16) for key, value in network_arrays(name).items()}, path)
        click.echo(f"{path}  {path.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()

"""Train from .pico files: a torch dataset that decodes in its workers, at the scale it needs.

python examples/torch_dataset.py [FOLDER OF .pico FILES]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

import pico_plugins


class PicoFolder(Dataset):
    """Random crops, float tensors (3, size, size) in [0, 1], of the .pico files in a folder."""

    def __init__(self, folder: Path, size: int) -> None:
        self.paths, self.size = sorted(folder.rglob("*.pico")), size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        path = self.paths[index]
        height, width = pico_plugins.read_header(path).shape[:2]
        left, top = (int(torch.randint(side - self.size + 1, ())) for side in (width, height))
        box = (left, top, left + self.size, top + self.size)
        # Decodes only the tiles under the crop; one thread, since the loader's workers are the parallel part.
        pixels = pico_plugins.decode_region(path, box, threads=1)
        return torch.from_numpy(pixels).permute(2, 0, 1) / 255


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(scratch)
        if len(sys.argv) == 1:  # something to read
            with Image.open(Path(pico_plugins.__file__).parent / "demo" / "coffee.png") as photo:
                pixels = np.asarray(photo)
            for i in range(4):
                pico_plugins.encode_file(folder / f"{i}.pico", np.roll(pixels, 100 * i, axis=1), 60)
        # "spawn" because threads that were busy before a fork would be missing after it.
        loader = DataLoader(PicoFolder(folder, 128), batch_size=2, num_workers=2, multiprocessing_context="spawn")
        for batch in loader:
            print(tuple(batch.shape), f"mean {batch.mean():.3f}")

"""The use of a lent GPU, from packing photos to a model that codes, with a tiny network on this machine's CPU:
``python -m pico_plugins.training.rehearse``.

It takes about two minutes and trains nothing worth having. docs/gpu.md describes the real thing; whoever changes a
command there, changes it here.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
from PIL import Image

from .data import image_paths
from .text_masks import TextMasks

_WAIT = 240.0  # seconds after which something is wrong
_PHOTO = Path(__file__).parents[1] / "demo" / "coffee.png"


def _run(*arguments: object) -> str:
    """The output of ``python -m pico_plugins.<arguments>``. Raises ``click.ClickException`` if it fails."""
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"{' '.join(command[2:])}\n{done.stdout}{done.stderr}")
    return done.stdout


def _log(run: Path) -> list[dict]:
    path = run / "log.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _check(true: bool, what: str) -> None:
    if not true:
        raise click.ClickException(f"not as it should be: {what}")


def make_photos(folder: Path, masks: Path, count: int = 8, side: int = 260) -> None:
    """Cuts of the demo's photo, and masks that say that there is no text on them."""
    folder.mkdir()
    masks.mkdir()
    with Image.open(_PHOTO) as image:
        pixels = np.asarray(image.convert("RGB"))
    random = np.random.default_rng(0)
    for number in range(count):
        top, left = (random.integers(length - side + 1) for length in pixels.shape[:2])
        Image.fromarray(pixels[top : top + side, left : left + side]).save(folder / f"{number}.png")
    for path in image_paths([folder]):
        Image.new("L", (32, 32)).save(TextMasks(masks).path(path))


def _arrive(part: Path, photos: Path, masks: Path) -> None:
    """Move a part to where a trainer looks: masks first, as a photo without one has to wait."""
    for source, target in ((part / "masks", masks), (part / "photos", photos)):
        target.mkdir(exist_ok=True)
        for path in source.iterdir():
            path.replace(target / path.name)


def rehearse(folder: Path) -> None:
    """Everything, in ``folder``. Raises ``click.ClickException`` where something is not as it should be."""
    began = time.monotonic()

    def done(what: str) -> None:
        click.echo(f"{time.monotonic() - began:6.1f} s  {what}")

    make_photos(folder / "photos", folder / "masks")
    train = ["pico_plugins.training", folder / "there" / "photos"]
    train += ["--crop", 64, "--batch", 4, "--threads", 1, "--save-every", 5]
    base = folder / "base"
    _run("pico_plugins.training", folder / "photos", "--preset", "tiny", "--out", base, "--max-steps", 40, *train[2:])
    done("a base to start from")

    pack = ["pico_plugins.training.pack", folder / "photos", "--masks", folder / "masks", "--mib", 0.6]
    packed = _run(*pack, "--out", folder / "parts")
    parts = sorted((folder / "parts").iterdir())
    _check(len(parts) > 1, f"photos in several parts\n{packed}")
    done(f"photos in {len(parts)} parts")

    probed = _run(
        "pico_plugins.training.probe", base / "ema.safetensors", "--batch", 2, "--seconds", 0.1, "--without", "features"
    )
    _check("take --batch 2" in probed, f"a probe that chooses a batch\n{probed}")
    done("probe: " + probed.splitlines()[-2])

    there = folder / "there"
    there.mkdir()
    _arrive(parts[0], there / "photos", there / "masks")
    first = len(image_paths([there / "photos"]))
    without_packages = [f"--weight={name}=0" for name in ("wd", "lpips-vgg", "lpips-alex")]
    train += ["--perceptual", there / "masks", "--start", base / "ema.safetensors", "--watch", *without_packages]
    train += ["--weight=adversary=15:0.25", "--adversary-from", 20, "--decay-from", 0.5]
    run = folder / "run"
    with (folder / "trainer.log").open("w") as output:
        command = [sys.executable, "-m", *map(str, train), "--out", str(run), "--max-steps", "300"]
        trainer = subprocess.Popen(command, start_new_session=True, stdout=output, stderr=subprocess.STDOUT)
    try:
        while not (run / "state.pt").exists() and trainer.poll() is None:
            time.sleep(0.2)
        for part in parts[1:]:
            _arrive(part, there / "photos", there / "masks")
        done("a detached trainer has saved its state; more photos have arrived")
        trainer.wait(_WAIT)
    finally:
        trainer.kill()
    _check(trainer.returncode == 0, (folder / "trainer.log").read_text())
    log = _log(run)
    _check([line["step"] for line in log] == [100, 200, 300], f"a log of three lines, not {log}")
    _check(log[-1]["photos"] == 8 > first, f"8 photos used at the end, {first} at the start")
    _check(
        log[-1]["lr"] < 0.1 * log[0]["lr"] and "adversary r=1" in log[-1], "a rate that has decayed, and an adversary"
    )
    done("trained to the end of its decay, on all photos")

    _run("pico_plugins.training.pieces", "cut", run, "--out", folder / "out", "--files", 8, "--mib", 8)
    pieces = sorted((folder / "out").iterdir())
    _check(1 < len(pieces) <= 8 and all(path.stat().st_size <= 8 * 2**20 for path in pieces), f"small pieces: {pieces}")
    shutil.rmtree(run)
    _run("pico_plugins.training.pieces", "join", folder / "out", "--out", run)
    (folder / "models").mkdir()
    done(f"collected in {len(pieces)} pieces, and joined again")

    ema = (run / "ema.safetensors").read_bytes()
    exported = _run("pico_plugins.export", run / "ema.safetensors", "--into", folder / "models")
    evaluate = ["pico_plugins.training.trials.evaluate", run / "ema.safetensors", "--images", folder / "photos"]
    evaluated = _run(*evaluate, "--count", 1, "--side", 192, "--realism", 1, "--tune", "eye", "-m", "psnr")
    _check("level 7" in evaluated and any((folder / "models").glob("*/analysis-eye.onnx")), exported + evaluated)
    done("exported and evaluated")

    _run(*train, "--out", run, "--max-steps", 400, "--stop-after", 250)
    steps = [line["step"] for line in _log(run)]
    _check(steps[-1] == 200 and steps.count(200) == 2, f"a run that goes on from before its decay: {steps}")
    _check((run / "ema.safetensors").read_bytes() != ema, "averaged weights that have moved")
    done("went on from the state before the decay")


@click.command()
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="A new folder to leave all files in.")
def main(keep: Path | None) -> None:
    """Rehearse; exit with an error where something is not as it should be."""
    if keep:
        keep.mkdir(parents=True)
        rehearse(keep)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            rehearse(Path(scratch))
    click.echo("everything is as it should be")


if __name__ == "__main__":
    main()

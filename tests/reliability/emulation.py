"""The golden files on other processors: ``python -m tests.reliability.emulation [aarch64 s390x]``.

Everything is made from nothing in a scratch folder, without root: Debian's packages of QEMU, of Python and of NumPy for
the other architecture are fetched with apt's own checks and unpacked there. Needs a Debian with a network.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

ROOT = Path(__file__).parents[2]
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
ARCHITECTURES = {
    # Name -> Debian's name, folder of its libraries. s390x is big-endian.
    "aarch64": ("arm64", "aarch64-linux-gnu"),
    "s390x": ("s390x", "s390x-linux-gnu"),
}
UNAVAILABLE = 3  # exit status where the packages cannot be had, which proves nothing either way

# NumPy is what is tested; safetensors is compiled, and Debian has it for few machines. Its format is so plain that a
# few lines read it, for this test only: everywhere else the library itself does.
SAFETENSORS = """
import json

import numpy as np

TYPES = {"U8": "<u1", "I8": "<i1", "I32": "<i4", "U32": "<u4"}


def load_file(path):
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    tensors = {}
    for name, about in json.loads(data[8:start]).items():
        if name != "__metadata__":
            first, last = about["data_offsets"]
            kind = np.dtype(TYPES[about["dtype"]])
            values = np.frombuffer(data[start + first : start + last], kind)
            tensors[name] = values.astype(kind.newbyteorder("=")).reshape(about["shape"])
    return tensors
"""


class Packages:
    """apt with lists and settings of its own in ``folder``: the machine's are neither read nor changed."""

    def __init__(self, folder: Path, suite: str, architecture: str) -> None:
        self.folder, self.architecture = folder / architecture, architecture
        for name in ("lists/partial", "archives/partial"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        mirror = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
        (self.folder / "sources.list").write_text(f"deb [signed-by={KEYS}] {mirror} {suite} main\n")
        self._apt("update")

    def _apt(self, *command: str) -> None:
        settings = {
            "APT::Architecture": self.architecture,
            "APT::Architectures": self.architecture,
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
            "Debug::NoLocking": "true",
            "Dir::Cache": str(self.folder),
            "Dir::Etc::SourceList": str(self.folder / "sources.list"),
            "Dir::Etc::SourceParts": "-",
            "Dir::State": str(self.folder),
            "Dir::State::Lists": str(self.folder / "lists"),
            "Dir::State::Status": "/dev/null",
        }
        options = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
        subprocess.run(["apt-get", "-qq", *options, *command], check=True, stdout=subprocess.DEVNULL)

    def unpack(self, *names: str, into: Path) -> None:
        """The packages and all they depend on."""
        self._apt("install", "-y", "--download-only", *names)
        for package in sorted((self.folder / "archives").glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", package, into], check=True)
        if not (into / "lib").exists():  # newer releases have everything under /usr
            (into / "lib").symlink_to("usr/lib")


def run(name: str, folder: Path, suite: str) -> int:
    """Exit status of the checks on architecture ``name``."""
    architecture, triplet = ARCHITECTURES[name]
    root, host, ours = folder / name, folder / "host", folder / "ours"
    Packages(folder, suite, architecture).unpack("python3-minimal", "python3-numpy", into=root)
    machine = subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout
    if not host.exists():
        Packages(folder, suite, machine.strip()).unpack("qemu-user-static", into=host)
    (ours / "safetensors").mkdir(parents=True, exist_ok=True)
    (ours / "safetensors" / "__init__.py").touch()
    (ours / "safetensors" / "numpy.py").write_text(SAFETENSORS)

    libraries = [f"/usr/lib/{triplet}/{part}" for part in ("", "blas", "lapack", "openblas-pthread")]
    inside = {
        "LD_LIBRARY_PATH": ":".join(libraries),
        "PYTHONPATH": f"{ours}:{ROOT}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    python = next(path for path in sorted((root / "usr/bin").glob("python3.*")) if not path.is_symlink())
    emulator = host / "usr/bin" / f"qemu-{name}-static"
    settings = [part for key, value in inside.items() for part in ("-E", f"{key}={value}")]
    hidden = [part for key in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE") for part in ("-U", key)]
    command = [emulator, "-L", root, *hidden, *settings, python, "-m", "tests.reliability.elsewhere"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


@click.command(help=__doc__)
@click.argument("names", nargs=-1, type=click.Choice(list(ARCHITECTURES)))
@click.option("--suite", default="bookworm", show_default=True, help="Debian release.")
@click.option("--folder", type=click.Path(path_type=Path), help="Keep everything here instead of a scratch folder.")
def main(names: tuple[str, ...], suite: str, folder: Path | None) -> None:
    """See the module."""
    wrong = []
    with tempfile.TemporaryDirectory(prefix="pico-emulation-") as scratch:
        for name in names or ARCHITECTURES:
            start = time.monotonic()
            try:
                if run(name, folder or Path(scratch), suite):
                    wrong.append(name)
            except (subprocess.CalledProcessError, FileNotFoundError) as error:
                print(f"Debian's packages for {name} cannot be had here: {error}")
                sys.exit(UNAVAILABLE)
            print(f"{name}: {'FAILED' if name in wrong else 'passed'} in {time.monotonic() - start:.0f} s", flush=True)
    if wrong:
        sys.exit(1)


if __name__ == "__main__":
    main()

"""What importing and opening may cost: checked in fresh interpreters."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "onnxruntime", "constriction", "matplotlib", "napari", "imageio")


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("module", ["pico_plugins", "pillow_plugin"])
def test_importing_loads_nothing_heavy(module):
    loaded = run(f"import sys, {module}; print(*sys.modules)").split()
    assert not {"numpy", *HEAVY} & set(loaded)


def test_opening_with_pillow_loads_nothing_heavy(tmp_path, patch_file):
    path = tmp_path / "a.pico"
    path.write_bytes(patch_file)
    code = f"import sys, pillow_plugin; from PIL import Image; Image.open({str(path)!r}).info; print(*sys.modules)"
    assert not set(HEAVY) & set(run(code).split())


def test_importing_and_opening_cost_milliseconds(tmp_path, patch_file):
    """After Pillow, in processor time of fresh processes, the quickest of three."""
    path = tmp_path / "a.pico"
    path.write_bytes(patch_file)
    code = f"""
import PIL.Image, time
times = [time.process_time()]
import pico_plugins
pico_plugins.read_header
times.append(time.process_time())
pico_plugins.read_header({str(path)!r})
times.append(time.process_time())
print(*(1e3 * (b - a) for a, b in zip(times, times[1:])))
"""
    importing, opening = map(min, zip(*(map(float, run(code).split()) for _ in range(3)), strict=True))
    print(f"import {importing:.1f} ms, header {opening:.2f} ms")
    assert importing < 50
    assert opening < 5


def test_coding_never_imports_torch(tmp_path):
    code = (
        "import sys, numpy, pico_plugins as p; "
        "p.decode(p.encode(numpy.arange(243, dtype='uint8').reshape(9, 9, 3))); print(*sys.modules)"
    )
    assert "torch" not in run(code).split()


def test_the_core_registers_nothing():
    assert (
        run("import pico_plugins; from PIL import Image; print('.pico' in Image.registered_extensions())") == "False\n"
    )


def test_without_constriction_the_same_bytes_are_written(tmp_path, patch_file):
    """The plain Python coder takes over, in both directions."""
    path = tmp_path / "a.pico"
    path.write_bytes(patch_file)
    code = f"""
import os; os.environ["PICO_ENTROPY_CODER"] = "python"
import sys, pathlib, numpy, pico_plugins as p
from PIL import Image
from tests.conftest import PHOTO
data = pathlib.Path({str(path)!r}).read_bytes()
patch = numpy.asarray(Image.open(PHOTO))[150:225, 200:290]
print(p.encode(patch, 60) == data, p.decode(data).shape, "constriction" in sys.modules)
"""
    assert run(code) == "True (75, 90, 3) False\n"


def test_the_exact_half_needs_numpy_and_safetensors_only():
    """What other processors are proved with (tests/reliability/emulation.py) is imported without the rest."""
    code = "import sys\n"
    code += "for name in ('onnxruntime', 'threadpoolctl', 'PIL', 'constriction', 'click'): sys.modules[name] = None\n"
    code += "import tests.golden.symbols, tests.reliability.elsewhere"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_an_installation_without_its_models_says_so(tmp_path, patch_file):
    """In a zip file, or frozen without its data."""
    import zipfile

    import pico_plugins

    package, archive = Path(pico_plugins.__file__).parent, tmp_path / "package.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in package.rglob("*.py"):
            file.write(path, path.relative_to(package.parent))
    code = f"""
import sys
sys.path.insert(0, {str(archive)!r})
import numpy, pico_plugins
for work in (lambda: pico_plugins.encode(numpy.zeros((9, 9), "uint8")), lambda: pico_plugins.decode({patch_file!r})):
    try:
        work()
    except pico_plugins.PicoError as error:
        print(error)
"""
    said = run(code).splitlines()
    assert len(said) == 2
    assert all("lacks its models" in line and "zip file" in line for line in said)

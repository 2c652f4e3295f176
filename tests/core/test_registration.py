import subprocess
import sys

CODE = """
import io, sys
import pico_plugins
assert "PIL" not in sys.modules and "imageio" not in sys.modules
found = pico_plugins.register_all()
assert found == pico_plugins.register_all()
assert "torch" not in sys.modules and "onnxruntime" not in sys.modules
from PIL import Image
assert Image.registered_extensions()[".pico"] == "PICO"
if "imageio" in found:
    import imageio
    assert "PICO" in imageio.config.known_plugins
print(found)
"""


def test_register_all_in_a_fresh_interpreter():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "PIL" in done.stdout


def test_mimetypes_knows_the_files():
    code = "import mimetypes, pico_plugins\n"
    code += "print(*mimetypes.guess_type('a.pico'), mimetypes.guess_extension('image/x-pico'))\n"
    code += "import pillow_plugin; from PIL import Image; assert Image.MIME['PICO'] == pico_plugins.MIME_TYPE"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "image/x-pico None .pico\n"

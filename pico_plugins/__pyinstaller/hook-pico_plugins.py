"""The weights, and the modules that are imported by name, which PyInstaller does not see.

Left out is what needs PyTorch (training, export, measuring), the command, which has a hook of its own, and the other
backends: a program that uses one names it, as in ``--hidden-import pico_plugins.backends.openvino``.
"""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

_LEFT_OUT = ("__main__", "__pyinstaller", "cli", "evaluation", "export", "network", "training")
_OTHER_BACKENDS = ("coreml", "openvino", "torch")


def _wanted(name: str) -> bool:
    _, *parts = name.split(".")
    return not (parts and parts[0] in _LEFT_OUT) and parts not in [["backends", other] for other in _OTHER_BACKENDS]


datas = collect_data_files("pico_plugins")
hiddenimports = collect_submodules("pico_plugins", filter=_wanted)

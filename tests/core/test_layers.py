"""The order of the packages: each imports what stands below it only."""

import ast
import importlib.util
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("pico_plugins", "pillow_plugin", "imageio_plugin", "napari_plugin")
FLOORS = (
    {"errors", "integers", "streams", "telemetry", "cpus", "blas", "quality", "fidelity"},
    {"atomic", "pipeline", "entropy", "weights"},
    {"files", "network"},
    {"format", "backends"},
    {"tiles", "export"},
    {"encoder", "decoder", "lazy_image"},
    {"authenticity", "pillow_plugin", "imageio_plugin"},
    {"evaluation", "registration", "napari_plugin"},
    {"cli", "training"},
    {"__main__"},
)
"""Packages, and modules that are in none, from the lowest. Those of one floor do not import each other."""


def sources():
    """Name -> (syntax tree, whether it is a package) of every module."""
    found = {}
    for path in (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))):
        if "__pyinstaller" not in path.parts:
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = ast.parse(path.read_text()), path.name == "__init__.py"
    return found


def homes(tree):
    """Where the names of ``pico_plugins`` itself are."""
    table = next(node for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "_HOME")
    return {name: f"pico_plugins.{home}" for name, home in ast.literal_eval(table.value).items()}


def dynamic(call, name, tree, modules):
    """What a call of ``import_module`` in module ``name`` may import: a module, a package, or what a table names."""
    first = call.args[0]
    if isinstance(first, ast.JoinedStr):  # f"...export.{name}", with __name__ for a package
        text = first.values[0].value.rstrip(".")
        return {importlib.util.resolve_name(text, name) if text else name}
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value in modules}


def imports(name, tree, is_package, modules, home):
    """The modules of ours that ``name`` imports anywhere, in functions and for annotations too."""
    package = name if is_package else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                yield (
                    home[alias.name]
                    if module == "pico_plugins" and alias.name in home
                    else (inner if inner in modules else module)
                )
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from dynamic(node, name, tree, modules)


def graph():
    found = sources()
    home = homes(found["pico_plugins"][0])
    return {
        name: {other for other in imports(name, *source, found, home) if other in found and other != name}
        for name, source in found.items()
    }


def room(module):
    package, _, rest = module.partition(".")
    return rest.partition(".")[0] if package == "pico_plugins" and rest else package


def test_no_import_runs_upwards():
    floor_of = {name: number for number, floor in enumerate(FLOORS) for name in floor}
    found = graph()
    assert {room(module) for module in found} - {"pico_plugins"} == set(floor_of)
    upwards = {
        (module, other)
        for module, others in found.items()
        for other in others
        if "pico_plugins" not in (module, other)  # whose names are imported on first use
        and room(module) != room(other)
        and floor_of[room(module)] <= floor_of[room(other)]
    }
    assert not upwards
    assert len(FLOORS) <= 10


def test_no_modules_import_each_other():
    found = graph()
    del found["pico_plugins"]
    list(TopologicalSorter({name: others - {"pico_plugins"} for name, others in found.items()}).static_order())
    assert "pico_plugins.network.shipped" in found["pico_plugins.backends.torch"]  # the graph is not empty


def test_packages_of_modules_import_nothing_by_themselves():
    """A header is read without NumPy, golden symbols without Pillow."""
    for package in ("format", "entropy", "tiles", "training/trials"):
        assert not (ROOT / "pico_plugins" / package / "__init__.py").read_text()

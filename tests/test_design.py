"""The direction of imports and the sizes that docs/design.md promises."""

import ast
import graphlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# From those who know nothing to those who know all; a layer imports itself and what is above it.
LAYERS = [
    "busjax.errors busjax.classes busjax.files busjax.logs busjax.allocator busjax.components "
    "busjax.cache busjax.processor busjax.compilation busjax.waiting busjax.processes busjax.flat",
    "busjax.config",
    "busjax.variants",
    "configs",
    "busjax.command_line",
    "busjax.pages",
    "busjax.data",
    "busjax.ops",
    "busjax.models",
    "busjax.metrics",
    "busjax.runs",
    "busjax.networks",
    "busjax.training",
    "busjax.evaluation",
    "busjax.inference",
    "busjax.benchmark",
    "busjax.run",
    "busjax.crossval",
    "busjax.about",
    "busjax.main",
    "busjax.commands",
    "busjax.__main__",
]
# What a layer must not know, though it stands above it.
FORBIDDEN = {
    "busjax.data": "jax jaxlib flax optax orbax",
    "busjax.ops": "busjax.data flax",
    "busjax.models": "busjax.data",
    "busjax.metrics": "busjax.data busjax.ops busjax.models jax flax",
    "busjax.runs": "busjax.data busjax.ops busjax.models flax optax",
    "busjax.pages": "busjax.config jax flax",
    "busjax.config": "busjax.files jax flax numpy",
    "configs": "jax numpy",
    "launch": "busjax configs jax",
}
SOURCES = sorted(
    path for folder in ("busjax", "configs", "launch") for path in (ROOT / folder).rglob("*.py")
)


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path):
    """Every module that a file imports, wherever in it; 'from a import b' gives a and a.b."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are written whole"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def within(module, package):
    return module == package or module.startswith(f"{package}.")


def layer_of(module):
    """The index of the layer, or None for what is no part of one."""
    for index, names in enumerate(LAYERS):
        if any(within(module, name) for name in names.split()):
            return index
    return None


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_nothing_imports_upwards_or_what_it_must_not_know(path):
    module = module_of(path)
    own = layer_of(module)
    for imported in imports(path):
        layer = layer_of(imported)
        if own is not None and layer is not None:
            assert layer <= own, f"{module} imports {imported}"
        for package, forbidden in FORBIDDEN.items():
            if within(module, package):
                assert not any(within(imported, name) for name in forbidden.split()), imported


def graph():
    """Of each module of ours, those that it imports, wherever in it.

    'from a import b' is an import of a.b where there is such a module, of a where there is none.
    """
    known = {module_of(path) for path in SOURCES}
    found = {module_of(path): set() for path in SOURCES}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found[module_of(path)] |= known & {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                whole = [f"{node.module}.{alias.name}" for alias in node.names]
                names = {name if name in known else node.module for name in whole}
                found[module_of(path)] |= known & names
    return found


def test_no_module_imports_itself_in_a_circle():
    graphlib.TopologicalSorter(graph()).prepare()
    with pytest.raises(graphlib.CycleError):  # what such a circle would look like
        graphlib.TopologicalSorter({**graph(), "busjax.errors": {"busjax.main"}}).prepare()


def test_every_folder_is_a_package():
    """One without an __init__.py is in no wheel; what git ignores is neither cloned nor linted."""
    folders = {path.parent for path in SOURCES}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []
    ignored = [line for line in (ROOT / ".gitignore").read_text().splitlines() if line]
    names = {name for folder in folders for name in folder.relative_to(ROOT).parts}
    assert not names & {line.rstrip("/") for line in ignored if not line.startswith("/")}


def test_every_file_has_a_layer():
    outside = [module_of(path) for path in SOURCES if layer_of(module_of(path)) is None]
    assert [name for name in outside if not name.startswith("launch")] == ["busjax"]


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_files_and_functions_are_short(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            docstring = ast.get_docstring(node, clean=False) or ""
            length = node.end_lineno - node.body[0].lineno + 1 - docstring.count("\n")
            assert length <= 40, f"{module_of(path)}.{node.name}: {length} lines"
            assert node.returns is not None, f"{node.name} is not annotated"

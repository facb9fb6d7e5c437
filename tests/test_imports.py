"""Who may import what: conformance -> backends -> adamcore, and no framework before it is needed."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from import_graph import arrows, circle, imports, modules, name_of, sources
from paths import ROOT

FRAMEWORKS = {
    "cupy",
    "dask",
    "jax",
    "keras",
    "llvmlite",
    "mlx",
    "numba",
    "optax",
    "tensorflow",
    "torch",
    "triton",
}
ARCHITECTURE = ROOT / "docs" / "architecture.md"
HEAD = "| package | may import |"


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def loaded_by(code: str) -> set[str]:
    """The top-level modules in a fresh process that has run ``code``."""
    code += "\nimport sys, json; print(json.dumps(sorted({m.partition('.')[0] for m in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_core_needs_two_packages() -> None:
    allowed = {*sys.stdlib_module_names, "adamcore", "array_api_compat", "optree"}
    for path in sources("adamcore"):
        for name in imports(path, in_functions=True):
            assert not within(name, "adamcore.backends", "adamcore.conformance"), (path, name)
            assert name.partition(".")[0] in allowed, (path, name)


def test_a_backend_loads_its_own_library_alone() -> None:
    for path in sources("backends"):
        library = path.relative_to(ROOT).parts[1].removesuffix(".py")  # a folder for each
        own = {"jax": {"jax", "optax"}, "kernels": {"llvmlite"}, "files": {"dask"}}.get(library, {library})
        for name in imports(path, in_functions=True):
            assert not within(name, "adamcore.conformance"), (path, name)
        for name in imports(path, in_functions=False):
            assert name.partition(".")[0] not in FRAMEWORKS - own, (path, name)


def test_conformance_loads_frameworks_inside_functions() -> None:
    for path in sources("conformance"):
        for name in imports(path, in_functions=False):
            assert name.partition(".")[0] not in FRAMEWORKS, (path, name)


def test_import_loads_no_array_library() -> None:
    # NumPy included: array_api_compat and optree load none either.
    heavy = FRAMEWORKS | {"numpy", "scipy", "rich", "flint", "mpmath"}
    assert loaded_by("import adamcore, adamcore.backends, adamcore.conformance") & heavy == set()


def test_numpy_arrays_load_no_framework() -> None:
    code = """
import numpy as np
from adamcore import Adam
opt = Adam()
params = [np.ones(3)]
params, state = opt.step(params, [np.ones(3)], opt.init(params))
"""
    assert loaded_by(code) & FRAMEWORKS <= {"llvmlite"}  # where it is installed
    assert loaded_by("import adamcore.backends.files") & FRAMEWORKS <= {"llvmlite"}


def test_all_is_right_both_ways() -> None:
    """What ``__all__`` names is there, and what a package imports to show stands in ``__all__``."""
    for path in modules().values():
        check_all(path)


def check_all(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assigned = [n for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"]
    if not assigned:
        assert name_of(path) != "adamcore", "no __all__"
        return
    exported = ast.literal_eval(assigned[0].value)
    assert exported == list(dict.fromkeys(exported))
    module = importlib.import_module(name_of(path))
    assert [name for name in exported if not hasattr(module, name)] == []
    code = [getattr(module, name) for name in exported if callable(getattr(module, name))]
    assert [each for each in code if not inspect.getdoc(each)] == [], "no docstring"
    shown = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        and path.stem == "__init__"
        and within(node.module or "", "adamcore")
        for alias in node.names
    }
    shown |= {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    assert {name for name in shown if not name.startswith("_")} <= set(exported)


def allowed() -> set[tuple[str, str]]:
    """Return the arrows of docs/architecture.md: the table under `| package | may import |`."""
    lines = ARCHITECTURE.read_text(encoding="utf-8").splitlines()
    rows = takewhile(lambda line: line.startswith("|"), lines[lines.index(HEAD) + 2 :])
    cells = [[re.findall(r"`([^`]+)`", cell) for cell in row.split("|")[1:3]] for row in rows]
    return {(source, target) for [source], targets in cells for target in targets}


def test_sub_packages_import_each_other_in_no_circle() -> None:
    assert circle(set(arrows())) == []


def test_every_arrow_stands_in_the_table() -> None:
    table = allowed()
    assert {pair: files for pair, files in arrows().items() if pair not in table} == {}


def test_every_arrow_of_the_table_is_used() -> None:
    assert allowed() - set(arrows()) == set()


def test_architecture_names_every_module() -> None:
    page = ARCHITECTURE.read_text(encoding="utf-8")
    names = {path.name for path in modules().values()} - {"__init__.py"}
    assert {name for name in names if f"`{name}`" not in page} == set()


PLACES = re.compile(
    r"/(?:work|home|root|Users|opt|mnt)/[A-Za-z.]"  # a folder of somebody's machine
    r"|\b(?:pypi|pythonhosted|anaconda)\.(?:org|com)|download\.pytorch\.org"  # a package registry
)


def texts() -> Iterator[Path]:
    """The text files of the repository, none of what tools make in it."""
    made = re.compile(
        r"\.git$|\.venv|.*_cache$|__pycache__$|.*\.egg-info$|(build|dist|\.hypothesis)$|\.coverage"
    )
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and not any(made.match(part) for part in parts) and b"\0" not in path.read_bytes():
            yield path


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in texts()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if PLACES.search(line)
    ]
    assert found == []

"""The imports between the sub-packages of adamcore, read from the source."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from paths import ROOT

FOLDERS = {"adamcore": "adamcore", "backends": "adamcore.backends", "conformance": "adamcore.conformance"}

#: Modules that old pickles or old import paths name; each shows what has moved, and nothing imports it.
DOORS = {
    "adamcore.lane",
    "adamcore.backends.torch_optimizer",
    "adamcore.backends.states.canonical",
    "adamcore.conformance.asserting",
    "adamcore.conformance.outputs",
}

#: The module of the core that stands above its sub-packages, as an ``__init__`` does: the methods of Adam.
FACADE = "adamcore.adam"


def sources(folder: str) -> list[Path]:
    """Return the modules below a folder of the repository, those behind a symbolic link excepted."""
    return sorted(
        Path(where, name)
        for where, _, names in os.walk(ROOT / folder, followlinks=False)
        for name in names
        if name.endswith(".py")
    )


def name_of(path: Path) -> str:
    """Return the dotted name under which the file ``path`` is imported."""
    folder, *parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join([FOLDERS[folder], *(part for part in parts if part != "__init__")])


@cache
def modules() -> dict[str, Path]:
    """Return the file of each module of the package, by its dotted name."""
    return {name_of(path): path for folder in FOLDERS for path in sources(folder)}


def imports(path: Path, *, in_functions: bool, type_checking: bool = False) -> Iterator[str]:
    """Yield the dotted names that a module imports.

    Args:
        path: The module's file.
        in_functions: True for the imports inside functions too.
        type_checking: True for those under ``if TYPE_CHECKING:`` too, which are never run.
    """

    def walk(node: ast.AST) -> Iterator[str]:
        if (
            isinstance(node, ast.If)
            and ast.unparse(node.test).endswith("TYPE_CHECKING")
            and not type_checking
        ):
            children: list[ast.AST] = list(node.orelse)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not in_functions:
            children = []
        else:
            children = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        for child in children:
            yield from walk(child)

    yield from walk(ast.parse(path.read_text(encoding="utf-8")))


@cache
def shown(package: str) -> dict[str, str]:
    """Return what a package's ``__init__`` shows of other modules: the full name of each.

    A name that it shows lazily stands in it under ``if TYPE_CHECKING:``.
    """
    found = imports(modules()[package], in_functions=False, type_checking=True)
    return {name.rpartition(".")[2]: name for name in found if name.startswith("adamcore.")}


def module_of(name: str) -> str:
    """Return the module in which an imported name of this project is defined."""
    while name not in modules():
        package, _, last = name.rpartition(".")
        is_package = package in modules() and modules()[package].name == "__init__.py"
        name = shown(package).get(last, package) if is_package else package
    return name


def package_of(module: str) -> str:
    """Return a module's sub-package as the documentation writes it: ``backends.torch``, or ``adamcore``."""
    path = modules()[module]
    return ".".join(path.parent.relative_to(ROOT).parts)


@cache
def arrows() -> dict[tuple[str, str], list[str]]:
    """Return which sub-package imports which, with the modules that do.

    What a package's ``__init__`` shows of its own sub-packages, what the facade uses of them, and what a
    ``__main__`` runs, is no arrow; nor is a door for old pickles.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for module, path in modules().items():
        source = package_of(module)
        for name in imports(path, in_functions=True):
            if name.partition(".")[0] != "adamcore" or module in DOORS:
                continue
            target = package_of(module_of(name))
            above = module == FACADE or path.name in ("__init__.py", "__main__.py")
            shows = above and target.startswith(f"{source}.")
            if target != source and not shows:
                importers = found.setdefault((source, target), [])
                importers += [module] if module not in importers else []
    return found


def circle(pairs: set[tuple[str, str]]) -> list[str]:
    """Return the packages of a circle of arrows, the first named again at the end; [] if there is none."""
    follow: dict[str, list[str]] = {}
    for source, target in sorted(pairs):
        follow.setdefault(source, []).append(target)
    done: set[str] = set()

    def walk(package: str, way: list[str]) -> list[str]:
        if package in way:
            return [*way[way.index(package) :], package]
        if package in done:
            return []
        for target in follow.get(package, []):
            if found := walk(target, [*way, package]):
                return found
        done.add(package)
        return []

    return next((found for package in sorted(follow) if (found := walk(package, []))), [])

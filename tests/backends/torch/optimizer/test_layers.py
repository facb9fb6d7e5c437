"""The modules of the optimizer depend on each other in one direction."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter

from paths import ROOT

FOLDER = ROOT / "backends" / "torch" / "optimizer"
PACKAGE = "adamcore.backends.torch.optimizer."


def imported(name: str) -> set[str]:
    """The modules of the folder that one of them imports, for its types or inside a function too."""
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module is not None]
    names = {node.module or "" for node in froms}
    names |= {f"{node.module}.{alias.name}" for node in froms for alias in node.names}
    return {n.removeprefix(PACKAGE).partition(".")[0] for n in names if n.startswith(PACKAGE)}


def test_no_circle() -> None:
    names = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    graph = {name: imported(name) & names for name in names}
    assert list(TopologicalSorter(graph).static_order())[-1] == "optimizer"  # raises CycleError on a circle
    assert graph["group_keys"] == set()
    assert graph["param_groups"] == {"group_keys"}
    assert graph["state"] == {"clocks", "group_keys"}

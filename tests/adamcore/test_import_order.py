"""The modules of the core import one another in one direction, types included."""

from __future__ import annotations

from graphlib import TopologicalSorter

import pytest
from import_graph import DOORS, FACADE, imports, module_of, modules
from paths import ROOT

CORE = {
    name: path
    for name, path in modules().items()
    if name.startswith("adamcore.")
    and path.parent in (ROOT / "adamcore", ROOT / "adamcore" / "step")
    and name not in DOORS
}


def imported(name: str) -> set[str]:
    """Return the modules of the core that a module imports, those for type checkers too."""
    names = imports(CORE[name], in_functions=False, type_checking=True)
    return {module_of(name) for name in names if name.startswith("adamcore.")} & CORE.keys()


def order() -> list[str]:
    """Return the core's modules, each after those that it imports; raise on a circle."""
    return list(TopologicalSorter({name: imported(name) for name in CORE}).static_order())


def test_there_is_no_circle() -> None:
    assert set(order()) == CORE.keys()


def test_the_facade_is_above_all_that_a_step_needs() -> None:
    """What Adam's methods run does not import Adam."""
    needed, waiting = set[str](), [FACADE]
    while waiting:
        waiting += (found := imported(waiting.pop()) - needed)
        needed |= found
    assert FACADE not in needed
    assert {"adamcore.config", "adamcore.step.plan", "adamcore.step.reset", "adamcore.definition"} <= needed


@pytest.mark.parametrize(
    ("module", "allowed"),
    [("axes", {"errors"}), ("config", {"axes", "errors"}), ("errors", set()), ("types", set())],
)
def test_the_lowest_modules_need_almost_nothing(module: str, allowed: set[str]) -> None:
    assert imported(f"adamcore.{module}") <= {f"adamcore.{name}" for name in allowed}

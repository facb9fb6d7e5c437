"""Torch optimizers on several processes, as ``adamcore check --ranks`` runs them."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import ranks

from adamcore.conformance.candidates.sharded import CUTS, RESUMED
from adamcore.conformance.settings import LAYOUTS


@pytest.mark.parametrize(("run", "world", "name"), ranks.parameters("sharded_checks"))
def test_runs(run: str, world: int, name: str) -> None:
    ranks.check(run, world, name)


def test_every_layout_has_its_cuts() -> None:
    assert set(CUTS) == set(LAYOUTS)
    for shape in [(), (1,), (4,), (3, 5)]:
        assert all((cut(shape) or 0) < max(len(shape), 1) for cut in (*CUTS.values(), RESUMED))
    assert [CUTS["fsdp"](shape) for shape in [(), (3,), (3, 5)]] == [None, 0, 0]
    assert RESUMED((3, 5)) != CUTS["fsdp"]((3, 5))

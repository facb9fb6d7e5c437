"""Torch optimizers on several processes, as ``adamcore check --ranks`` runs them."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import ranks


@pytest.mark.parametrize(("run", "world", "name"), ranks.parameters("sharded_checks"))
def test_runs(run: str, world: int, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    ranks.check(run, world, name, tmp_path_factory.getbasetemp())

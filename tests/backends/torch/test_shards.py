"""Sharded tensors, on real processes: a step has the bits of a step of the whole tensors."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import ranks


@pytest.mark.parametrize(("run", "world", "name"), ranks.parameters("sharded_steps"))
def test_steps(run: str, world: int, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    ranks.check(run, world, name, tmp_path_factory.getbasetemp())

"""Sharded tensors, on real processes: a step has the bits of a step of the whole tensors."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import ranks


@pytest.mark.parametrize(("world", "module", "name"), ranks.parameters("sharded_steps"))
def test_steps(world: int, module: str, name: str) -> None:
    ranks.check(world, module, name)

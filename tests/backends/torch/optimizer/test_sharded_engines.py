"""FSDP, tensor parallelism, DDP, ZeroRedundancyOptimizer and others, on real processes."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import ranks


@pytest.mark.parametrize(("run", "world", "name"), ranks.parameters("sharded_engines"))
def test_engines(run: str, world: int, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    ranks.check(run, world, name, tmp_path_factory.getbasetemp())

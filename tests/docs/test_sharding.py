"""docs/sharding.md: its examples run on two processes."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import ranks


@pytest.mark.parametrize(("run", "world", "name"), ranks.parameters("sharded_page"))
def test_the_examples_run(run: str, world: int, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    ranks.check(run, world, name, tmp_path_factory.getbasetemp())

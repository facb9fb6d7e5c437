"""Sharded tensors, on real processes: a step has the bits of a step of the whole tensors."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")

import ranks

from adamcore.backends.torch.shards import are_whole


@pytest.mark.parametrize(("run", "world", "name"), ranks.parameters("sharded_steps"))
def test_steps(run: str, world: int, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    ranks.check(run, world, name, tmp_path_factory.getbasetemp())


@pytest.mark.parametrize(("run", "world", "name"), ranks.parameters("sharded_blocks"))
def test_moments_in_8_bits(run: str, world: int, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    ranks.check(run, world, name, tmp_path_factory.getbasetemp())


def test_which_parts_are_made_of_whole_blocks() -> None:
    """17 rows of one block are 9 and 8, as are their scales; of four each, these would be cut otherwise."""
    from torch.distributed.tensor import Replicate, Shard

    def fits(shape: tuple[int, ...], *mesh: int, by: Any = None) -> bool:
        return are_whole(shape, by or (Shard(0),) * len(mesh), mesh, 64)

    assert fits((17, 64), 2)
    assert not fits((17, 256), 2)
    assert fits((16, 256), 2)
    assert fits((5, 3), 1)
    assert not fits((5, 3), 2)
    assert fits((4, 32), 2)
    assert not fits((2, 32), 2)
    assert fits((100,), 1)
    assert not fits((100,), 2)
    assert fits((3, 64), 8)  # five have none
    assert fits((8, 64), 2, 2)
    assert fits((5, 3), 2, 2, by=(Replicate(), Replicate()))
    assert fits((), 2, by=(Replicate(),))

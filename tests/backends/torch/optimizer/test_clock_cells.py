"""Clocks in memory: read, ticked, and known to be where they were."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("llvmlite")

from adamcore.backends.torch.optimizer.clock_cells import Clocks  # noqa: E402


@pytest.mark.parametrize("count", [1, 2, 40])
def test_they_are_read_and_ticked(count: int) -> None:
    tensors = [torch.tensor(3, dtype=torch.int32) for _ in range(count)]
    clocks = Clocks(tensors)
    assert clocks.stay()
    assert list(clocks.read()) == [3]
    clocks.tick()
    assert [int(t) for t in tensors] == [4] * count
    tensors[-1].fill_(9)
    expected = [4] * (count - 1) + [9]
    assert list(clocks.read()) == (expected if count > 1 else [9])
    clocks.tick()
    assert [int(t) for t in tensors] == [t + 1 for t in expected]
    tensors[-1].data = tensors[-1].data.clone()
    assert not clocks.stay()


@pytest.mark.parametrize("count", [1, 40])
def test_they_can_be_read_where_they_were(count: int) -> None:
    """Of clocks that somebody else watches nothing is asked; their old memory stays."""
    tensors = [torch.tensor(3, dtype=torch.int32) for _ in range(count)]
    clocks = Clocks(tensors, watched=True)
    for t in tensors:
        t.data = torch.tensor(5, dtype=torch.int32)
    assert clocks.stay()
    assert list(clocks.read()) == [3]

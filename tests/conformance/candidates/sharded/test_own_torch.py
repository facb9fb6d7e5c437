"""Our backend of PyTorch on processes: arrays are cut and refilled; real processes are in test_torch.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from adamcore.conformance.candidates.sharded.layouts import place_of  # noqa: E402
from adamcore.conformance.candidates.sharded.own_torch import TorchOnRanks  # noqa: E402


def second_of_two() -> Any:
    """Return a stand-in for the group of two processes, this one the second."""
    return SimpleNamespace(
        layout="fsdp",
        has_shards=True,
        named=lambda device: f"{device}, 2 ranks (fsdp)",
        here=lambda shape, cuts: place_of(shape, cuts, (2,), 1),
        distributed=lambda part, shape, cuts: part,
    )


def test_arrays_are_cut() -> None:
    library = TorchOnRanks("cpu", second_of_two())
    assert library.device == "cpu, 2 ranks (fsdp)"
    whole = np.arange(15.0).reshape(3, 5)
    here = library.array(whole)
    assert here.tolist() == whole[2:].tolist()
    assert library.elsewhere().array(whole).tolist() == whole[:, 3:].tolist()
    assert library.array(np.array(3)).shape == ()
    library.refill(here, -whole)
    assert here.tolist() == (-whole[2:]).tolist()


def test_parts_lie_in_memory_as_the_whole() -> None:
    library = TorchOnRanks("cpu", second_of_two())
    wide = np.zeros((4, 6))[:, ::2]
    assert library.array(wide).stride() == (6, 2)
    assert library.elsewhere().array(np.zeros((4, 4))).stride() == (2, 1)

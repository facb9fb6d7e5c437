"""Sparse and complex gradients of a torch optimizer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from replay import Record
from torch_runs import advance, parameters, values

import adamcore
from adamcore.backends.torch import Adam, AdamW


def sparse_gradient(t: int, shape: tuple[int, ...] = (6, 2)) -> tuple[torch.Tensor, np.ndarray]:
    """Uncoalesced, with a row twice; and the mask of the rows it lists."""
    generator = torch.Generator().manual_seed(t)
    rows = torch.randint(0, 6, (3,), generator=generator)
    rows = torch.cat([rows, rows[:1]]) if t != 3 else rows[:0]
    listed = torch.randn((len(rows), 2), generator=generator, dtype=torch.float64)
    mask = np.zeros((6, 1), dtype=bool)
    mask[rows.numpy()] = True
    return torch.sparse_coo_tensor(rows[None], listed, shape, check_invariants=True), mask


@pytest.mark.parametrize("who", ["ours", "theirs"])
def test_lazy_rows(who: str) -> None:
    """What is not listed stands still while the clock ticks, as in torch.optim.SparseAdam."""
    (p,) = parameters((6, 2), dtype=torch.float64)
    optimizer: Any = torch.optim.SparseAdam([p], lr=0.05)
    if who == "ours":
        optimizer = Adam([p], lr=0.05, dialect="torch.SparseAdam", sparse="lazy")
    record = Record(values([p]))
    for t in range(8):
        p.grad, mask = sparse_gradient(t)
        optimizer.step()
        record.add([p.grad.to_dense().numpy()], values([p]), present=[mask])
    assert optimizer.state_dict()["state"][0]["step"] == 8
    result = record.judge(adamcore.Adam.like("torch.SparseAdam", lr=0.05))
    assert result.status == "passed", result


def test_dense_rules_for_sparse_gradients() -> None:
    """By default a sparse gradient is the dense one it stands for; torch.optim.Adam refuses it."""
    (p,) = parameters((6, 2), dtype=torch.float64)
    optimizer = AdamW([p], lr=0.05)
    record = Record(values([p]))
    for t in range(8):
        p.grad, _ = sparse_gradient(t)
        optimizer.step()
        record.add([p.grad.to_dense().numpy()], values([p]))
    assert record.judge(adamcore.Adam.like("torch.AdamW", lr=0.05)).status == "passed"
    with pytest.raises(RuntimeError, match="sparse"):
        torch.optim.AdamW([p]).step()


@pytest.mark.parametrize("who", [Adam, torch.optim.Adam])
def test_complex_within_the_bound(who: Any) -> None:
    params = parameters((3,), (2, 2), dtype=torch.complex64)
    record = Record(values(params))
    advance(who(params, lr=0.05, weight_decay=0.1), params, range(8), record)
    result = record.judge(adamcore.Adam(lr=0.05, weight_decay=0.1))
    assert result.status == "passed", result

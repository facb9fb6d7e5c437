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


@pytest.mark.parametrize("kind", ["dense", "lazy"])
@pytest.mark.parametrize("norm", [None, 4.0])
def test_rows_of_16_bits_are_added_up_in_float32(kind: Any, norm: float | None) -> None:
    """1024 times 1/128 is 8, of which a sum in bfloat16 reaches 2."""
    p = torch.nn.Parameter(torch.ones(3, 1, dtype=torch.bfloat16))
    indices = torch.ones(1, 1024, dtype=torch.int64)
    listed = torch.full((1024, 1), 2.0**-7, dtype=torch.bfloat16)
    p.grad = torch.sparse_coo_tensor(indices, listed, (3, 1), check_invariants=True)
    clip = None if norm is None else adamcore.Clip(global_norm=norm)
    optimizer = Adam([p], betas=(0.5, 0.5), sparse=kind, clip=clip)
    optimizer.step()
    assert optimizer.state[p]["exp_avg"].flatten().tolist() == [0, 4.0 if norm is None else 2.0, 0]


@pytest.mark.parametrize("kind", ["dense", "lazy"])
def test_a_recorded_step_keeps_the_other_rows_and_has_its_derivative(kind: Any) -> None:
    """With betas of 0 and eps 1 an element moves by lr * g/(|g| + 1), whose derivative is that of lr too."""
    lr = torch.tensor(0.5, requires_grad=True)
    leaf = torch.zeros(3, 2, requires_grad=True)
    p = leaf * 1.0
    optimizer = Adam([p], lr=lr, betas=(0.0, 0.0), eps=1.0, differentiable=True, sparse=kind)
    for _ in range(2):
        indices, listed = torch.tensor([[0, 2]]), torch.tensor([[1.0, 3.0], [1.0, 1.0]])
        p.grad = torch.sparse_coo_tensor(indices, listed, (3, 2), check_invariants=True)
        optimizer.step()
    assert optimizer.state[p]["exp_avg"].tolist() == [[1, 3], [0, 0], [1, 1]]
    torch.testing.assert_close(p.detach(), torch.tensor([[-0.5, -0.75], [0, 0], [-0.5, -0.5]]))
    slope, kept = torch.autograd.grad(p.sum(), [lr, leaf])
    torch.testing.assert_close(slope, torch.tensor(-4.5))
    assert kept.tolist() == [[1, 1]] * 3


@pytest.mark.parametrize("kind", ["dense", "lazy"])
def test_a_gradient_may_be_sparse_in_several_dimensions(kind: Any) -> None:
    p = torch.nn.Parameter(torch.zeros(2, 3, 2))
    indices, listed = torch.tensor([[0, 1, 1], [2, 0, 0]]), torch.tensor([[1.0, 2], [3, 4], [3, 4]])
    p.grad = torch.sparse_coo_tensor(indices, listed, (2, 3, 2), check_invariants=True)
    optimizer = Adam([p], betas=(0.5, 0.5), sparse=kind)
    optimizer.step()
    torch.testing.assert_close(2 * optimizer.state[p]["exp_avg"], p.grad.to_dense())


@pytest.mark.parametrize("kind", ["dense", "lazy"])
def test_a_loss_scale_is_divided_out_in_float32(kind: Any) -> None:
    """In float16 the quotient would be 0."""
    p = torch.nn.Parameter(torch.ones(2, 1, dtype=torch.float16))
    listed = torch.full((1, 1), 2.0**-10, dtype=torch.float16)
    p.grad = torch.sparse_coo_tensor(torch.tensor([[1]]), listed, (2, 1), check_invariants=True)
    optimizer: Any = Adam([p], betas=(0.5, 0.5), fused=True, sparse=kind, moment_dtype="float32")
    optimizer.grad_scale = torch.tensor(2.0**16)
    optimizer.step()
    assert optimizer.state[p]["exp_avg"].flatten().tolist() == [0, 2.0**-27]

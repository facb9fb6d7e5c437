"""Rows of PyTorch's tensors."""

from __future__ import annotations

import torch

from adamcore.backends.torch.rows import ROWS


def test_sums() -> None:
    values = torch.tensor([[1.0], [2.0], [4.0]], dtype=torch.float16)
    rows, sums = ROWS.sums(torch.tensor([3, 0, 3], dtype=torch.int32), values, 5, torch.float32)
    assert rows.tolist() == [0, 3]
    assert (sums.tolist(), sums.dtype) == ([[2.0], [5.0]], torch.float32)
    assert ROWS.reach(torch.tensor([3, 0])) == (0, 3)
    assert ROWS.reach(torch.tensor([], dtype=torch.int64)) is None


def test_put() -> None:
    x = torch.zeros(3, requires_grad=True)
    new = ROWS.put(x, torch.tensor([1]), torch.tensor([2.0]), False)
    assert new.tolist() == [0, 2, 0]
    assert new.requires_grad
    assert not x.detach().any()
    version = x._version
    assert ROWS.put(x, torch.tensor([1]), torch.tensor([2.0]).double(), True) is x
    assert x._version > version


def test_listed() -> None:
    assert ROWS.listed(torch.tensor([1]), torch.zeros(2, 3)).tolist() == [[False], [True]]

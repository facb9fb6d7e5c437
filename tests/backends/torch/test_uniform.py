"""Whether many tensors are alike: one that differs in any respect is found."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch_others import OTHERS

from adamcore.backends.torch.uniform import uniform, vectors


def columns() -> list[list[Any]]:
    return [[torch.ones(3, 2) for _ in range(20)] for _ in range(3)]


@pytest.mark.parametrize("at", [0, 19])
@pytest.mark.parametrize("column", [0, 1, 2])
@pytest.mark.parametrize("what", OTHERS)
def test_a_tensor_that_differs_is_found(what: str, column: int, at: int) -> None:
    changed = columns()
    assert uniform(changed)
    changed[column][at] = OTHERS[what]()
    assert not uniform(changed)


def test_parameters_and_gradients_are_alike() -> None:
    params = [torch.nn.Parameter(x) for x in columns()[0]]
    assert uniform([params, columns()[1]])


def test_conjugates_are_found() -> None:
    xs = [torch.ones(2, dtype=torch.complex64) for _ in range(5)]
    assert vectors(xs, torch.complex64)
    assert not vectors([*xs, xs[0].conj()], torch.complex64)


@pytest.mark.parametrize("transform", ["grad", "vmap", "functionalize"])
def test_tensors_of_a_transformation_are_found(transform: str) -> None:
    found = []

    def look(x: torch.Tensor) -> torch.Tensor:
        found.append(vectors([x] * 3, torch.float32))
        return x.sum()

    getattr(torch.func, transform)(look)(torch.ones(4, 2) if transform == "vmap" else torch.ones(4))
    assert found == [False]

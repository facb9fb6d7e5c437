"""Whether many tensors are alike, asked of each by functions in C that no loop of Python's stands between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from adamcore.types import Array, DType

PLAIN = {torch.Tensor, torch.nn.Parameter}

_tensor: Any = torch.Tensor
DTYPE, SHAPE, LAYOUT, ON_CPU = (
    getattr(_tensor, name).__get__ for name in ("dtype", "shape", "layout", "is_cpu")
)


def wrapped(x: Array) -> bool:
    """True if a tensor stands for another one and has no memory itself: of torch.func, or functional."""
    return torch._C._functorch.is_functorch_wrapped_tensor(x) or torch._is_functional_tensor(x)


def uniform(columns: Sequence[Sequence[Array]]) -> bool:
    """True if all are plain vectors on the CPU of one dtype, and those at one place have one shape.

    >>> ones, more = ([torch.ones(3) for _ in range(100)] for _ in "ab")
    >>> uniform([ones, more]), uniform([ones, more[:-1] + [torch.ones(4)]])
    (True, False)
    """
    if type(columns[0][0]) not in PLAIN:
        return False
    dtype = columns[0][0].dtype
    if not all(vectors(xs, dtype) for xs in columns):
        return False
    shapes = list(map(SHAPE, columns[0]))
    return all(list(map(SHAPE, xs)) == shapes for xs in columns[1:])


def vectors(xs: Sequence[Array], dtype: DType) -> bool:
    """True if all are plain tensors of this dtype on the CPU, contiguous and without a pending operation."""
    if not {*map(type, xs)} <= PLAIN or {*map(LAYOUT, xs)} != {torch.strided} or not all(map(ON_CPU, xs)):
        return False
    try:
        if not all(map(torch.Tensor.data_ptr, xs)):  # without elements, or functional
            return False
    except RuntimeError:  # without memory of its own, as torch.func wraps tensors
        return False
    return {*map(DTYPE, xs)} == {dtype} and as_they_lie(xs)


def as_they_lie(xs: Sequence[Array]) -> bool:
    """True if what lies in memory is each tensor, contiguous, with no negation or conjugation pending."""
    return (
        all(map(torch.Tensor.is_contiguous, xs))
        and not any(map(torch.Tensor.is_neg, xs))
        and not (xs[0].dtype.is_complex and any(map(torch.Tensor.is_conj, xs)))
    )

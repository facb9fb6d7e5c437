"""Elements and arrays that are left out, or that get each other's gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from adamcore.conformance.faults import _inputs
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.rules import NOTHING
from adamcore.conformance.types import FloatArray, Probe

Choice = Callable[[int, int, tuple[int, ...]], Any]  #: of (index of the array, its size, its shape)


def chosen(choice: Choice, steps: _inputs.Steps, probe: Probe) -> _inputs.Steps:
    """Return steps that move only the elements that ``choice`` marks."""

    def mask(i: int, p: FloatArray, g: FloatArray | None) -> Any:
        marks = np.broadcast_to(choice(i, p.size, p.shape), (p.size,)).reshape(p.shape)
        return False if g is None else marks if p.ndim else bool(marks)

    return tuple(
        replace(
            step,
            present=tuple(
                mask(i, p, g) for i, (p, g) in enumerate(zip(probe.params, step.grads, strict=True))
            ),
        )
        for step in steps
    )


def whole_vectors(width: int, i: int, size: int, shape: tuple[int, ...]) -> Any:
    """Mark all but the last ``size % width`` elements."""
    return np.arange(size) < size - size % width


def whole_vectors_if_any(width: int, i: int, size: int, shape: tuple[int, ...]) -> Any:
    """Mark the same in arrays of more than ``width`` elements, and all elements of shorter ones."""
    return np.arange(size) < (size - size % width if size > width else size)


def first_elements(most: int, i: int, size: int, shape: tuple[int, ...]) -> Any:
    return np.arange(size) < most


def first_arrays(most: int, i: int, size: int, shape: tuple[int, ...]) -> Any:
    return i < most


LEFT: dict[str, Choice] = {
    NOTHING: lambda i, size, shape: False,
    "0-d arrays do not move": lambda i, size, shape: len(shape) > 0,
    "arrays of one element do not move": lambda i, size, shape: size != 1,
    "the last element does not move": lambda i, size, shape: np.arange(size) < size - 1,
    "the last element of several does not move": lambda i, size, shape: np.arange(size) < max(size - 1, 1),
    "the first element does not move": lambda i, size, shape: np.arange(size) > 0,
    "of a matrix the first row alone moves":
        lambda i, size, shape: np.arange(size) < (shape[-1] if len(shape) > 1 else size),
    "of a matrix the last row does not move":
        lambda i, size, shape: np.arange(size) < (size - shape[-1] if len(shape) > 1 else size),
    "matrices do not move": lambda i, size, shape: len(shape) < 2,
    "only matrices move": lambda i, size, shape: len(shape) >= 2,
    "only the first element moves": lambda i, size, shape: np.arange(size) < 1,
    "every other element does not move": lambda i, size, shape: np.arange(size) % 2 == 0,
}  # fmt: skip
"""What does not move, in the words of a finding."""


def transposed(g: FloatArray, probe: Probe) -> FloatArray:
    """Return the transposed gradient in the shape of the gradient."""
    return np.ascontiguousarray(g.T).reshape(g.shape)


def in_memory_order(g: FloatArray, probe: Probe) -> FloatArray:
    """Return an array in Fortran order as it is read in C order."""
    return g.ravel(order="F").reshape(g.shape) if probe.layout == "F" else g


def from_base(g: FloatArray, probe: Probe) -> FloatArray:
    """Return a view as it is read from the start of its base."""
    if probe.layout == "offset":
        return without_offset(g, probe)
    if probe.layout == "reversed":
        return forwards(g, probe)
    if probe.layout != "strided" or not g.ndim:
        return g
    base = np.zeros((*g.shape[:-1], 2 * g.shape[-1]), g.dtype)
    base[..., ::2] = g
    return base.ravel()[: g.size].reshape(g.shape)


def without_offset(g: FloatArray, probe: Probe) -> FloatArray:
    """Return an array that begins inside its memory as it is read from the beginning."""
    return np.concatenate([[0.0], g.ravel()[:-1]]).reshape(g.shape) if probe.layout == "offset" else g


def forwards(g: FloatArray, probe: Probe) -> FloatArray:
    """Return an array that lies backwards in memory as it is read forwards."""
    return g.ravel()[::-1].reshape(g.shape) if probe.layout == "reversed" else g


def pairs_exchanged(over: int, g: FloatArray, probe: Probe) -> FloatArray:
    """Exchange neighbours among the first elements of arrays of more than ``over`` elements."""
    if g.size <= over:
        return g
    flat, even = g.ravel().copy(), (over or g.size) // 2 * 2
    flat[:even:2], flat[1:even:2] = flat[1:even:2].copy(), flat[:even:2].copy()
    return flat.reshape(g.shape)


def stale_tail(width: int, g: FloatArray, probe: Probe) -> FloatArray:
    """Give the elements beyond the last whole vector the gradients of the first ones."""
    flat, whole = g.ravel(), g.size // width * width
    if not 0 < whole < g.size:
        return g
    return np.concatenate([flat[:whole], flat[: g.size - whole]]).reshape(g.shape)


def first_block(size: int, g: FloatArray, probe: Probe) -> FloatArray:
    """Give each block the gradient of the first block."""
    return np.resize(g.ravel()[:size], g.shape) if g.size > size else g


def backwards(g: FloatArray, probe: Probe) -> FloatArray:
    return g.ravel()[::-1].reshape(g.shape)


MIXED: dict[str, Callable[[FloatArray, Probe], FloatArray]] = {
    "a matrix gets its gradient transposed": transposed,
    "Fortran order is read as C": in_memory_order,
    "a strided gradient is read from the start of its base": from_base,
    "a gradient that begins inside its memory is read from the beginning": without_offset,
    "a gradient that lies backwards in memory is read forwards": forwards,
    "neighbouring elements are exchanged in arrays of more than 16": partial(pairs_exchanged, 16),
    "neighbouring elements are exchanged": partial(pairs_exchanged, 0),
    "gradients are read backwards": backwards,
    **{
        f"elements beyond the last whole vector of {width} get the first ones' gradients":
            partial(stale_tail, width)
        for width in (4, 8, 16, 32)
    },
    **{
        f"beyond {size} elements each block gets the first block's gradient": partial(first_block, size)
        for size in (128, 256, 512, 1024, 32, 65536)
    },
}  # fmt: skip
"""Which gradients are in the wrong place, in the words of a finding."""


def faults() -> Iterator[Fault]:
    def left(name: str, says: str, choice: Choice) -> Fault:
        return Fault(name, "layout", "NUM.5", says, **_inputs.on_steps(partial(chosen, choice)))

    for says, choice in LEFT.items():
        yield left(says, says, choice)
    for width in (2, 4, 8, 16, 32):
        beyond = f"elements beyond the last whole vector of {width} do not move"
        yield left(f"tail-of-{width}", beyond, partial(whole_vectors, width))
        yield left(
            f"tail-of-{width}-if-any", f"{beyond}, where there is one", partial(whole_vectors_if_any, width)
        )
    for most in (32, 64, 128, 256, 1024, 4, 8, 16):
        yield left(f"first-{most}", f"only the first {most} elements move", partial(first_elements, most))
    for most in (8, 1, 2, 4, 16, 24, 30, 32):
        yield left(f"first-{most}-arrays", f"only the first {most} arrays move", partial(first_arrays, most))
    for says, change in MIXED.items():
        yield Fault(says, "layout", "NUM.5", says, **_inputs.on_steps(partial(mixed, change)))


def mixed(
    change: Callable[[FloatArray, Probe], FloatArray], steps: _inputs.Steps, probe: Probe
) -> _inputs.Steps:
    return _inputs.each_gradient(lambda g: change(g, probe), steps, probe)


LAYOUT = tuple(faults())

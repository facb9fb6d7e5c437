"""Which leaves of a packed state take part in a step, and whether one call can step them all."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np

from adamcore.backends.jax import ffi, jit_program
from adamcore.backends.jax.backend import backend
from adamcore.backends.jax.packed.tree import Layout, Packed
from adamcore.backends.kernels.formats import Format
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients
from adamcore.dtypes import DtypeTable
from adamcore.jobs import Job
from adamcore.state import AdamState
from adamcore.types import Array, DType, Tree

LARGEST = 2**31 - 1  #: elements of a vector in which a place is a number of 32 bits


class Leaves(NamedTuple):
    """The parameters and gradients of a step, and which of them take part."""

    ps: list[Any]
    gs: list[Any]
    moving: tuple[int, ...] | None  #: the numbers of the leaves that take part; None if all do

    @property
    def indices(self) -> Sequence[int]:
        """The numbers of the leaves that take part."""
        return range(len(self.ps)) if self.moving is None else self.moving

    def clocks(self, layout: Layout) -> list[int]:
        """Return where their clocks are in the vector of all clocks, which has none for a leaf of None."""
        there = np.cumsum([shape is not None for shape in layout.shapes]) - 1
        return [int(there[i]) for i in self.indices]

    def those(self, leaves: list[Any]) -> list[Any]:
        """Return those of a list of leaves that take part."""
        return leaves if self.moving is None else [leaves[i] for i in self.moving]

    def replaced(self, new: list[Any]) -> list[Any]:
        """Return all parameters, with new ones of those that take part."""
        if self.moving is None:
            return new
        ps = list(self.ps)
        for i, p in zip(self.moving, new, strict=True):
            ps[i] = p
        return ps


def leaves_of(adam: AdamConfig, params: Tree, grads: Tree, layout: Layout) -> Leaves | None:
    """Return the leaves of a step; None if a leaf neither takes part as a whole nor stands still."""
    try:
        ps, gs = (layout.structure.flatten_up_to(tree) for tree in (params, grads))
    except ValueError:
        return None
    if type(None) not in {*map(type, gs)}:
        return Leaves(ps, gs, None) if layout.whole else None
    moving = tuple(i for i, g in enumerate(gs) if g is not None)
    for i in set(range(len(ps))).difference(moving):
        p, shape = ps[i], layout.shapes[i]
        if p is None and shape is None:
            continue
        if adam.missing != "skip" or not isinstance(p, jax.Array) or p.shape != shape:
            return None
    return Leaves(ps, gs, moving) if moving else None


def vectors_of(adam: AdamConfig, state: AdamState) -> dict[str, Array] | None:
    """Return the vectors of a packed state, by the names of its fields; None if one call can't step them."""
    found: dict[str, Packed] = {
        name: x for name, x in zip(AdamState._fields, state, strict=True) if x is not None
    }
    names = ("t", "m", "v") if adam.amsgrad == "none" else ("t", "m", "v", "v_max")
    if tuple(found) != names or not alike(adam, *(x.layout for x in found.values())):
        return None
    return {name: x.vectors[0] for name, x in found.items()}


@lru_cache(maxsize=256)
def alike(adam: AdamConfig, clocks: Layout, *moments: Layout) -> bool:
    """True if clocks and moments lie where one call expects them, all moments in the same way."""
    m = moments[0]
    if not all(len(layout.sizes) == 1 and layout.key[:2] == m.key[:2] for layout in moments):
        return False
    if max(m.sizes.values()) > LARGEST:
        return False
    if list(clocks.sizes) != ["int32"]:
        return False
    if adam.clock == "global":
        return clocks.shapes == ((),)
    return clocks.structure == m.structure and all(
        (a is None) == (b is None) and a in (None, ()) for a, b in zip(clocks.shapes, m.shapes, strict=True)
    )


@lru_cache(maxsize=256)
def format_of(adam: AdamConfig, p: DType, m: DType, v: DType) -> Format | None:
    """Return the dtypes of machine code for parameters and moments of these dtypes; None if it can't be."""
    like, *moments = (jax.ShapeDtypeStruct((), dtype) for dtype in (p, m, v))
    formats = DtypeTable(adam, backend).of(like)
    if not formats.plain or (formats.m, formats.v) != (m, v):
        return None
    none: Any = Coefficients._make([None] * len(Coefficients._fields))
    job = Job(like, like, moments[0], moments[1], None, none, None, formats)
    return ffi.format_of(job) if jit_program.unsupported_traced(job) is None else None

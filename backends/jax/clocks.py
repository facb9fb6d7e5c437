"""Many clocks that only the program knows, ticked as one vector.

The coefficients of one clock are a hundred operations (rule NUM.4).  A program that has them once for each
leaf takes four times as long to compile as the rest of the step.  So they are formed once, on the vector of
all clocks, and each leaf takes its own elements.  The tick itself, one addition, is each clock's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from adamcore.definition import Coefficients
from adamcore.types import Array, Clock

MANY = 8  #: clocks from which one vector for all pays


def tick_each(
    ts: Sequence[Clock], successor: Callable[[Array], Array], coefficients: Callable[[Array], Coefficients]
) -> list[tuple[Clock, Coefficients]] | None:
    """Return the clocks after their tick, and the coefficients of each; None if one by one is as well.

    Args:
        ts: 0-d arrays.
        successor: returns a clock after its tick.
        coefficients: returns those of a clock after its tick, or vectors of them for a vector of clocks.
    """
    if len(ts) < MANY or not all(isinstance(t, jax.core.Tracer) for t in ts):
        return None
    if any(jax.typeof(t) != jax.typeof(ts[0]) for t in ts):  # such as others over the devices of a mesh
        return None
    alone = jax.jit(successor)  # sooner compiled than an element of a vector of clocks
    ticked = [alone(t) for t in ts]
    # what reads a clock before its tick would have XLA copy it first, if the next takes its memory
    vector = jnp.stack(ticked)
    c = coefficients(vector)
    own = [getattr(x, "shape", ()) == vector.shape for x in c]  # the other coefficients are for all clocks
    vectors = [x for x, varies in zip(c, own, strict=True) if varies]
    rows: Any = repeat(())
    if vectors:
        rows = by_array(vectors, ticked[0]) if jax.default_backend() == "cpu" else by_slice(vectors)
    found = []
    for t, mine in zip(ticked, rows, strict=False):
        rest = iter(mine)
        row = Coefficients(*(next(rest) if varies else x for x, varies in zip(c, own, strict=True)))
        found.append((t, row))
    return found


def by_slice(vectors: Sequence[Array]) -> list[list[Any]]:
    """Return the elements of some vectors, those of one place together."""
    return [[x[k] for x in vectors] for k in range(vectors[0].shape[0])]


def by_array(vectors: Sequence[Array], clock: Array) -> list[list[Any]]:
    """Return what :func:`by_slice` does, in a form that XLA compiles sooner on the CPU.

    There XLA compiles kernels that are alike once.  A place that stands in a kernel as a number makes it
    unlike the next leaf's.  Here it stands in an array, and the kernel is given the array.

    Args:
        vectors: vectors of one length.
        clock: a number >= 0 that only the program knows.
    """
    zero = jnp.minimum(clock, 0)  # as XLA does not know, so that the array stays an array
    return [elements(vectors, np.array([k, -1], np.int32), zero) for k in range(vectors[0].shape[0])]


@jax.jit  # traced once, for all places
def elements(vectors: Sequence[Array], place: Array, zero: Array) -> list[Any]:
    """Return the elements of some vectors at the place that is the first element of an array.

    Args:
        zero: the number 0, which only the program knows.
    """
    at = element(place, zero)
    return [element(x, at) for x in vectors]


def element(x: Any, place: Array) -> Array:
    """Return the element of a vector at a place that the program knows."""
    return jax.lax.dynamic_slice(x, (place,), (1,), allow_negative_indices=False).reshape(())

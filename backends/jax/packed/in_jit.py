"""A step of a packed state in the caller's program, by machine code under ``native()``.

Clocks tick and coefficients are formed as vectors, without an operation for each leaf.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from adamcore.backends.jax.backend import backend
from adamcore.backends.jax.in_jit import Implementation, axes_of, leaf, with_rules
from adamcore.backends.jax.packed.call import Call, in_chunks, packed_call
from adamcore.backends.jax.packed.leaves import Leaves, format_of, leaves_of, vectors_of
from adamcore.backends.jax.packed.tree import Layout, Packed
from adamcore.backends.kernels.body import inputs_of, outputs_of
from adamcore.backends.kernels.formats import Format
from adamcore.clock import Ticker
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients, coefficients
from adamcore.state import AdamState
from adamcore.tracing import Program
from adamcore.tracing import program as program_of
from adamcore.types import Array, Tree


def step(
    adam: AdamConfig, params: Tree, grads: Tree, state: AdamState, lr: Any
) -> tuple[Tree, AdamState] | None:
    """Carry out the step as part of the program that is traced; None if machine code does not serve it."""
    layout, vectors = state.m.layout, vectors_of(adam, state)
    leaves = None if vectors is None else leaves_of(adam, params, grads, layout)
    lr = adam.lr if lr is None else lr
    if vectors is None or leaves is None or not fits(leaves, layout):
        return None
    ps, gs, t = leaves.those(leaves.ps), leaves.those(leaves.gs), vectors.pop("t")
    dtypes = format_of(adam, ps[0].dtype, vectors["m"].dtype, vectors["v"].dtype)
    of_shard_map = any(map(axes_of, [*ps, *gs, t, *vectors.values()]))
    if dtypes is None or of_shard_map or not isinstance(t, jax.core.Tracer):
        return None
    n, ticker = backend.numbers(ps[0]), Ticker(adam, backend, lr)
    ticked = n.successor(t)

    def rate(t: Array | None = None) -> Any:
        return n.number(ticker.read_lr(lr if t is None else lr(t)))

    c = coefficients(n, ticker.adam, ticked, jax.vmap(rate)(ticked) if callable(lr) else rate())
    program = program_of(adam, c)
    rows = table(program, dtypes, c, len(t))
    if leaves.moving is not None and len(t) > 1:
        own = np.array(leaves.clocks(layout))
        rows, ticked = rows[own], t.at[own].set(ticked[own])
    call = call_with_rules(program, dtypes)
    new, made = in_chunks(call, leaves.indices, layout, ps, gs, vectors, rows)
    fields = {name: Packed([x], getattr(state, name).layout) for name, x in {**made, "t": ticked}.items()}
    return layout.structure.unflatten(leaves.replaced(new)), state._replace(**fields)


def fits(leaves: Leaves, layout: Layout) -> bool:
    """True if the leaves that take part are of one dtype and of the shapes of the state."""
    arrays = [(x, layout.shapes[i]) for i in leaves.indices for x in (leaves.ps[i], leaves.gs[i])]
    if not all(isinstance(x, jax.Array) and x.shape == shape for x, shape in arrays):
        return False
    return len({str(x.dtype) for x, _ in arrays}) == 1


def table(program: Program, dtypes: Format, c: Coefficients, count: int) -> Array:
    """Return the coefficients that a program takes, a row for each of so many clocks.

    Args:
        c: vectors with an element for each clock, and numbers for all.
    """
    columns = [jnp.broadcast_to(jnp.asarray(x, dtypes.work), (count,)) for x in program.used(c)]
    return jnp.stack(columns, axis=1)


def call_with_rules(program: Program, dtypes: Format) -> Call:
    """Return :func:`packed_call` with rules for other platforms, ``vmap`` and differentiation."""
    read, written = inputs_of(program, dtypes)[2:], outputs_of(program, dtypes)[1:]

    def apply(
        ps: Sequence[Any], gs: Sequence[Any], vectors: dict[str, Any], rows: Any, places: Sequence[int]
    ) -> tuple[list[Any], dict[str, Any]]:
        step = implementation(program, dtypes, places)
        made = step([*ps, *gs, *(vectors[name] for name in read)], rows, None)
        return made[: len(ps)], vectors | dict(zip(written, made[len(ps) :], strict=True))

    return apply


def implementation(program: Program, dtypes: Format, places: Sequence[int]) -> Implementation:
    """Return a program on all p, all g and the vectors; it returns the new p and the new vectors.

    Args:
        places: for each p the element of every vector with which its part begins.
    """
    call, n = packed_call(program, dtypes), len(places)
    read, written = inputs_of(program, dtypes)[2:], outputs_of(program, dtypes)[1:]

    def machine(arrays: list[Any], rows: Any, keys: Any) -> list[Any]:
        vectors = dict(zip(read, arrays[2 * n :], strict=True))
        new, made = call(arrays[:n], arrays[n : 2 * n], vectors, rows, places)
        return [*new, *(made[name] for name in written)]

    def by_leaf(arrays: list[Any], rows: Any, keys: Any) -> list[Any]:
        ps, vectors = [], dict(zip(read, arrays[2 * n :], strict=True))
        for j, (p, g, place) in enumerate(zip(arrays[:n], arrays[n : 2 * n], places, strict=True)):
            p, vectors = packed_leaf(program, dtypes, p, g, vectors, rows, j if len(rows) > 1 else 0, place)
            ps.append(p)
        return [*ps, *(vectors[name] for name in written)]

    return with_rules(machine, by_leaf)


@partial(jax.jit, static_argnums=(0, 1))  # traced once for leaves that are alike
def packed_leaf(
    program: Program,
    dtypes: Format,
    p: Array,
    g: Array,
    vectors: dict[str, Array],
    rows: Array,
    row: Array,
    place: Array,
) -> tuple[Array, dict[str, Array]]:
    """Return a parameter after its step, and the vectors.

    Args:
        row, place: the number of its row, and the element with which its part of each vector begins.
    """
    read, written = inputs_of(program, dtypes)[2:], outputs_of(program, dtypes)[1:]
    parts = [jax.lax.dynamic_slice(vectors[name], (place,), (p.size,)).reshape(p.shape) for name in read]
    new, *moments = leaf(program, dtypes, [p, g, *parts], rows[row], None)
    made = {
        name: jax.lax.dynamic_update_slice(vectors[name], x.reshape(-1), (place,))
        for name, x in zip(written, moments, strict=True)
    }
    return new, vectors | made

"""The machine code inside the caller's own program, where it is asked for.

Within :func:`native` a step that is traced calls the handler of :mod:`adamcore.backends.jax.ffi` in the
program that is being made: one pass over memory on the CPU, where XLA makes three of the definition.  It is
not the default, since XLA cannot look into it: arrays that are spread over several devices are gathered
first.  On other platforms, under ``vmap`` and under differentiation, XLA carries out the same program,
operation by operation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, partial
from operator import add, mul, neg, sub, truediv
from typing import Any

import jax
import jax.numpy as jnp

from adamcore.backends.base import Fallback
from adamcore.backends.jax import ffi
from adamcore.backends.jax.jit_program import NO_CLOCKS, chunks, unsupported_traced
from adamcore.backends.jax.words import WORDS
from adamcore.backends.kernels.body import inputs_of, outputs_of
from adamcore.backends.kernels.formats import Format
from adamcore.backends.kernels.memory import arrays_of
from adamcore.config import AdamConfig
from adamcore.jobs import Job, Result
from adamcore.storage.moments import decode, encode
from adamcore.storage.policies import load, store
from adamcore.storage.random_bits import Key, LeafKey, at_random
from adamcore.tracing import Program, evaluate
from adamcore.tracing import program as program_of

_on: ContextVar[bool] = ContextVar("adamcore_jax_native", default=False)
#: from all p, all g, ..., rows of coefficients, and the words of which random bits are made, or None
Implementation = Callable[[list[Any], Any, Any], list[Any]]
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": add, "sub": sub, "mul": mul, "div": truediv, "neg": neg,
    "sqrt": jnp.sqrt, "maximum": jnp.maximum, "sign": jnp.sign,
}  # fmt: skip


@contextmanager
def native() -> Iterator[None]:
    """Let steps that are traced within call machine code on the CPU, in the caller's program.

    Enter it around the tracing: inside the function that is given to ``jax.jit``, or around its first
    call.  Without llvmlite, and for what machine code does not serve (complex dtypes, float8 and masks), it
    changes nothing.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from adamcore import Adam
        >>> adam = Adam(lr=0.5)
        >>> def step(params, grads, state):
        ...     with native():
        ...         return adam.step(params, grads, state)
        >>> params = jnp.ones(3)
        >>> params, state = jax.jit(step, donate_argnums=(0, 2))(params, jnp.ones(3), adam.init(params))
        >>> params
        Array([0.5, 0.5, 0.5], dtype=float32)
    """
    before = _on.set(True)
    try:
        yield
    finally:
        _on.reset(before)


def is_on() -> bool:
    """True if :func:`native` was asked for."""
    return _on.get()


def serves(jobs: Sequence[Job]) -> bool:
    """True if it was asked for, and these jobs are traced."""
    return is_on() and any(
        isinstance(x, jax.core.Tracer) for job in jobs for x in (*arrays_of(job), *job.coefficients)
    )


def step(adam: AdamConfig, jobs: Sequence[Job], fallback: Fallback) -> list[Result]:
    """Carry out jobs as part of the program that is traced."""
    results: list[Any] = [None] * len(jobs)
    groups: dict[tuple[Program, Format], list[int]] = {}
    for i, job in enumerate(jobs):
        dtypes = ffi.format_of(job) if unsupported_traced(job) is None else None
        if dtypes is not None:
            groups.setdefault((program_of(adam, job.coefficients), dtypes), []).append(i)
        else:
            results[i] = fallback(adam, job, False)
    for (program, dtypes), members in groups.items():
        for _, indices in chunks(members):
            part = [jobs[i] for i in indices]
            rows = {id(job.coefficients): program.used(job.coefficients) for job in part}
            given = rows.values() if len(rows) == 1 else [rows[id(job.coefficients)] for job in part]
            table = jnp.stack([jnp.asarray(x, dtypes.work) for row in given for x in row])
            lists = [alike(arrays_of(job), job.coefficients) for job in part]
            arrays = [x for column in zip(*lists, strict=True) for x in column]
            new = implementation(program, dtypes)(arrays, table.reshape(len(given), -1), words_of(part))
            names = outputs_of(program, dtypes)
            for j, i in enumerate(indices):
                row = dict(zip(names, new[j :: len(indices)], strict=True))
                results[i] = Result(*map(row.get, Result._fields))
    return results


def words_of(jobs: Sequence[Job]) -> Any:
    """Return the words of which random bits are made, four for each job; None where there are none."""
    keys = [job.key for job in jobs if job.key is not None]
    if not keys:
        return None
    words = [jnp.asarray(x, jnp.uint32) for key in keys for x in (*key.of_leaf, key.t)]
    return jnp.stack(words).reshape(-1, 4)


def alike(arrays: Sequence[Any], scalars: Sequence[Any]) -> list[Any]:
    """Return a job's arrays, all varying over the ``shard_map`` axes over which one of them varies."""
    axes = frozenset[str]().union(*map(axes_of, arrays), *map(axes_of, scalars))
    return [varying(x, axes) for x in arrays]


def axes_of(x: Any) -> frozenset[str]:
    aval = getattr(x, "aval", None)
    here = getattr(aval, "manual_axis_type", None)  # JAX 0.10; before, the aval itself had them
    axes: frozenset[str] = getattr(aval, "vma", frozenset()) if here is None else here.varying
    return axes


def varying(x: Any, axes: frozenset[str]) -> Any:
    missing = tuple(axes - axes_of(x))
    return jax.lax.pcast(x, missing, to="varying") if missing else x


@lru_cache(maxsize=256)
def implementation(program: Program, dtypes: Format) -> Implementation:
    """Return a program on a list of arrays: machine code where XLA compiles for the CPU, else XLA's."""
    call = ffi.custom_call(program, dtypes)
    names = inputs_of(program, dtypes)

    def machine(arrays: list[Any], rows: Any, keys: Any) -> list[Any]:
        new = call(arrays, rows, NO_CLOCKS, keys)[0]
        n = len(arrays) // len(names)
        return [varying(x, axes_of(arrays[k % n])) for k, x in enumerate(new)]

    return with_rules(machine, leaf_by_leaf(program, dtypes))


def leaf_by_leaf(program: Program, dtypes: Format) -> Implementation:
    """Return a program on a list of arrays, by XLA's operations."""
    inputs, outputs = inputs_of(program, dtypes), outputs_of(program, dtypes)

    def plain(arrays: list[Any], rows: Any, keys: Any) -> list[Any]:
        n = len(arrays) // len(inputs)
        new = []
        for j in range(n):
            row, key = rows[j if len(rows) > 1 else 0], None if keys is None else keys[j]
            new.append(leaf(program, dtypes, arrays[j::n], row, key))
        return [each[k] for k in range(len(outputs)) for each in new]

    return plain


@partial(jax.jit, static_argnums=(0, 1))  # traced once for leaves that are alike
def leaf(program: Program, dtypes: Format, arrays: list[Any], row: Any, words: Any) -> list[Any]:
    """Return the new arrays of one leaf.

    Args:
        program, dtypes: its program.
        arrays: p, g, m, v and what else the program reads.
        row: its coefficients.
        words: four words of which its random bits are made; None if there are none.
    """
    values = dict(zip(inputs_of(program, dtypes), arrays, strict=True))
    policy, rest = dtypes.policy, values.pop("p_rest", None)
    if policy is not None:
        rest = rest.astype("float32") if dtypes.rest == dtypes.p else rest
        values["p"] = load(WORDS, policy, values["p"].astype("float32"), rest)
    codings = {name: c for name in inputs_of(program, dtypes) if (c := dtypes.coding(name)) is not None}
    for name, coding in codings.items():
        values[name] = decode(WORDS, coding, values[name], values.pop(f"{name}_scale"))
    values = {name: x.astype(dtypes.work) for name, x in values.items()}
    values |= {name: row[k] for k, name in enumerate(program.coefficients)}
    made = evaluate(program, FUNCTIONS, values)
    key = None if words is None else Key(LeafKey(*words[:3]), words[3])
    for name in filter(dtypes.random, inputs_of(program, dtypes)):
        assert key is not None  # as the plan of the step has made it
        made[name] = at_random(WORDS, name, made[name].astype("float32"), dtypes.of(name), key)
    if policy is not None:
        made["p"], made["p_rest"] = store(WORDS, policy, made["p"].astype("float32"), key)
    for name, coding in codings.items():
        made[name], made[f"{name}_scale"] = encode(WORDS, coding, made[name].astype("float32"))
    return [made[name].astype(dtypes.of(name)) for name in outputs_of(program, dtypes)]


def with_rules(machine: Implementation, plain: Implementation) -> Implementation:
    """Return a function that is ``machine`` where XLA compiles for the CPU, and ``plain`` elsewhere.

    Under ``vmap`` and differentiation it is ``plain`` too.  Both have the same arguments and results.
    """

    @jax.custom_batching.custom_vmap
    def batched(arrays: list[Any], rows: Any, keys: Any) -> list[Any]:
        found: list[Any] = jax.lax.platform_dependent(arrays, rows, keys, cpu=machine, default=plain)
        return found

    @batched.def_vmap
    def by_xla(
        size: int, where: list[Any], arrays: list[Any], rows: Any, keys: Any
    ) -> tuple[list[Any], list[bool]]:
        axes = jax.tree.map(lambda yes: 0 if yes else None, where)
        new = jax.vmap(plain, axes, axis_size=size)(arrays, rows, keys)
        return new, [True] * len(new)

    @jax.custom_jvp
    def differentiable(arrays: list[Any], rows: Any, keys: Any) -> list[Any]:
        found: list[Any] = batched(arrays, rows, keys)
        return found

    @differentiable.defjvp
    def of_xla(given: Any, tangents: Any) -> Any:
        return jax.jvp(plain, given, tangents)

    return differentiable

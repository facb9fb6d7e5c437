"""The steps that are timed in JAX; see :mod:`adamcore.conformance.bench.steps`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from adamcore import Adam
from adamcore.backends.kernels import llvm
from adamcore.conformance.bench.situations import EVICTED
from adamcore.conformance.bench.step import ListGradients, Step
from adamcore.conformance.bench.steps import arrays, donated, like, new_gradients
from adamcore.conformance.bench.workloads import Shapes


def jax_arrays(shapes: Shapes, seed: int) -> list[Any]:
    import jax.numpy as jnp

    return [jnp.array(x) for x in arrays(shapes, seed)]


def evict_jax() -> Callable[[], None]:
    """Return a function that reads and writes as many bytes as fill the caches, in XLA's threads."""
    import jax
    import jax.numpy as jnp

    filler = jnp.zeros(EVICTED // 4)
    add_one = jax.jit(lambda x: x + 1, donate_argnums=0)

    def evict() -> None:
        nonlocal filler
        filler = add_one(filler)
        filler.block_until_ready()

    return evict


def jax_gradients(slots: list[Any]) -> ListGradients:
    """Return gradients that are made anew; JAX' arrays can't be written."""
    import jax.numpy as jnp

    def copy(x: Any) -> Any:
        return jnp.array(x, copy=True).block_until_ready()

    return ListGradients(slots, new_gradients(tuple(x.shape for x in slots)), copy)


def jit_step(function: Callable[[Any, Any, Any, Any], Any], ps: Any, gs: list[Any], state: Any) -> Step:
    """Return a step under jax.jit, a function of (p, g, state, lr), that donates its p and state.

    ``ps`` is a list of arrays, or one array; ``gs`` is a list in either case.
    """
    import jax

    compiled = jax.jit(function, donate_argnums=(0, 2))
    lr = 1e-3
    text = None
    if len(gs) <= 10:  # more arrays take seconds to compile
        text = compiled.lower(ps, like(ps, gs), state, lr).compile()

    def step() -> None:
        nonlocal ps, state
        ps, state = compiled(ps, like(ps, gs), state, lr)
        jax.block_until_ready(ps)

    def set_lr(value: float) -> None:
        nonlocal lr
        lr = value

    made = Step(step, jax_gradients(gs), set_lr)
    made.compilations = compiled._cache_size  # type: ignore[attr-defined]
    if text is not None:
        made.passes = count_passes(text.as_text() or "")
        costs: Any = text.cost_analysis()
        made.bytes = int(costs["bytes accessed"])
    return made


def count_passes(text: str) -> int:
    """Return the number of fusions and custom calls over whole arrays in a compiled program."""
    entry = text.split("ENTRY", 1)[-1]
    made = [line.split("=", 1)[1] for line in entry.splitlines() if "=" in line]
    calls = [line for line in made if " fusion(" in line or " custom-call(" in line]
    return sum("[]" not in line.split("(")[0] for line in calls)  # "[]" is the shape of a scalar


def optax_jit(shapes: Shapes) -> Step:
    import optax

    def update(ps: Any, gs: Any, state: Any, lr: Any) -> Any:
        updates, state = optax.adam(lr).update(gs, state, ps)
        return optax.apply_updates(ps, updates), state

    ps = jax_arrays(shapes, 0)
    return jit_step(update, ps, jax_arrays(shapes, 1), optax.adam(1e-3).init(ps))


def ours_jit(adam: Adam) -> Callable[[Shapes], Step]:
    def make(shapes: Shapes) -> Step:
        ps = jax_arrays(shapes, 0)
        return jit_step(
            lambda p, g, s, lr: adam.step(p, g, s, lr=lr), ps, jax_arrays(shapes, 1), adam.init(ps)
        )

    return make


def native_jit(shapes: Shapes, kept: Callable[[Any], Any] = lambda state: state) -> Step:
    """Return a step under jax.jit that calls the CPU kernel; ``kept`` makes the first state what it is."""
    from adamcore.backends.jax import native

    adam, ps = Adam(), jax_arrays(shapes, 0)

    def update(p: Any, g: Any, s: Any, lr: Any) -> Any:
        with native():
            return adam.step(p, g, s, lr=lr)

    step = jit_step(update, ps, jax_arrays(shapes, 1), kept(adam.init(ps)))
    step.bytes = None  # XLA does not know what a custom call moves
    return step


def packed_native_jit(shapes: Shapes) -> Step:
    """Return a step of a packed state under jax.jit that calls the CPU kernel."""
    from adamcore.backends.jax import pack

    return native_jit(shapes, pack)


def packed_donated(shapes: Shapes) -> Step:
    from adamcore.backends.jax import pack

    return donated_jax(jax_arrays(shapes, 0), jax_arrays(shapes, 1), pack)


def flat(shapes: Shapes, seed: int) -> Any:
    from jax.flatten_util import ravel_pytree

    return ravel_pytree(jax_arrays(shapes, seed))[0]


def flat_jit(shapes: Shapes) -> Step:
    """Return a step under jax.jit on all parameters in one vector, which has one clock."""
    adam, p = Adam(), flat(shapes, 0)
    return jit_step(lambda p, g, s, lr: adam.step(p, g, s, lr=lr), p, [flat(shapes, 1)], adam.init(p))


def flat_donated(shapes: Shapes) -> Step:
    return donated_jax(flat(shapes, 0), [flat(shapes, 1)])


def ours_jax(shapes: Shapes) -> Step:
    return donated_jax(jax_arrays(shapes, 0), jax_arrays(shapes, 1))


def donated_jax(ps: Any, gs: list[Any], kept: Callable[[Any], Any] = lambda state: state) -> Step:
    """Return a step outside of jit that counts the programs that it compiles.

    ``kept`` is that of :func:`adamcore.conformance.bench.steps.donated`.
    """
    import jax

    from adamcore.backends.jax.jit_program import JitProgram
    from adamcore.backends.jax.packed.donated import PackedProgram

    made = 0
    step = donated(ps, gs, jax_gradients(gs), jax.block_until_ready, kept=kept)

    def traced() -> int:
        return JitProgram.traced + PackedProgram.traced

    def counting() -> None:
        nonlocal made
        before = traced()
        step()
        made += traced() - before

    return replace(step, run=counting, passes=1 if llvm.available() else None, compilations=lambda: made)

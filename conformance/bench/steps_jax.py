"""The steps that are timed in JAX; see :mod:`adamcore.conformance.bench.steps`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adamcore import Adam
from adamcore.backends.kernels import llvm
from adamcore.conformance.bench.steps import Step, arrays, donated
from adamcore.conformance.bench.workloads import Shapes


def jax_arrays(shapes: Shapes, seed: int) -> list[Any]:
    import jax.numpy as jnp

    return [jnp.array(x) for x in arrays(shapes, seed)]


def jit_step(function: Callable[[Any, Any, Any], Any], ps: Any, gs: Any, state: Any) -> Step:
    """Return a step under jax.jit that donates its parameters and its state."""
    import jax

    compiled = jax.jit(function, donate_argnums=(0, 2))
    if isinstance(ps, list) and len(ps) > 10:
        text = None  # it takes seconds to compile
    else:
        text = compiled.lower(ps, gs, state).compile()

    def step() -> None:
        nonlocal ps, state
        ps, state = compiled(ps, gs, state)
        jax.block_until_ready(ps)

    if text is not None:
        step.passes = count_passes(text.as_text() or "")  # type: ignore[attr-defined]
        costs: Any = text.cost_analysis()
        step.bytes = int(costs["bytes accessed"])  # type: ignore[attr-defined]
    step.compilations = compiled._cache_size  # type: ignore[attr-defined]
    return step


def count_passes(text: str) -> int:
    """Return the number of fusions and custom calls over whole arrays in a compiled program."""
    entry = text.split("ENTRY", 1)[-1]
    made = [line.split("=", 1)[1] for line in entry.splitlines() if "=" in line]
    calls = [line for line in made if " fusion(" in line or " custom-call(" in line]
    return sum("[]" not in line.split("(")[0] for line in calls)  # "[]" is the shape of a scalar


def optax_jit(shapes: Shapes) -> Step:
    import optax

    adam = optax.adam(1e-3)

    def update(ps: Any, gs: Any, state: Any) -> Any:
        updates, state = adam.update(gs, state, ps)
        return optax.apply_updates(ps, updates), state

    ps = jax_arrays(shapes, 0)
    return jit_step(update, ps, jax_arrays(shapes, 1), adam.init(ps))


def ours_jit(adam: Adam) -> Callable[[Shapes], Step]:
    def make(shapes: Shapes) -> Step:
        ps = jax_arrays(shapes, 0)
        return jit_step(lambda p, g, s: adam.step(p, g, s), ps, jax_arrays(shapes, 1), adam.init(ps))

    return make


def native_jit(shapes: Shapes) -> Step:
    """Return a step under jax.jit that calls the CPU kernel."""
    from adamcore.backends.jax import native

    adam, ps = Adam(), jax_arrays(shapes, 0)

    def update(p: Any, g: Any, s: Any) -> Any:
        with native():
            return adam.step(p, g, s)

    step = jit_step(update, ps, jax_arrays(shapes, 1), adam.init(ps))
    step.__dict__.pop("bytes", None)  # XLA does not know what a custom call moves
    return step


def flat(shapes: Shapes, seed: int) -> Any:
    from jax.flatten_util import ravel_pytree

    return ravel_pytree(jax_arrays(shapes, seed))[0]


def flat_jit(shapes: Shapes) -> Step:
    """Return a step under jax.jit on all parameters in one vector, which has one clock."""
    adam, p = Adam(), flat(shapes, 0)
    return jit_step(lambda p, g, s: adam.step(p, g, s), p, flat(shapes, 1), adam.init(p))


def flat_donated(shapes: Shapes) -> Step:
    return count_compilations(donated(flat(shapes, 0), flat(shapes, 1), lambda p: p.block_until_ready()))


def ours_jax(shapes: Shapes) -> Step:
    import jax

    return count_compilations(donated(jax_arrays(shapes, 0), jax_arrays(shapes, 1), jax.block_until_ready))


def count_compilations(step: Step) -> Step:
    """Return a step outside of jit that counts the programs that it compiles."""
    from adamcore.backends.jax.jit_program import JitProgram

    made = 0

    def counting() -> None:
        nonlocal made
        before = JitProgram.traced
        step()
        made += JitProgram.traced - before

    counting.__dict__.update(step.__dict__)
    counting.compilations = lambda: made  # type: ignore[attr-defined]
    counting.passes = 1 if llvm.available() else None  # type: ignore[attr-defined]
    return counting

"""Who is timed: for each framework our ways of making a step, and the Adams it brings itself.

A contender's ``make(shapes)`` sets one up and returns a function that makes one step and waits for
it.  Attributes of that function, where they are known: ``bytes`` moved, ``passes`` (fusions and
custom calls of a compiled step), ``compilations`` (a function that counts them so far).
"""

from __future__ import annotations

import importlib.util
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.backends import machine
from adamcore.conformance.bench.work import BYTES, Shapes, elements

Step = Callable[[], None]


@dataclass(frozen=True)
class Contender:
    """One Adam, made ready for timing."""

    framework: str
    name: str
    make: Callable[[Shapes], Step]
    ours: bool = False
    baseline: bool = False  #: what the others of its framework are compared with
    most: int = 1 << 40  #: elements beyond which it is left out, as it takes too long
    many: bool = True  #: whether it is timed on lists of many arrays: XLA may compile for minutes
    single: bool = True  #: whether it is timed on one array


def arrays(shapes: Shapes, seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape, np.float32) * np.float32(0.1) for shape in shapes]


# ------------------------------------------------------------------------------------ NumPy


def floor(shapes: Shapes) -> Step:
    """The memory traffic of a step and next to nothing else: read four arrays, write three."""
    from adamcore.backends.numpy_fast import MEMORY
    from adamcore.backends.table import Table
    from adamcore.program import Op, Program

    ops = tuple(Op("add", f"x{k}", (name, "g")) for k, name in enumerate("pmv"))
    outputs = tuple((name, f"x{k}") for k, name in enumerate("pmv"))
    program = Program(("p", "g", "m", "v"), ("w1", "w2"), ops, outputs)
    columns = [arrays(shapes, seed) for seed in range(4)]
    table = Table(program, "float32", True, [x.size for x in columns[0]])
    table.point(array("q", [MEMORY.address(x) for xs in columns for x in xs]))
    coefficients: Any = [range(16)]

    def step() -> None:
        table.run(coefficients, MEMORY.threads())

    step.keep = columns  # type: ignore[attr-defined]
    return step


def usual_numpy(shapes: Shapes) -> Step:
    """Adam as it is usually written in NumPy, whole arrays."""
    ps, gs = arrays(shapes, 0), arrays(shapes, 1)
    ms, vs = [np.zeros_like(p) for p in ps], [np.zeros_like(p) for p in ps]
    t, lr, b1, b2, eps = 0, 1e-3, 0.9, 0.999, 1e-8

    def step() -> None:
        nonlocal t
        t += 1
        for i, g in enumerate(gs):
            ms[i] = b1 * ms[i] + (1 - b1) * g
            vs[i] = b2 * vs[i] + (1 - b2) * g**2
            m_hat = ms[i] / (1 - b1**t)
            v_hat = vs[i] / (1 - b2**t)
            ps[i] = ps[i] - lr * m_hat / (np.sqrt(v_hat) + eps)

    return step


def ours_numpy(shapes: Shapes) -> Step:
    return donated(arrays(shapes, 0), arrays(shapes, 1))


def blocks_numpy(shapes: Shapes) -> Step:
    return without_machine(ours_numpy(shapes))


def definition_numpy(shapes: Shapes) -> Step:
    """The definition, one operation after the other."""
    from adamcore.backends.base import BaseBackend
    from adamcore.backends.numpy import NumPyBackend
    from adamcore.registry import _of_type

    class Plain(NumPyBackend):
        apply, prepares = BaseBackend.apply, BaseBackend.prepares

    step, plain = ours_numpy(shapes), Plain()

    def slow() -> None:
        before = _of_type[np.ndarray]
        _of_type[np.ndarray] = plain
        try:
            step()
        finally:
            _of_type[np.ndarray] = before

    return slow


def donated(ps: Any, gs: Any, wait: Callable[[Any], Any] | None = None) -> Step:
    """Adam.step with donate=True on these arrays."""
    adam = Adam()
    state = adam.init(ps)

    def step() -> None:
        nonlocal ps, state
        ps, state = adam.step(ps, gs, state, donate=True)
        if wait is not None:
            wait(ps)

    if machine.available():
        size = sum(int(np.prod(p.shape)) for p in (ps if isinstance(ps, list) else [ps]))
        step.bytes = BYTES * size  # type: ignore[attr-defined]
    return step


def without_machine(step: Step) -> Step:
    """As where the extra [fast] is not installed."""

    def slow() -> None:
        with machine.switched_off():
            step()

    return slow


# ---------------------------------------------------------------------------------- PyTorch


def torch_native(**flags: Any) -> Callable[[Shapes], Step]:
    def make(shapes: Shapes) -> Step:
        import torch

        ps, _ = tensors(shapes)
        return torch.optim.Adam(ps, **flags).step

    return make


def tensors(shapes: Shapes) -> tuple[list[Any], list[Any]]:
    import torch

    ps = [torch.from_numpy(p).requires_grad_() for p in arrays(shapes, 0)]
    gs = [torch.from_numpy(g) for g in arrays(shapes, 1)]
    for p, g in zip(ps, gs, strict=True):
        p.grad = g
    return ps, gs


def ours_torch(shapes: Shapes) -> Step:
    return donated(*tensors(shapes))


def optimizer_torch(shapes: Shapes) -> Step:
    from adamcore.backends.torch import Adam as Optimizer

    ps, _ = tensors(shapes)
    step: Step = Optimizer(ps).step
    return step


def blocks_torch(shapes: Shapes) -> Step:
    return without_machine(ours_torch(shapes))


# -------------------------------------------------------------------------------------- JAX


def jax_arrays(shapes: Shapes, seed: int) -> list[Any]:
    import jax.numpy as jnp

    return [jnp.array(x) for x in arrays(shapes, seed)]


def jitted(function: Callable[[Any, Any, Any], Any], ps: Any, gs: Any, state: Any) -> Step:
    """A step under jax.jit, its parameters and state donated."""
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
        step.passes = passes(text.as_text() or "")  # type: ignore[attr-defined]
        costs: Any = text.cost_analysis()
        step.bytes = int(costs["bytes accessed"])  # type: ignore[attr-defined]
    step.compilations = compiled._cache_size  # type: ignore[attr-defined]
    return step


def passes(text: str) -> int:
    """Fusions and custom calls over whole arrays in a compiled program."""
    entry = text.split("ENTRY", 1)[-1]
    made = [line.split("=", 1)[1] for line in entry.splitlines() if "=" in line]
    calls = [line for line in made if " fusion(" in line or " custom-call(" in line]
    return sum("[]" not in line.split("(")[0] for line in calls)  # not those of a scalar


def optax_jit(shapes: Shapes) -> Step:
    import optax

    adam = optax.adam(1e-3)

    def update(ps: Any, gs: Any, state: Any) -> Any:
        updates, state = adam.update(gs, state, ps)
        return optax.apply_updates(ps, updates), state

    ps = jax_arrays(shapes, 0)
    return jitted(update, ps, jax_arrays(shapes, 1), adam.init(ps))


def ours_jit(adam: Adam) -> Callable[[Shapes], Step]:
    def make(shapes: Shapes) -> Step:
        ps = jax_arrays(shapes, 0)
        return jitted(lambda p, g, s: adam.step(p, g, s), ps, jax_arrays(shapes, 1), adam.init(ps))

    return make


def flat(shapes: Shapes, seed: int) -> Any:
    from jax.flatten_util import ravel_pytree

    return ravel_pytree(jax_arrays(shapes, seed))[0]


def flat_jit(shapes: Shapes) -> Step:
    """All parameters in one vector, as jax.flatten_util.ravel_pytree makes it: one clock."""
    adam, p = Adam(), flat(shapes, 0)
    return jitted(lambda p, g, s: adam.step(p, g, s), p, flat(shapes, 1), adam.init(p))


def flat_donated(shapes: Shapes) -> Step:
    return counted(donated(flat(shapes, 0), flat(shapes, 1), lambda p: p.block_until_ready()))


def ours_jax(shapes: Shapes) -> Step:
    import jax

    return counted(donated(jax_arrays(shapes, 0), jax_arrays(shapes, 1), jax.block_until_ready))


def counted(step: Step) -> Step:
    """A step outside of jit, with the programs that it compiled: all of them share one cache."""
    from adamcore.backends import jax_fast

    compiled: Any = jax_fast.compiled
    made = 0

    def counting() -> None:
        nonlocal made
        before = compiled._cache_size()
        step()
        made += compiled._cache_size() - before

    counting.__dict__.update(step.__dict__)
    counting.compilations = lambda: made  # type: ignore[attr-defined]
    counting.passes = 1 if machine.available() else None  # type: ignore[attr-defined]
    return counting


CONTENDERS = (
    Contender("numpy", "usual, whole arrays", usual_numpy, baseline=True),
    Contender("numpy", "adamcore", ours_numpy, ours=True),
    Contender("numpy", "adamcore without [fast]", blocks_numpy, ours=True),
    Contender("numpy", "adamcore, the definition alone", definition_numpy, ours=True, most=1 << 25),
    Contender("torch", "torch.optim.Adam(fused=True)", torch_native(fused=True), baseline=True),
    Contender("torch", "torch.optim.Adam(foreach=True)", torch_native(foreach=True), most=1 << 25),
    Contender("torch", "torch.optim.Adam(foreach=False)", torch_native(foreach=False), most=1 << 25),
    Contender("torch", "adamcore", ours_torch, ours=True),
    Contender("torch", "adamcore.backends.torch.Adam", optimizer_torch, ours=True),
    Contender("torch", "adamcore without [fast]", blocks_torch, ours=True, most=1 << 25),
    Contender("jax", "optax.adam under jit", optax_jit, baseline=True),
    Contender("jax", "adamcore under jit", ours_jit(Adam()), ours=True, many=False),
    Contender(
        "jax",
        "adamcore under jit, one clock",
        ours_jit(Adam(clock="global")),
        ours=True,
        single=False,
        most=1 << 25,
    ),
    Contender("jax", "adamcore", ours_jax, ours=True, many=False),
    Contender("jax", "adamcore under jit, flat", flat_jit, ours=True, single=False),
    Contender("jax", "adamcore, flat", flat_donated, ours=True, single=False),
)


def installed(framework: str | None = None) -> Iterator[Contender]:
    """Those whose libraries are here."""
    needs = {"numpy": ("numpy",), "torch": ("torch",), "jax": ("jax", "optax")}
    for each in CONTENDERS:
        if framework in (None, each.framework) and all(map(importlib.util.find_spec, needs[each.framework])):
            yield each


def suits(each: Contender, shapes: Shapes) -> bool:
    """Whether a contender is timed on this work."""
    if len(shapes) == 1:
        return each.single and elements(shapes) <= each.most
    return elements(shapes) <= each.most and (each.many or len(shapes) <= 200)

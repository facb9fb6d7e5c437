"""The steps that are timed in NumPy and PyTorch, and what the steps of all frameworks share.

Each function takes shapes, makes arrays of them, and returns a step.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.backends.kernels import llvm
from adamcore.conformance.bench.situations import EVICTED
from adamcore.conformance.bench.step import Gradients, ListGradients, Step
from adamcore.conformance.bench.workloads import BYTES, NARROW, Shapes


def arrays(shapes: Shapes, seed: int) -> list[Any]:
    """Return arrays of random values that repeat; drawing 124 million would take longer than their step."""
    drawn = np.random.default_rng(seed).standard_normal(1 << 20, np.float32) * np.float32(0.1)
    return [np.resize(drawn[: prod(shape)], shape) for shape in shapes]


# ------------------------------------------------------------------------------------ NumPy


def memory_traffic(shapes: Shapes, framework: str = "numpy") -> Step:
    """Return a step that has the memory traffic of Adam and little else: four arrays read, three written.

    It uses the threads of adamcore's own step in the framework, so that both find them in the same state.
    Its arrays have the framework's dtype.
    """
    from adamcore.backends.kernels.formats import Format, Storage
    from adamcore.backends.kernels.table import PointerTable, run_parallel
    from adamcore.backends.numpy.fast import MEMORY
    from adamcore.tracing import Op, Program

    ops = tuple(Op("add", f"x{k}", (name, "g")) for k, name in enumerate("pmv"))
    outputs = tuple((name, f"x{k}") for k, name in enumerate("pmv"))
    program = Program(("p", "g", "m", "v"), ("w1", "w2"), ops, outputs)
    columns = [arrays(shapes, seed) for seed in range(4)]
    sizes: list[int] = [x.size for x in columns[0]]
    stored: Storage = NARROW.get(framework, "float32")
    if stored != "float32":
        columns = [[x.astype(np.float16) for x in xs] for xs in columns]  # any numbers of 16 bits
    table = PointerTable(program, Format("float32", stored, stored, stored, stored), True, sizes)
    table.point(array("q", [MEMORY.address(x) for xs in columns for x in xs]))
    coefficients: Any = [range(16)]
    if framework.startswith("torch"):
        from adamcore.backends.torch.openmp import run_parallel

    def step(kept: Any = columns) -> None:  # the table has their addresses alone
        table.run(coefficients, run_parallel)

    return Step(step, NoGradients())


class NoGradients:
    """The gradients of memory traffic, which are no step's: nothing changes between two of its steps."""

    def release(self) -> None: ...

    def make(self) -> None: ...

    def refill(self) -> bool:
        return True


def evict_numpy() -> Callable[[], None]:
    """Return a function that reads and writes as many bytes as fill the caches."""
    filler = np.zeros(EVICTED // 4, np.float32)

    def evict() -> None:
        np.add(filler, np.float32(1), out=filler)

    return evict


@lru_cache(maxsize=1)
def new_gradients(shapes: Shapes) -> list[Any]:
    """Return gradients to copy from, the same for all contenders, since a GPT-2's take half a gigabyte."""
    return arrays(shapes, 2)


def numpy_gradients(gs: list[Any], shapes: Shapes) -> Gradients:
    return ListGradients(gs, new_gradients(shapes), np.copy, np.copyto)


def plain_numpy(shapes: Shapes) -> Step:
    """Return Adam as it is usually written in NumPy, on whole arrays."""
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

    def set_lr(value: float) -> None:
        nonlocal lr
        lr = value

    return Step(step, numpy_gradients(gs, shapes), set_lr)


def ours_numpy(shapes: Shapes) -> Step:
    ps, gs = arrays(shapes, 0), arrays(shapes, 1)
    return donated(ps, gs, numpy_gradients(gs, shapes))


def blocks_numpy(shapes: Shapes) -> Step:
    return without_llvm(ours_numpy(shapes))


def definition_numpy(shapes: Shapes) -> Step:
    """Return the step of the definition without a fast path, one operation after the other."""
    from adamcore.backends.numpy.backend import NumPyBackend
    from adamcore.registry import _of_type

    class Plain(NumPyBackend):
        fast = None

    step, plain = ours_numpy(shapes), Plain()

    def slow() -> None:
        before = _of_type[np.ndarray]
        _of_type[np.ndarray] = plain
        try:
            step()
        finally:
            _of_type[np.ndarray] = before

    return replace(step, run=slow, bytes=None)


def like(ps: Any, gs: list[Any]) -> Any:
    """Return the gradients as a tree like that of the parameters, which is a list or one array."""
    return gs if isinstance(ps, list) else gs[0]


def donated(
    ps: Any,
    gs: list[Any],
    gradients: Gradients,
    wait: Callable[[Any], Any] | None = None,
    adam: Adam | None = None,
    kept: Callable[[Any], Any] = lambda state: state,
) -> Step:
    """Return Adam.step with donate=True on these arrays; ``wait`` waits for the end of a step.

    ``ps`` is a list of arrays, or one array; ``gs`` is a list in either case.  ``kept`` returns the first
    state in the form in which it is kept.
    """
    adam = adam or Adam()
    state = kept(adam.init(ps))
    lr: float | None = None

    def step() -> None:
        nonlocal ps, state
        ps, state = adam.step(ps, like(ps, gs), state, lr=lr, donate=True)
        if wait is not None:
            wait(ps)

    def set_lr(value: float) -> None:
        nonlocal lr
        lr = value

    size = sum(p.nbytes for p in (ps if isinstance(ps, list) else [ps]))
    plain = llvm.available() and adam.moment_dtype is None and adam.p_storage == adam.m_storage == "plain"
    return Step(step, gradients, set_lr, bytes=BYTES // 4 * size if plain else None)


def without_llvm(step: Step) -> Step:
    """Return the step as it is where llvmlite is not installed."""

    def slow() -> None:
        with llvm.switched_off():
            step()

    return replace(step, run=slow, bytes=None)


# ---------------------------------------------------------------------------------- PyTorch


def torch_optim(dtype: str = "float32", **flags: Any) -> Callable[[Shapes], Step]:
    def make(shapes: Shapes) -> Step:
        import torch

        ps, gs = tensors(shapes, dtype=dtype)
        return optimizer_step(torch.optim.Adam(ps, **flags), ps, gs, shapes)

    return make


def optimizer_step(optimizer: Any, ps: list[Any], gs: list[Any], shapes: Shapes) -> Step:
    """Return the step of a torch.optim.Optimizer with one group."""

    def set_lr(value: float) -> None:
        optimizer.param_groups[0]["lr"] = value

    return Step(optimizer.step, torch_gradients(ps, gs, shapes), set_lr)


def torch_gradients(ps: list[Any], gs: list[Any], shapes: Shapes) -> Gradients:
    """Return the gradients of these parameters, which stand in ``gs`` and at the parameters."""
    import torch

    source = [torch.from_numpy(g).to(ps[0].device, ps[0].dtype) for g in new_gradients(shapes)]

    def put(slots: Sequence[Any]) -> None:
        for p, g in zip(ps, slots, strict=True):
            p.grad = g

    return ListGradients(gs, source, torch.clone, torch.Tensor.copy_, put)


def evict_torch(device: Any = "cpu") -> Callable[[], None]:
    """Return a function that reads and writes as many bytes as fill the caches, in PyTorch's threads."""
    import torch

    filler = torch.zeros(EVICTED // 4, device=device)

    def evict() -> None:
        filler.add_(1)

    return evict


def tensors(shapes: Shapes, device: Any = "cpu", dtype: str = "float32") -> tuple[list[Any], list[Any]]:
    """Return parameters, and gradients that they have."""
    import torch

    kind = getattr(torch, dtype)
    ps = [torch.from_numpy(p).to(device, kind).requires_grad_() for p in arrays(shapes, 0)]
    gs = [torch.from_numpy(g).to(device, kind) for g in arrays(shapes, 1)]
    for p, g in zip(ps, gs, strict=True):
        p.grad = g
    return ps, gs


def ours_torch(shapes: Shapes, dtype: str = "float32", adam: Adam | None = None) -> Step:
    ps, gs = tensors(shapes, dtype=dtype)
    return donated(ps, gs, torch_gradients(ps, gs, shapes), adam=adam)


def optimizer_torch(shapes: Shapes, dtype: str = "float32", **settings: Any) -> Step:
    from adamcore.backends.torch import Adam as Optimizer

    ps, gs = tensors(shapes, dtype=dtype)
    return optimizer_step(Optimizer(ps, **settings), ps, gs, shapes)


def blocks_torch(shapes: Shapes) -> Step:
    return without_llvm(ours_torch(shapes))

"""The steps that are timed in NumPy and PyTorch, and what the steps of all frameworks share.

Each function takes shapes, makes arrays of them, and returns a function that makes one step and waits for its
end.  That function may have attributes: ``bytes`` that it moves, ``passes`` (fusions and custom calls of a
compiled step), and ``compilations``, a function that returns how many programs were compiled so far.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.backends.kernels import llvm
from adamcore.conformance.bench.workloads import BYTES, Shapes

Step = Callable[[], None]


def arrays(shapes: Shapes, seed: int) -> list[Any]:
    """Return arrays of random values that repeat; drawing 124 million would take longer than their step."""
    drawn = np.random.default_rng(seed).standard_normal(1 << 20, np.float32) * np.float32(0.1)
    return [np.resize(drawn[: prod(shape)], shape) for shape in shapes]


# ------------------------------------------------------------------------------------ NumPy


def memory_traffic(shapes: Shapes, framework: str = "numpy") -> Step:
    """Return a step that has the memory traffic of Adam and little else: four arrays read, three written.

    It uses the threads of adamcore's own step in the framework, so that both find them in the same state.
    """
    from adamcore.backends.kernels.cpu import PointerTable, run_parallel
    from adamcore.backends.numpy.fast import MEMORY
    from adamcore.tracing import Op, Program

    ops = tuple(Op("add", f"x{k}", (name, "g")) for k, name in enumerate("pmv"))
    outputs = tuple((name, f"x{k}") for k, name in enumerate("pmv"))
    program = Program(("p", "g", "m", "v"), ("w1", "w2"), ops, outputs)
    columns = [arrays(shapes, seed) for seed in range(4)]
    table = PointerTable(program, "float32", True, [x.size for x in columns[0]])
    table.point(array("q", [MEMORY.address(x) for xs in columns for x in xs]))
    coefficients: Any = [range(16)]
    if framework == "torch":
        from adamcore.backends.torch.openmp import run_parallel

    def step() -> None:
        table.run(coefficients, run_parallel)

    step.keep = columns  # type: ignore[attr-defined]
    return step


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

    return step


def ours_numpy(shapes: Shapes) -> Step:
    return donated(arrays(shapes, 0), arrays(shapes, 1))


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

    return slow


def donated(ps: Any, gs: Any, wait: Callable[[Any], Any] | None = None) -> Step:
    """Return Adam.step with donate=True on these arrays; ``wait`` waits for the end of a step."""
    adam = Adam()
    state = adam.init(ps)

    def step() -> None:
        nonlocal ps, state
        ps, state = adam.step(ps, gs, state, donate=True)
        if wait is not None:
            wait(ps)

    if llvm.available():
        size = sum(int(np.prod(p.shape)) for p in (ps if isinstance(ps, list) else [ps]))
        step.bytes = BYTES * size  # type: ignore[attr-defined]
    return step


def without_llvm(step: Step) -> Step:
    """Return the step as it is where llvmlite is not installed."""

    def slow() -> None:
        with llvm.switched_off():
            step()

    return slow


# ---------------------------------------------------------------------------------- PyTorch


def torch_optim(**flags: Any) -> Callable[[Shapes], Step]:
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
    return without_llvm(ours_torch(shapes))

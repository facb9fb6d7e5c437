"""The steps that are timed on a CUDA device: kernels that are launched one by one, or a CUDA graph.

Each step waits for its end, so that its time is that of the device or that of the host, the longer one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adamcore import Adam
from adamcore.conformance.bench.steps import Step, arrays
from adamcore.conformance.bench.workloads import BYTES, Shapes, elements

WARM = 3  #: steps before a capture: state is made, kernels are compiled


def tensors(shapes: Shapes) -> tuple[list[Any], list[Any]]:
    import torch

    ps = [torch.from_numpy(p).cuda().requires_grad_() for p in arrays(shapes, 0)]
    gs = [torch.from_numpy(g).cuda() for g in arrays(shapes, 1)]
    for p, g in zip(ps, gs, strict=True):
        p.grad = g
    return ps, gs


def synchronized(launch: Callable[[], Any], bytes_moved: int | None = None) -> Step:
    """Return a step that waits for its end and can measure the memory that it takes."""
    import torch

    def step() -> None:
        launch()
        torch.cuda.synchronize()

    def extra() -> int:
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step()
        return int(torch.cuda.max_memory_allocated() - before)

    step.extra_memory = extra  # type: ignore[attr-defined]
    if bytes_moved is not None:
        step.bytes = bytes_moved  # type: ignore[attr-defined]
    return step


def graph_of(launch: Callable[[], Any]) -> Callable[[], Any]:
    """Return a function that replays the step, which is captured once as a CUDA graph."""
    import torch

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM):
            launch()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        launch()

    def replay(kept: Any = launch) -> None:  # what the graph reads and writes belongs to the step
        graph.replay()

    return replay


def memory_traffic(shapes: Shapes) -> Step:
    """Return a step with the memory traffic of Adam only: a copy that reads and writes as many bytes."""
    import torch

    source = torch.ones(BYTES // 2 * elements(shapes), dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return synchronized(lambda: target.copy_(source))


def torch_optim(graph: bool = False, **flags: Any) -> Callable[[Shapes], Step]:
    """Return a maker of steps of torch.optim.Adam."""

    def make(shapes: Shapes) -> Step:
        import torch

        step = torch.optim.Adam(tensors(shapes)[0], capturable=graph, **flags).step
        return synchronized(graph_of(step) if graph else step)

    return make


def optimizer(graph: bool = False) -> Callable[[Shapes], Step]:
    """Return a maker of steps of adamcore's torch.optim.Optimizer."""

    def make(shapes: Shapes) -> Step:
        from adamcore.backends.torch import Adam as Optimizer

        step = Optimizer(tensors(shapes)[0], capturable=graph).step
        return synchronized(graph_of(step) if graph else step, BYTES * elements(shapes))

    return make


def donated(graph: bool = False) -> Callable[[Shapes], Step]:
    """Return a maker of steps of Adam.step in place, with clocks on the device."""

    def make(shapes: Shapes) -> Step:
        adam = Adam()
        ps, gs = tensors(shapes)
        state = adam.init(ps)

        def step() -> None:
            nonlocal ps, state
            ps, state = adam.step(ps, gs, state, donate=True)

        return synchronized(graph_of(step) if graph else step, BYTES * elements(shapes))

    return make

"""The steps that are timed on a CUDA device: kernels that are launched one by one, or a CUDA graph.

Each step waits for its end, so its time is the host's until the launch and the device's, together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from adamcore import Adam
from adamcore.conformance.bench.step import Gradients, Step
from adamcore.conformance.bench.steps import NoGradients, evict_torch, tensors, torch_gradients
from adamcore.conformance.bench.workloads import BYTES, Shapes, elements

WARM = 3  #: steps before a capture: state is made, kernels are compiled


def synchronized(
    launch: Callable[[], Any],
    bytes_moved: int | None = None,
    gradients: Gradients | None = None,
    set_lr: Callable[[float], None] | None = None,
) -> Step:
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

    return Step(step, gradients, set_lr, bytes=bytes_moved, extra_memory=extra)


def evict() -> Step:
    """Return what reads and writes as many bytes as fill the caches of the device, and waits for it."""
    return synchronized(evict_torch("cuda"))


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
    return synchronized(lambda: target.copy_(source), gradients=NoGradients())


def torch_optim(graph: bool = False, **flags: Any) -> Callable[[Shapes], Step]:
    """Return a maker of steps of torch.optim.Adam."""

    def make(shapes: Shapes) -> Step:
        import torch

        ps, gs = tensors(shapes, "cuda")
        return optimizer_step(torch.optim.Adam(ps, capturable=graph, **flags), ps, gs, shapes, graph)

    return make


def optimizer(graph: bool = False) -> Callable[[Shapes], Step]:
    """Return a maker of steps of adamcore's torch.optim.Optimizer."""

    def make(shapes: Shapes) -> Step:
        from adamcore.backends.torch import Adam as Optimizer

        ps, gs = tensors(shapes, "cuda")
        made = optimizer_step(Optimizer(ps, capturable=graph), ps, gs, shapes, graph)
        return replace(made, bytes=BYTES * elements(shapes))

    return make


def optimizer_step(optimizer: Any, ps: list[Any], gs: list[Any], shapes: Shapes, graph: bool) -> Step:
    """Return the step of a torch.optim.Optimizer with one group; a graph has its gradients and lr inside."""
    if graph:
        return synchronized(graph_of(optimizer.step))

    def set_lr(value: float) -> None:
        optimizer.param_groups[0]["lr"] = value

    return synchronized(optimizer.step, gradients=torch_gradients(ps, gs, shapes), set_lr=set_lr)


def donated(graph: bool = False) -> Callable[[Shapes], Step]:
    """Return a maker of steps of Adam.step in place, with clocks on the device."""

    def make(shapes: Shapes) -> Step:
        adam = Adam()
        ps, gs = tensors(shapes, "cuda")
        state = adam.init(ps)
        lr: float | None = None

        def step() -> None:
            nonlocal ps, state
            ps, state = adam.step(ps, gs, state, lr=lr, donate=True)

        def set_lr(value: float) -> None:
            nonlocal lr
            lr = value

        moved = BYTES * elements(shapes)
        if graph:
            return synchronized(graph_of(step), moved)
        return synchronized(step, moved, torch_gradients(ps, gs, shapes), set_lr)

    return make

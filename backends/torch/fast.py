"""The fast paths of PyTorch; tensors stay where they are.

On the CPU machine code reads and writes their memory (extra [fast]), or without it NumPy does, in
blocks.  On CUDA devices one kernel does, on others the program runs over lists of tensors; and everywhere
torch.compile makes kernels of it, where that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import torch

try:
    import numpy as np
except ModuleNotFoundError:
    np: Any = None  # type: ignore[no-redef]
try:  # what torch.compile asks of tensors before it runs a program again, in C++
    from torch._C._dynamo.guards import TensorGuards
except ImportError:
    TensorGuards: Any = None  # type: ignore[no-redef]

from adamcore.backends.kernels import cpu, llvm
from adamcore.backends.torch import compiler, cuda, foreach, nvrtc, openmp
from adamcore.config import AdamConfig
from adamcore.protocol import Job, Prepared, Result
from adamcore.types import Array

REALS: dict[Any, llvm.Real] = {torch.float32: "float32", torch.float64: "float64"}
PLAIN = {torch.Tensor, torch.nn.Parameter}


class TorchMemory:
    """PyTorch's tensors on one kind of device as memory."""

    def __init__(self, device: str) -> None:
        self.device = device

    def real(self, dtype: Any) -> llvm.Real | None:
        return REALS.get(dtype)

    def unsupported(self, x: Array) -> str | None:
        if type(x) not in PLAIN or torch._C._functorch.is_functorch_wrapped_tensor(x):
            return f"a {type(x).__name__} of a transformation or subclass"
        if x.device.type != self.device:
            return f"a tensor on {x.device.type}"
        if not x.is_contiguous():
            return "a tensor that is not contiguous"
        return "a tensor with a pending negation" if x.is_neg() else None

    def fixed(self, x: Array) -> bool:
        return False

    address = staticmethod(torch.Tensor.data_ptr)
    size = staticmethod(torch.Tensor.numel)

    def like(self, x: Array) -> Array:
        return torch.empty_like(x, requires_grad=False)

    def threads(self) -> int:
        return torch.get_num_threads()

    run_parallel = staticmethod(openmp.run_parallel)

    def written(self, xs: Sequence[Array]) -> None:
        increment_version(xs)  # as an in-place operation of PyTorch does

    movable = True

    def likeness(self, columns: cpu.Columns) -> Callable[[cpu.Columns], bool]:
        every = list(chain.from_iterable(columns))
        if TensorGuards is None:
            seen = list(map(look, every))
            return lambda others: list(map(look, chain.from_iterable(others))) == seen
        sizes: Any = [list(x.shape) for x in every]
        strides: Any = list(map(steps, every))
        check = TensorGuards(*every, dynamic_dims_sizes=sizes, dynamic_dims_strides=strides).check
        return lambda others: check(*chain.from_iterable(others))


def steps(x: Any) -> list[int | None]:
    """The strides of a tensor where they matter."""
    return [None if size == 1 else stride for size, stride in zip(x.shape, x.stride(), strict=True)]


def look(x: Any) -> tuple[Any, ...]:
    """What a tensor shares with another that can take its place."""
    kind = type(x)
    if kind not in PLAIN or x.layout is not torch.strided:
        return (kind,)
    return kind, x.dtype, x.shape, steps(x), x.device, x.is_neg(), x.requires_grad


MEMORY, ON_CUDA = TorchMemory("cpu"), TorchMemory("cuda")
increment_version = getattr(torch._C, "_increment_version", torch.autograd.graph.increment_version)
Slow = Callable[[AdamConfig, Job, bool], Result]


def apply(adam: AdamConfig, jobs: Sequence[Job], donate: bool, slow: Slow) -> list[Result]:
    """The jobs, each the fastest way that serves it, by ``slow`` if none does."""
    if torch.compiler.is_compiling():
        return [slow(adam, job, donate) for job in jobs]
    results: list[Any] = [None] * len(jobs)
    chosen: dict[tuple[Any, bool], list[int]] = {}
    for i, job in enumerate(jobs):
        if compiler.is_on() and foreach.unsupported(job) is None:
            chosen.setdefault((compiler.step, donate and cpu.writable(MEMORY, job)), []).append(i)
        elif unsupported(job) is None:
            way = way_of(job)
            chosen.setdefault((way, donate and cpu.writable(MEMORY, job)), []).append(i)
        elif not job.p.is_cpu and foreach.unsupported(job) is None:
            chosen.setdefault((list_step, donate), []).append(i)
        else:
            results[i] = slow(adam, job, donate)
    for (way, in_place), places in chosen.items():
        new = way(adam, [jobs[i] for i in places], in_place, MEMORY)
        for i, result in zip(places, new, strict=True):
            results[i] = result
            if jobs[i].p.requires_grad:
                result.p.requires_grad_()
    return results


def on_device(job: Job) -> TorchMemory:
    """The memory in which a job's tensors stand."""
    return MEMORY if job.p.is_cpu else ON_CUDA


def way_of(job: Job) -> cpu.Way:
    """What carries out a job without an obstacle."""
    if nvrtc.runtime(job.p.device) is not None:
        return cuda.step
    return cpu.step if llvm.available() else block_step


def list_step(adam: AdamConfig, jobs: Sequence[Job], in_place: bool, memory: cpu.Memory) -> list[Result]:
    return foreach.step(adam, jobs, in_place, foreach.run)


def block_step(adam: AdamConfig, jobs: Sequence[Job], in_place: bool, memory: cpu.Memory) -> list[Result]:
    """By NumPy, in the tensors' own memory."""
    from adamcore.backends.numpy import fast

    def seen(x: Any) -> Any:
        return x.detach().numpy() if isinstance(x, torch.Tensor) else x

    news = fast.in_blocks(adam, [Job(*map(seen, job)) for job in jobs], in_place, memory)
    if not in_place:
        return [Result(*(None if x is None else torch.from_numpy(x) for x in new)) for new in news]
    memory.written([job.p for job in jobs])
    return [Result(job.p, job.m, job.v, job.v_max) for job in jobs]


def unsupported(job: Job) -> str | None:
    """Why machine code, or on CUDA devices a kernel, can't do a job; None if it can."""
    if nvrtc.runtime(job.p.device) is not None:
        return cuda.unsupported(job, on_device(job))
    if not job.p.is_cpu:
        return nvrtc.missing(job.p.device)
    if job.p.dtype not in REALS:
        return f"{job.p.dtype}"
    if np is None and not llvm.available():
        return "neither llvmlite nor NumPy"
    return cpu.unsupported(MEMORY, job)


def prepare(adam: AdamConfig, jobs: Sequence[Job]) -> Prepared | None:
    """Jobs that were done in place, ready to be done again, if none has an obstacle."""
    if any(unsupported(job) is not None for job in jobs):
        return None
    if nvrtc.runtime(jobs[0].p.device) is not None:
        return cuda.prepare(adam, jobs, on_device(jobs[0]))
    return cpu.prepare(adam, jobs, MEMORY, block_step)

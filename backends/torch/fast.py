"""The fast path of PyTorch; tensors stay where they are.

* On the CPU machine code reads and writes their memory; without llvmlite NumPy does, in blocks.
* On CUDA devices one kernel steps all tensors; on other devices the program runs over lists of tensors.
* Within :func:`adamcore.backends.torch.compiled`, torch.compile makes a kernel of the program.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from itertools import chain, compress
from operator import attrgetter
from typing import Any

import torch
from torch.utils import _pytree as pytree

try:
    import numpy as np
except ModuleNotFoundError:
    np: Any = None  # type: ignore[no-redef]
try:  # what torch.compile asks of tensors before it runs a program again, in C++
    from torch._C._dynamo.guards import TensorGuards
except ImportError:
    TensorGuards: Any = None  # type: ignore[no-redef]

from adamcore.backends.base import Fallback
from adamcore.backends.kernels import cpu, llvm, step_cache, support
from adamcore.backends.kernels.formats import Storage
from adamcore.backends.kernels.memory import Memory, all_writable, writable
from adamcore.backends.torch import compiler, cuda, foreach, nvrtc, openmp, watch
from adamcore.backends.torch.cuda_devices import DeviceClockSteps
from adamcore.backends.torch.uniform import PLAIN, as_they_lie, wrapped
from adamcore.config import AdamConfig
from adamcore.jobs import Columns, Job, Result, ResultColumns, Results, columns_of, in_place_results
from adamcore.protocol import CachedStep, ColumnStep, StepRecord
from adamcore.state import AdamState
from adamcore.step_cache import device_clock_step, in_place_step, stepped_in_place
from adamcore.types import Array, Clock, DType, Tree

STORAGE: dict[DType, Storage] = {
    torch.bfloat16: "bfloat16", torch.float16: "float16",
    torch.float32: "float32", torch.float64: "float64",
    torch.complex64: "float32", torch.complex128: "float64",
}  # fmt: skip
REQUIRES_GRAD: Any = attrgetter("requires_grad")


class TorchMemory:
    """PyTorch's tensors on one kind of device as memory."""

    movable = True  # by x.data = y

    def __init__(self, device: str) -> None:
        self.device = device
        self.holds = attrgetter(f"is_{device}")

    def storage(self, dtype: DType) -> Storage | None:
        return STORAGE.get(dtype)

    def unsupported(self, x: Array) -> str | None:
        if type(x) not in PLAIN or wrapped(x):
            return f"a {type(x).__name__} of a transformation or subclass"
        if x.device.type != self.device:
            return f"a tensor on {x.device.type}"
        return "a tensor with a pending negation or conjugation" if x.is_neg() or x.is_conj() else None

    contiguous = staticmethod(torch.Tensor.is_contiguous)
    strides = staticmethod(torch.Tensor.stride)

    def booleans(self, x: Array) -> bool:
        return x.dtype == torch.bool and self.unsupported(x) is None

    def read_only(self, x: Array) -> bool:
        return False

    def plain(self, xs: Sequence[Array]) -> bool:
        return (
            {*map(type, xs)} <= PLAIN
            and all(map(self.holds, xs))
            and as_they_lie(xs)
            and not any(map(torch._C._functorch.is_functorch_wrapped_tensor, xs))
            and not any(map(torch._is_functional_tensor, xs))
        )

    address = staticmethod(torch.Tensor.data_ptr)

    def addresses(self, xs: Sequence[Array]) -> array[int]:
        return array("q", map(torch.Tensor.data_ptr, xs))

    def size(self, x: Array) -> int:
        return x.numel() * (1 + x.dtype.is_complex)  # type: ignore[no-any-return]

    def sizes(self, xs: Sequence[Array]) -> list[int]:
        parts = 1 + xs[0].dtype.is_complex
        return [parts * size for size in map(torch.Tensor.numel, xs)]

    empty_like = staticmethod(torch.empty_like)

    def new_columns(self, columns: Columns, alike: bool) -> ResultColumns:
        p, _, *others = columns
        return ResultColumns(*(list(map(torch.empty_like, column)) for column in (p, *others)))

    def threads(self) -> int:
        return torch.get_num_threads()

    run_parallel = staticmethod(openmp.run_parallel)

    def mark_written(self, xs: Sequence[Array]) -> None:
        increment_version(xs)  # as an in-place operation of PyTorch does

    def watch(self, columns: Columns, beside: Sequence[Array] = ()) -> Callable[[Columns], array[int] | None]:
        if self.device != "cpu" or TensorGuards is None or not watch.available():
            return self.guarded(columns, beside)
        p, g, m, *others = columns
        kept = [*p, *m, *chain.from_iterable(others), *beside]
        look, guard = watch.Watch(kept, g).look, guard_of(m[:1])  # m asks for no gradient, in any mode
        return lambda now: look(now.g) if not compiler.is_on() and guard(now.m[0]) else None

    def guarded(self, columns: Columns, beside: Sequence[Array]) -> Callable[[Columns], array[int] | None]:
        """Return :meth:`watch` by what PyTorch asks of tensors, one by one."""
        guard = self.guard([*chain.from_iterable(columns), *beside])
        before = self.addresses([*columns.p, *chain.from_iterable(columns[2:]), *beside])

        def look(others: Columns) -> array[int] | None:
            if not guard([*chain.from_iterable(others), *beside]):
                return None
            here = self.addresses([*others.p, *chain.from_iterable(others[2:]), *beside])
            return self.addresses(others.g) if here == before else None

        return look

    def guard(self, tensors: Sequence[Array]) -> Callable[[Sequence[Array]], bool]:
        """Return a function: True if other tensors are as these were, so that they are supported too."""
        if TensorGuards is None:
            before = list(map(layout, tensors))
            return lambda others: not compiler.is_on() and list(map(layout, others)) == before
        check = guard_of(tensors)
        return lambda others: not compiler.is_on() and check(*others)


def guard_of(tensors: Sequence[Array]) -> Callable[..., bool]:
    """Return a function: True if its arguments are as these tensors are, in the dispatcher's present mode."""
    sizes: Any = [list(x.shape) for x in tensors]
    strides: Any = list(map(strides_of, tensors))
    return TensorGuards(*tensors, dynamic_dims_sizes=sizes, dynamic_dims_strides=strides).check


def strides_of(x: Array) -> list[int | None]:
    """Return the strides of a tensor, None where there is one element."""
    return [None if size == 1 else stride for size, stride in zip(x.shape, x.stride(), strict=True)]


def layout(x: Array) -> tuple[Any, ...]:
    """Return what a tensor has in common with any that can take its place."""
    kind = type(x)
    if kind not in PLAIN or x.layout is not torch.strided:
        return (kind,)
    return kind, x.dtype, x.shape, strides_of(x), x.device, x.is_neg(), x.requires_grad


MEMORY, ON_CUDA = TorchMemory("cpu"), TorchMemory("cuda")
increment_version = getattr(torch._C, "_increment_version", torch.autograd.graph.increment_version)


def unsupported(job: Job) -> str | None:
    """Return why neither machine code nor, on CUDA devices, a kernel can run a job, or None."""
    if nvrtc.runtime(job.p.device) is not None:
        return cuda.unsupported(job, memory_of(job))
    if not job.p.is_cpu:
        return nvrtc.unsupported(job.p.device)
    if job.p.dtype not in STORAGE:
        return f"{job.p.dtype}"
    if np is None and not llvm.available():
        return "neither llvmlite nor NumPy"
    return support.unsupported(MEMORY, job)


def memory_of(job: Job) -> TorchMemory:
    """Return the memory in which a job's tensors are."""
    return MEMORY if job.p.is_cpu else ON_CUDA


def apply(adam: AdamConfig, jobs: Sequence[Job], donate: bool, fallback: Fallback) -> Sequence[Result]:
    """Carry out a step, each job in the fastest way there is; see ``FastPath`` in backends/base.py."""
    if torch.compiler.is_compiling():
        return [fallback(adam, job, donate) for job in jobs]
    if len(jobs) >= cpu.MANY and all_alike(jobs) and (not donate or all_writable(MEMORY, jobs)):
        return step_alike(implementation_of(jobs[0]), adam, jobs, donate)
    results: list[Any] = [None] * len(jobs)
    groups: dict[tuple[cpu.Implementation, bool], list[int]] = {}
    for i, job in enumerate(jobs):
        implementation = implementation_of(job)
        if implementation is None:
            results[i] = fallback(adam, job, donate)
        else:
            in_place = donate and (implementation is list_step or writable(MEMORY, job))
            groups.setdefault((implementation, in_place), []).append(i)
    for (implementation, in_place), indices in groups.items():
        new = step_alike(implementation, adam, [jobs[i] for i in indices], in_place)
        for i, result in zip(indices, new, strict=True):
            results[i] = result
    return results


def all_alike(jobs: Sequence[Job]) -> bool:
    """True if machine code or NumPy can carry out all jobs in one go; it looks at columns, not at jobs."""
    return implementation_of(jobs[0]) in (cpu.step, block_step) and support.all_supported(MEMORY, jobs)


def step_alike(
    implementation: cpu.Implementation | None, adam: AdamConfig, jobs: Sequence[Job], in_place: bool
) -> Sequence[Result]:
    """Carry out jobs in one way; a new parameter asks for a gradient if the old one did."""
    assert implementation is not None
    results = implementation(adam, jobs, in_place, MEMORY)
    if not in_place:
        new = results.columns.p if isinstance(results, Results) else [result.p for result in results]
        old = columns_of(jobs).p
        for x in compress(new, map(REQUIRES_GRAD, old)):
            x.requires_grad_()
    return results


def implementation_of(job: Job) -> cpu.Implementation | None:
    """Return what carries out a job; None if only the definition can."""
    if compiler.is_on() and foreach.unsupported(job) is None:
        return compiler.step
    if unsupported(job) is None:
        if nvrtc.runtime(job.p.device) is not None:
            return cuda.step
        return cpu.step if llvm.available() else block_step
    return list_step if not job.p.is_cpu and foreach.unsupported(job) is None else None


def list_step(adam: AdamConfig, jobs: Sequence[Job], in_place: bool, memory: Memory) -> Sequence[Result]:
    """Carry out jobs as lists of tensors, one call for each operation."""
    return foreach.step(adam, jobs, in_place, foreach.run)


def block_step(adam: AdamConfig, jobs: Sequence[Job], in_place: bool, memory: Memory) -> Sequence[Result]:
    """Carry out jobs by NumPy, in the tensors' own memory."""
    from adamcore.backends.numpy import fast  # NumPy is an extra of its own

    def as_numpy(x: Any) -> Any:
        return x.detach().numpy() if isinstance(x, torch.Tensor) else x

    new = fast.in_blocks(adam, [Job(*map(as_numpy, job)) for job in jobs], in_place, memory)
    if not in_place:
        return [Result(*(None if x is None else torch.from_numpy(x) for x in result)) for result in new]
    memory.mark_written([job.p for job in jobs])
    return in_place_results(jobs)


def can_cache() -> bool:
    """True if cached steps may be made and used: no step is traced, or to be compiled by torch.compile."""
    return not torch.compiler.is_compiling() and not compiler.is_on()


def cached_step(
    adam: AdamConfig, record: StepRecord, fallback: Fallback
) -> tuple[CachedStep, AdamState] | None:
    """Return a cached step for jobs that were carried out in place, and the state; or None."""
    if not can_cache() or not stepped_in_place(record):
        return None
    columns = column_step(adam, record.jobs)
    if columns is None:
        return None
    if isinstance(columns, (cuda.DeviceClockStep, DeviceClockSteps)) and hidden(record):
        return device_clock_step(adam, record, columns)
    return in_place_step(adam, record, columns, clock_arrays)


def column_step(adam: AdamConfig, jobs: Sequence[Job], beside: Sequence[Array] = ()) -> ColumnStep | None:
    """Return a cached step of jobs that were carried out in place; None if they are not all alike.

    ``beside`` are tensors that no job has, and that on the CPU have to be as they are.
    """
    if nvrtc.runtime(jobs[0].p.device) is None:
        if unsupported(jobs[0]):
            return None
        return step_cache.column_step(adam, jobs, MEMORY, block_step, beside)
    if any(nvrtc.runtime(job.p.device) is None or unsupported(job) is not None for job in jobs):
        return None
    return cuda.column_step(adam, jobs, memory_of(jobs[0]))


def hidden(record: StepRecord) -> bool:
    """True if the host can read none of a state's clocks."""
    clocks: list[Tree] = pytree.tree_leaves(record.state.t)
    backend = record.backend
    return all(backend.owns(t) and backend.host(t) is None for t in clocks)


def clock_arrays(now: array[int]) -> list[Clock]:
    """Return 0-d int32 tensors in the memory of a vector, one for each number."""
    return list(torch.frombuffer(now, dtype=torch.int32).unbind())

"""PyTorch's tensors on a CUDA device, many of them stepped by one kernel.

A step is two launches.  The first puts the coefficients in the device's memory; where the clocks are on the
device, it ticks them and forms the coefficients there.  The second reads and writes every tensor once.
Nothing waits for the device.

A launch carries addresses and sizes by value, and the rows of coefficients are a tensor that PyTorch's
allocator gives for the step.  So a CUDA graph that captures a step keeps nothing alive but the tensors that
are stepped, and no other step disturbs it.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable, Sequence
from itertools import chain, groupby
from typing import Any

import torch

from adamcore.backends.kernels import cpu
from adamcore.backends.kernels.cuda import kernel as cuda
from adamcore.backends.kernels.cuda.coefficients import ClockKernel, clock_kernel
from adamcore.backends.kernels.cuda.table import SMALL, filled, padded, parts
from adamcore.backends.kernels.formats import CODES, Format
from adamcore.backends.kernels.memory import Memory, arrays_of, writable
from adamcore.backends.kernels.step_cache import KernelStep
from adamcore.backends.kernels.support import unsupported_layout
from adamcore.backends.kernels.table import Run
from adamcore.backends.torch import cuda_clock, nvrtc
from adamcore.backends.torch.cuda_devices import DeviceClockSteps, DeviceSteps, by_device
from adamcore.backends.torch.nvrtc import launch
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients
from adamcore.jobs import Columns, Job, Result, columns_of, in_place_results
from adamcore.tracing import Program
from adamcore.tracing import program as program_of
from adamcore.types import Array, Clock

NAMES = {torch.float32: "float32", torch.float64: "float64",
         torch.bfloat16: "bfloat16", torch.float16: "float16"}  # fmt: skip
ITEM = {"float32": 4, "float64": 8}


def unsupported(job: Job, memory: Memory) -> str | None:
    """Return why the kernel can't run a job, or None."""
    missing = nvrtc.unsupported(job.p.device)
    if missing is not None:
        return missing
    if job.formats.is_complex:
        return "complex numbers"
    if not job.formats.plain:
        policy = job.formats.storage
        return "moments in 8 bits" if policy is None else f"p_storage={policy.policy!r}"
    if job.where is not None:
        return "a mask, or a flag that only the program knows"
    if job.formats.work not in (torch.float32, torch.float64):
        return f"arithmetic in {job.formats.work}"
    if job.g.dtype != job.p.dtype or (job.v_max is not None and job.v_max.dtype != job.v.dtype):
        return "a gradient or a maximum of another dtype than what it belongs to"
    for x in arrays_of(job):
        if x.dtype not in NAMES:
            return f"{x.dtype}"
        if x.dtype.itemsize == 2 and job.formats.work is torch.float64:
            return f"{x.dtype}, with arithmetic in float64"  # the kernel would round twice
        reason = memory.unsupported(x)
        if reason is not None:
            return reason
        if x.shape != job.p.shape or x.device != job.p.device:
            return "arrays of different shapes or devices"
    return unsupported_layout(memory, arrays_of(job))


def format_of(job: Job) -> Format:
    """Return the dtypes of a job's arithmetic and of its arrays."""
    arrays: Any = (NAMES[x.dtype] for x in (job.p, job.g, job.m, job.v))
    work: Any = NAMES[job.formats.work]
    return Format(work, *arrays)


class LaunchTable:
    """The addresses and sizes of a list of tensors on one device, and the launches that step them."""

    def __init__(self, program: Program, jobs: Sequence[Job], in_place: bool) -> None:
        self.program, self.device, self.length = program, jobs[0].p.device, len(jobs)
        runtime = nvrtc.runtime(self.device)
        assert runtime is not None
        self.runtime = runtime
        self.work: Any = NAMES[jobs[0].formats.work]
        self.addresses = array("q")  #: of all p, of all g, and so on
        self.tables: list[tuple[Any, int, array[int]]] = []  #: (launch, blocks, table)
        self.packed: tuple[array[int], Sequence[int] | None] = array("q"), None  #: what is in the tables
        count, sizes = len(cuda.arrays(program, in_place)), [job.p.numel() for job in jobs]
        formats = [format_of(job) for job in jobs]
        self.parts = []
        for dtypes, indices in groupby(
            sorted(range(len(jobs)), key=formats.__getitem__), formats.__getitem__
        ):
            for part in parts(list(indices), sizes, count, self.runtime.words):
                source = cuda.text(program, dtypes, in_place, part.words)
                self.parts.append((part, self.runtime.kernel(source, "update", self.device)))

    def point(self, addresses: array[int]) -> None:
        """Set the tensors: the addresses of all p, of all g, and so on."""
        self.addresses = addresses

    def run(
        self,
        coefficients: Sequence[Coefficients],
        run_parallel: Run | None = None,
        clocks: Sequence[int] = (),
    ) -> None:
        """Step all tensors with coefficients that the host knows, a row for each or one row for all."""
        different = {id(c): c for c in coefficients}
        size = len(different) * len(self.program.coefficients)
        rows = torch.empty(size, dtype=getattr(torch, self.work), device=self.device)
        values = array(CODES[self.work], chain.from_iterable(map(self.program.used, different.values())))
        fill = self.runtime.kernel(cuda.fill_text(self.work, SMALL), "fill", self.device)
        room = SMALL * 8 // ITEM[self.work]
        for at in range(0, len(values), room):
            part = values[at : at + room]
            table = padded(array("q", part.tobytes() + bytes(-len(part) * ITEM[self.work] % 8)), SMALL)
            blocks = -(-len(part) // cuda.THREADS)
            target = ctypes.c_void_p(rows.data_ptr() + at * ITEM[self.work])
            with self.runtime.guard(self.device):
                launch(fill, blocks, table, ctypes.c_int(len(part)), target)
        numbers = {key: k for k, key in enumerate(different)}
        self.update(rows, None if len(different) == 1 else [numbers[id(c)] for c in coefficients])

    def update(
        self, rows: torch.Tensor, numbers: Sequence[int] | None, skip: torch.Tensor | None = None
    ) -> None:
        """Step all tensors by rows of coefficients on the device.

        Args:
            rows: the rows, one after the other.
            numbers: for each tensor the number of its row; None if there is one row for all.
            skip: a number on the device; unless it is 0, nothing is written.
        """
        if self.packed != (self.addresses, numbers):
            self.tables = [
                (kernel, part.blocks, filled(part, self.addresses, self.length, numbers))
                for part, kernel in self.parts
            ]
            self.packed = self.addresses[:], numbers
        at = ctypes.c_void_p(rows.data_ptr())
        skip_at = ctypes.c_void_p(None if skip is None else skip.data_ptr())
        with self.runtime.guard(self.device):
            for (part, _), (kernel, blocks, table) in zip(self.parts, self.tables, strict=True):
                launch(kernel, blocks, table, ctypes.c_int(len(part.indices)), at, skip_at)


def step(adam: AdamConfig, jobs: Sequence[Job], in_place: bool, memory: Memory) -> Sequence[Result]:
    """Carry out supported jobs, in groups of one program, arithmetic and device."""
    groups: dict[Any, list[int]] = {}
    for i, job in enumerate(jobs):
        host = not isinstance(job.coefficients.w1, torch.Tensor)
        key = program_of(adam, job.coefficients), job.formats.work, job.p.device, host
        groups.setdefault(key, []).append(i)
    results: list[Any] = [None] * len(jobs)
    for (program, _, _, host), indices in groups.items():
        new = _step_alike(program, [jobs[i] for i in indices], in_place, host, memory)
        for i, result in zip(indices, new, strict=True):
            results[i] = result
    return results


def _step_alike(
    program: Program, jobs: list[Job], in_place: bool, host: bool, memory: Memory
) -> Sequence[Result]:
    columns = columns_of(jobs)
    arrays = list(chain.from_iterable(columns))
    results = in_place_results(jobs) if in_place else [cpu.new_arrays(job, memory) for job in jobs]
    if not in_place:
        for column in zip(*results, strict=True):
            arrays += [x for x in column if x is not None]
    launches = LaunchTable(program, jobs, in_place)
    launches.point(array("q", map(memory.address, arrays)))
    if host:
        launches.run([job.coefficients for job in jobs])
    else:  # 0-d tensors: rounded once, as the definition does
        different = {id(job.coefficients): job.coefficients for job in jobs}
        numbers = {key: k for k, key in enumerate(different)}
        rows = rows_of(program, list(different.values()))
        launches.update(rows.to(jobs[0].formats.work), [numbers[id(job.coefficients)] for job in jobs])
    if in_place:
        memory.mark_written(columns.p)
    return results


def rows_of(program: Program, coefficients: Sequence[Coefficients]) -> torch.Tensor:
    """Return coefficients on the device, 0-d tensors, row after row; those of one tick lie so already."""
    used: list[torch.Tensor] = [x for c in coefficients for x in program.used(c)]
    whole = used[0]._base
    if whole is not None and whole.is_contiguous() and whole.numel() == len(used):
        at, size = whole.data_ptr(), whole.element_size()
        if all(x.data_ptr() == at + k * size for k, x in enumerate(used)):
            return whole.flatten()
    return torch.stack(used)


def column_step(adam: AdamConfig, jobs: Sequence[Job], memory: Memory) -> KernelStep | DeviceSteps | None:
    """Return a cached step of supported jobs that were carried out in place.

    None if those of one device are not alike.
    """
    places = list(by_device(jobs).values())
    if len(places) == 1:
        return device_step(adam, jobs, memory)
    steps = [device_step(adam, [jobs[i] for i in indices], memory) for indices in places]
    ticking = [step for step in steps if isinstance(step, DeviceClockStep)]
    if len(ticking) == len(steps):
        return DeviceClockSteps(list(zip(places, ticking, strict=True)))
    counted = [step for step in steps if step is not None]
    if ticking or len(counted) < len(steps):
        return None
    return DeviceSteps(list(zip(places, counted, strict=True)))


def device_step(adam: AdamConfig, jobs: Sequence[Job], memory: Memory) -> KernelStep | None:
    """Return a cached step of jobs on one device; None if they are not alike."""
    host = all(x is None or isinstance(x, float) for job in jobs for x in job.coefficients)
    kinds = {(program_of(adam, job.coefficients) if host else None, job.formats.work) for job in jobs}
    if len(kinds) > 1 or not all(writable(memory, job) for job in jobs):
        return None
    program = kinds.pop()[0]
    if program is not None:
        return KernelStep(LaunchTable(program, jobs, True), jobs, memory)
    return DeviceClockStep(clock_kernel(adam), jobs, memory)


class DeviceClockStep(KernelStep):
    """A cached step by a kernel whose coefficients the device forms, from clocks that are there."""

    def __init__(self, clock_kernel: ClockKernel, jobs: Sequence[Job], memory: Memory) -> None:
        self.launches, self.clock_kernel = LaunchTable(clock_kernel.program, jobs, True), clock_kernel
        super().__init__(self.launches, jobs, memory)

    def bind_clocks(
        self,
        columns: Columns,
        clocks: Sequence[Clock],
        products: Sequence[Array],
        lr: Any,
        skip: Any = None,
    ) -> Callable[[], None] | None:
        launches, kernel = self.launches, self.clock_kernel
        rate = cuda_clock.rate(lr, launches.device)
        if not cuda_clock.flag_fits(skip, launches.device):
            return None
        if rate is None or len(clocks) not in (1, launches.length):
            return None
        if not cuda_clock.fit(clocks, products, launches.device, kernel.momentum):
            return None
        if self.bind(columns, ()) is None:
            return None

        def run() -> None:
            rows = cuda_clock.tick(kernel, launches.work, rate, clocks, products, skip)
            launches.update(rows, None if len(rows) == 1 else range(len(rows)), skip)
            self.memory.mark_written(columns.p)

        return run

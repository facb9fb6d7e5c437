"""PyTorch's tensors on a CUDA device, many of them stepped by one kernel.

A step is two launches: one puts the coefficients in the device's memory (or ticks the clocks and forms
them there, where the clocks stand on the device), one reads and writes every tensor once.  Nothing waits
for the device.  A launch carries addresses and sizes by value, and what lies between the two is a tensor
that PyTorch's allocator gives for the step: so a CUDA graph that captures a step keeps nothing alive but
the tensors that are stepped, and is disturbed by no other step.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Sequence
from itertools import chain, groupby
from typing import Any

import torch

from adamcore.backends.kernels import cpu, cuda, cuda_coefficients
from adamcore.backends.kernels.cpu import Share, arrays_of
from adamcore.backends.kernels.cuda_coefficients import Ticking
from adamcore.backends.kernels.cuda_table import SMALL, filled, padded, parts
from adamcore.backends.kernels.llvm import CODES
from adamcore.backends.torch import cuda_clock as torch_clock
from adamcore.backends.torch import nvrtc
from adamcore.backends.torch.nvrtc import launch
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients
from adamcore.protocol import Job, Result
from adamcore.tracing import Program, program

NAMES = {torch.float32: "float32", torch.float64: "float64",
         torch.bfloat16: "bfloat16", torch.float16: "float16"}  # fmt: skip
ITEM = {"float32": 4, "float64": 8}


def unsupported(job: Job, memory: cpu.Memory) -> str | None:
    """Why the kernel can't do a job; None if it can."""
    missing = nvrtc.missing(job.p.device)
    if missing is not None:
        return missing
    if job.formats.is_complex:
        return "complex numbers"
    if job.where is not None:
        return "a mask, or a flag that only the program knows"
    if job.formats.work not in (torch.float32, torch.float64):
        return f"arithmetic in {job.formats.work}"
    for x in arrays_of(job):
        if x.dtype not in NAMES:
            return f"{x.dtype}"
        if x.dtype.itemsize == 2 and job.formats.work is torch.float64:
            return f"{x.dtype}, with arithmetic in float64"  # which PyTorch rounds by way of float32
        reason = memory.unsupported(x)
        if reason is not None:
            return reason
        if x.shape != job.p.shape or x.device != job.p.device:
            return "arrays of different shapes or devices"
    return None


def kinds_of(job: Job) -> cuda.Kinds:
    """The formats of a job's arrays."""
    work: Any = NAMES[job.formats.work]
    return cuda.Kinds(work, NAMES[job.p.dtype], NAMES[job.m.dtype], NAMES[job.v.dtype])


class Launches:
    """The launches of ``update`` for a list of jobs on one device, of one program and one arithmetic."""

    def __init__(self, made: Program, jobs: Sequence[Job], in_place: bool) -> None:
        self.made, self.device, self.length = made, jobs[0].p.device, len(jobs)
        runtime = nvrtc.runtime(self.device)
        assert runtime is not None
        self.runtime = runtime
        self.work: Any = NAMES[jobs[0].formats.work]
        self.addresses = array("q")  # of all p, of all g, and so on
        self.tables: list[tuple[Any, int, array[int]]] = []  # (launch, blocks, table), and what they are of:
        self.packed: tuple[array[int], Sequence[int] | None] = array("q"), None
        count, sizes = len(cuda.arrays(made, in_place)), [job.p.numel() for job in jobs]
        kinds = [kinds_of(job) for job in jobs]
        self.parts = []
        for kind, places in groupby(sorted(range(len(jobs)), key=kinds.__getitem__), kinds.__getitem__):
            for part in parts(list(places), sizes, count, self.runtime.words):
                source = cuda.text(made, kind, in_place, part.words)
                self.parts.append((part, self.runtime.kernel(source, "update", self.device)))

    def point(self, addresses: array[int]) -> None:
        """The tensors: the addresses of all p, of all g, and so on."""
        self.addresses = addresses

    def run(self, each: Sequence[Coefficients], share: Share | None = None) -> None:
        """Step all, with coefficients that the host knows: for each job, or one for all."""
        different = {id(c): c for c in each}
        size = len(different) * len(self.made.coefficients)
        rows = torch.empty(size, dtype=getattr(torch, self.work), device=self.device)
        values = array(CODES[self.work], chain.from_iterable(map(self.made.used, different.values())))
        fill = self.runtime.kernel(cuda.copying(self.work, SMALL), "fill", self.device)
        room = SMALL * 8 // ITEM[self.work]
        for at in range(0, len(values), room):
            some = values[at : at + room]
            table = padded(array("q", some.tobytes() + bytes(-len(some) * ITEM[self.work] % 8)), SMALL)
            with self.runtime.guard(self.device):
                launch(
                    fill, -(-len(some) // cuda.THREADS), table,
                    ctypes.c_int(len(some)), ctypes.c_void_p(rows.data_ptr() + at * ITEM[self.work]),
                )  # fmt: skip
        numbers = {key: k for k, key in enumerate(different)}
        self.update(rows, None if len(different) == 1 else [numbers[id(c)] for c in each])

    def update(self, rows: torch.Tensor, numbers: Sequence[int] | None) -> None:
        """Step all by ``rows``, those of ``numbers``, or the first for all."""
        if self.packed != (self.addresses, numbers):
            self.tables = [
                (kernel, part.blocks, filled(part, self.addresses, self.length, numbers))
                for part, kernel in self.parts
            ]
            self.packed = self.addresses[:], numbers
        at = ctypes.c_void_p(rows.data_ptr())
        with self.runtime.guard(self.device):
            for (part, _), (kernel, blocks, table) in zip(self.parts, self.tables, strict=True):
                launch(kernel, blocks, table, ctypes.c_int(len(part.places)), at)


def step(adam: AdamConfig, jobs: Sequence[Job], in_place: bool, memory: cpu.Memory) -> list[Result]:
    """The jobs, all without an obstacle, in groups of one program, arithmetic and device."""
    groups: dict[Any, list[int]] = {}
    for i, job in enumerate(jobs):
        host = not isinstance(job.coefficients.w1, torch.Tensor)
        key = program(adam, job.coefficients), job.formats.work, job.p.device, host
        groups.setdefault(key, []).append(i)
    results: list[Any] = [None] * len(jobs)
    for (made, _, _, host), places in groups.items():
        some = [jobs[i] for i in places]
        for i, result in zip(places, _group(made, some, in_place, host, memory), strict=True):
            results[i] = result
    return results


def _group(made: Program, jobs: list[Job], in_place: bool, host: bool, memory: cpu.Memory) -> list[Result]:
    columns = list(zip(*map(arrays_of, jobs), strict=True))
    if in_place:
        results = [Result(job.p, job.m, job.v, job.v_max) for job in jobs]
    else:
        results = [
            Result(*(None if x is None else memory.like(x) for x in (job.p, job.m, job.v, job.v_max)))
            for job in jobs
        ]
        columns += list(zip(*results, strict=True))[: len(made.outputs)]
    launches = Launches(made, jobs, in_place)
    launches.point(array("q", map(memory.address, chain.from_iterable(columns))))
    if host:
        launches.run([job.coefficients for job in jobs])
    else:  # 0-d tensors: rounded once, as the definition does
        different = {id(job.coefficients): job.coefficients for job in jobs}
        numbers = {key: k for k, key in enumerate(different)}
        rows = torch.stack([x for c in different.values() for x in made.used(c)])
        launches.update(rows.to(jobs[0].formats.work), [numbers[id(job.coefficients)] for job in jobs])
    if in_place:
        memory.written(columns[0])
    return results


def prepare(adam: AdamConfig, jobs: Sequence[Job], memory: cpu.Memory) -> Steady | None:
    """Jobs in place, none with an obstacle, for further steps, if they are all of one kind."""
    host = all(x is None or isinstance(x, float) for job in jobs for x in job.coefficients)
    ticking = cuda_coefficients.ticking(adam)
    kinds = {
        (program(adam, job.coefficients) if host else None, job.formats.work, job.p.device) for job in jobs
    }
    if len(kinds) > 1 or not all(cpu.writable(memory, job) for job in jobs):
        return None
    made = kinds.pop()[0] or ticking.program
    return Steady(Launches(made, jobs, True), jobs, memory, None if host else ticking)


class Steady(cpu.Steady):
    """Jobs in place on the same tensors, step after step, with clocks on the host or on the device."""

    def __init__(
        self, table: Launches, jobs: Sequence[Job], memory: cpu.Memory, ticking: Ticking | None
    ) -> None:
        super().__init__(table, jobs, memory)
        self.launches, self.ticking = table, ticking
        self.coming: tuple[Any, Sequence[Any], Sequence[Any]] = None, (), ()

    def ticks(self, lr: Any, clocks: Sequence[Any], products: Sequence[Any] = ()) -> bool:
        """Whether the next step can tick these clocks where they stand: one for each job, or for all."""
        if self.ticking is None or len(clocks) not in (1, self.launches.length):
            return False
        device = self.launches.device
        self.coming = torch_clock.rate(lr, device), clocks, products
        return self.coming[0] is not None and torch_clock.fit(clocks, products, device, self.ticking.momentum)

    def advance(self) -> None:
        """Tick and step, on the device alone; after a call of ``fits`` and one of ``ticks``."""
        assert self.ticking is not None
        rows = torch_clock.tick(self.ticking, self.launches.work, *self.coming)
        self.launches.update(rows, None if len(rows) == 1 else range(len(rows)))
        self.memory.written(self.parameters)
        self.parameters, self.coming = (), (None, (), ())

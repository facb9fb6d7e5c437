"""The fast paths of PyTorch; tensors stay where they are.

On the CPU machine code reads and writes their memory (extra [fast]), or without it NumPy does, in
blocks.  On other devices the program runs over lists of tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch

try:
    import numpy as np
except ModuleNotFoundError:
    np: Any = None  # type: ignore[no-redef]

from adamcore.backends import machine, native, torch_lists
from adamcore.definition import Array
from adamcore.protocol import Job, Prepared, Result

if TYPE_CHECKING:
    from adamcore.adam import Adam

REALS: dict[Any, machine.Real] = {torch.float32: "float32", torch.float64: "float64"}
PLAIN = {torch.Tensor, torch.nn.Parameter}


class TorchMemory:
    """PyTorch's tensors on the CPU as memory."""

    def real(self, dtype: Any) -> machine.Real | None:
        return REALS.get(dtype)

    def obstacle(self, x: Array) -> str | None:
        if type(x) not in PLAIN or torch._C._functorch.is_functorch_wrapped_tensor(x):
            return f"a {type(x).__name__} of a transformation or subclass"
        if x.device.type != "cpu":
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

    def written(self, xs: Sequence[Array]) -> None:
        increment_version(xs)  # as an in-place operation of PyTorch does

    movable = True

    def plain(self, xs: Sequence[Array], shapes: Sequence[Any], dtype: Any) -> bool:
        try:
            for x, shape in zip(xs, shapes, strict=True):
                if type(x) not in PLAIN or x.dtype is not dtype or x.shape != shape:
                    return False
                if not x.is_cpu or not x.is_contiguous() or x.is_neg():
                    return False
        except RuntimeError:  # not strided
            return False
        return True


MEMORY = TorchMemory()
increment_version = getattr(torch._C, "_increment_version", torch.autograd.graph.increment_version)
Slow = Callable[["Adam", Job, bool], Result]


def apply(adam: Adam, jobs: Sequence[Job], donate: bool, slow: Slow) -> list[Result]:
    """The jobs, each the fastest way that serves it, by ``slow`` if none does."""
    if torch.compiler.is_compiling():
        return [slow(adam, job, donate) for job in jobs]
    results: list[Any] = [None] * len(jobs)
    chosen: dict[tuple[Any, bool], list[int]] = {}
    for i, job in enumerate(jobs):
        if obstacle(job) is None:
            way = native_step if machine.available() else block_step
            chosen.setdefault((way, donate and native.writable(MEMORY, job)), []).append(i)
        elif not job.p.is_cpu and torch_lists.obstacle(job) is None:
            chosen.setdefault((torch_lists.step, donate), []).append(i)
        else:
            results[i] = slow(adam, job, donate)
    for (way, in_place), places in chosen.items():
        new = way(adam, [jobs[i] for i in places], in_place)
        for i, result in zip(places, new, strict=True):
            results[i] = result
            if jobs[i].p.requires_grad:
                result.p.requires_grad_()
    return results


def native_step(adam: Adam, jobs: Sequence[Job], in_place: bool) -> list[Result]:
    return native.step(adam, jobs, in_place, MEMORY)


def block_step(adam: Adam, jobs: Sequence[Job], in_place: bool) -> list[Result]:
    """By NumPy, in the tensors' own memory."""
    from adamcore.backends import numpy_fast

    def seen(x: Any) -> Any:
        return x.detach().numpy() if isinstance(x, torch.Tensor) else x

    news = numpy_fast.in_blocks(adam, [Job(*map(seen, job)) for job in jobs], in_place)
    if not in_place:
        return [Result(*(None if x is None else torch.from_numpy(x) for x in new)) for new in news]
    MEMORY.written([job.p for job in jobs])
    return [Result(job.p, job.m, job.v, job.v_max) for job in jobs]


def obstacle(job: Job) -> str | None:
    """Why machine code can't do a job; None if it can."""
    if job.p.dtype not in REALS:
        return f"{job.p.dtype}"
    if np is None and not machine.available():
        return "neither llvmlite nor NumPy"
    return native.obstacle(MEMORY, job)


def prepare(adam: Adam, jobs: Sequence[Job]) -> Prepared | None:
    """Jobs that were done in place, ready to be done again."""
    return native.prepare(adam, jobs, MEMORY, block_step)

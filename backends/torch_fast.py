"""The fast paths of PyTorch on the CPU: machine code over the tensors' own memory, else `_foreach` calls.

With the extra [fast], tensors stay where they are: a kernel reads their addresses.  Without it the
program runs in place, one call of PyTorch for each operation and many tensors at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch

from adamcore.backends import machine, native
from adamcore.definition import Array
from adamcore.protocol import Job, Result

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
    """The jobs: in machine code, or by ``slow`` where that can't be."""
    if torch.compiler.is_compiling() or not machine.available():
        return [slow(adam, job, donate) for job in jobs]
    results: list[Any] = [None] * len(jobs)
    chosen: dict[bool, list[int]] = {}
    for i, job in enumerate(jobs):
        if obstacle(job) is not None:
            results[i] = slow(adam, job, donate)
        else:
            chosen.setdefault(donate and native.writable(MEMORY, job), []).append(i)
    for in_place, places in chosen.items():
        new = native.step(adam, [jobs[i] for i in places], in_place, MEMORY)
        for i, result in zip(places, new, strict=True):
            results[i] = result
            if jobs[i].p.requires_grad:
                result.p.requires_grad_()
    return results


def obstacle(job: Job) -> str | None:
    """Why machine code can't do a job; None if it can."""
    if job.p.dtype not in REALS:
        return f"{job.p.dtype}"
    return native.obstacle(MEMORY, job)


def prepare(adam: Adam, jobs: Sequence[Job]) -> native.Steady | None:
    """Jobs that were done in place, ready to be done again."""
    return native.prepare(adam, jobs, MEMORY)

"""The program over lists of tensors, one ``torch._foreach`` call for each operation of it.

It serves devices that have no kernel of their own (ROCm, MPS, XPU).  It works in place on what is no longer
needed, so that beside the results it takes two lists of scratch.  Coefficients may be 0-d tensors on the
device, so that a step can be captured in a graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from adamcore.backends.kernels.memory import arrays_of
from adamcore.backends.torch import root
from adamcore.config import AdamConfig
from adamcore.jobs import Job, Result
from adamcore.tracing import Program
from adamcore.tracing import program as program_of

KINDS = ("add", "sub", "mul", "div", "neg", "sign")


def maximum(xs: list[torch.Tensor], b: Any) -> list[torch.Tensor]:
    """Return the larger of each element and of ``b``: a list of tensors, a number, or a 0-d tensor."""
    found: Any = torch._foreach_maximum(xs, [b] * len(xs) if isinstance(b, torch.Tensor) else b)
    return list(found)


def maximum_(xs: list[torch.Tensor], b: Any) -> None:
    """Write what :func:`maximum` returns into its first argument."""
    torch._foreach_maximum_(xs, [b] * len(xs) if isinstance(b, torch.Tensor) else b)


FUNCTIONS = {kind: getattr(torch, f"_foreach_{kind}") for kind in KINDS}
FUNCTIONS |= {"sqrt": root.foreach_sqrt, "maximum": maximum}
IN_PLACE = {kind: getattr(torch, f"_foreach_{kind}_") for kind in KINDS}
IN_PLACE |= {"sqrt": root.foreach_sqrt_, "maximum": maximum_}

Run = Callable[[Program, dict[str, list[Any]], dict[str, Any], bool], dict[str, list[Any]]]


def unsupported(job: Job) -> str | None:
    """Return why a job can't be part of a list, or None."""
    if job.formats.is_complex:
        return "complex numbers"
    if job.where is not None:
        return "a mask or flag"
    if any(x.dtype != job.formats.work for x in arrays_of(job)):
        return f"{job.p.dtype}, with arithmetic in {job.formats.work}"
    if any(type(x) not in (torch.Tensor, torch.nn.Parameter) for x in arrays_of(job)):
        return "a tensor of a subclass"
    return None


def step(adam: AdamConfig, jobs: Sequence[Job], in_place: bool, run: Run) -> list[Result]:
    """Carry out supported jobs, in groups of one device, dtype and row of coefficients.

    Args:
        adam: whose step it is.
        jobs: the jobs.
        in_place: True if results go into the jobs' own tensors.
        run: carries out a program on lists: (program, lists by input, scalars by name, in_place).
    """
    groups: dict[Any, list[int]] = {}
    for i, job in enumerate(jobs):
        groups.setdefault((job.p.device, job.p.dtype, id(job.coefficients)), []).append(i)
    results: list[Any] = [None] * len(jobs)
    for indices in groups.values():
        new = _step_alike(adam, [jobs[i] for i in indices], in_place, run)
        for i, result in zip(indices, new, strict=True):
            results[i] = result
    return results


def _step_alike(adam: AdamConfig, jobs: list[Job], in_place: bool, run: Run) -> list[Result]:
    c, work = jobs[0].coefficients, jobs[0].p.dtype
    program = program_of(adam, c)
    lists = dict(zip(program.inputs, map(list, zip(*map(arrays_of, jobs), strict=True)), strict=True))
    scalars = {
        name: x.to(work) if isinstance(x, torch.Tensor) else x
        for name, x in zip(program.coefficients, program.used(c), strict=True)
    }
    new = run(program, lists, scalars, in_place)
    columns = [new[name] for name, _ in program.outputs]
    if len(columns) == 3:
        columns.append([None] * len(jobs))
    return [Result(*row) for row in zip(*columns, strict=True)]


def run(
    program: Program, lists: dict[str, list[Any]], scalars: dict[str, Any], in_place: bool
) -> dict[str, list[Any]]:
    """Carry out a program on lists of tensors; return the new lists by name."""
    last = {name: number for number, op in enumerate(program.ops) for name in op.args}
    result = {value: name for name, value in program.outputs}
    known: dict[str, Any] = {**lists, **scalars}
    memory = {name: name for name in lists}  #: the input whose tensors a value is in
    for number, op in enumerate(program.ops):
        names = list(op.args)
        if names[0] in scalars:  # a product, which commutes
            names.reverse()
        first = names[0]
        dead = last[first] == number and first not in names[1:] and first not in result
        own = in_place and result.get(op.out) == first
        args = [known[name] for name in names]
        if dead and (own or first not in lists):
            IN_PLACE[op.kind](*args)
            known[op.out] = args[0]
            if first in memory:
                memory[op.out] = memory[first]
        else:
            known[op.out] = list(FUNCTIONS[op.kind](*args))
        for name in set(op.args):
            if last[name] == number and name not in lists and name not in result:
                del known[name]
    new = {name: known[value] for name, value in program.outputs}
    if in_place:
        for name, value in program.outputs:
            if memory.get(value) != name:
                torch._foreach_copy_(lists[name], new[name])
                new[name] = lists[name]
    return new

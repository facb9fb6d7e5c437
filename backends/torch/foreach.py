"""The program over lists of tensors, one ``torch._foreach`` call for each operation of it.

For devices that have no kernel of their own (:mod:`adamcore.backends.torch.cuda`): ROCm, MPS, XPU.  It
works in place on what is no longer needed, so that beside results it takes two lists of scratch;
coefficients may be 0-d tensors on the device, so that a step can be captured in a graph.  No figure for a
GPU is given anywhere in these pages: none was at hand to measure on, nor to run this.  It is tested with
tensors on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from adamcore.backends.kernels.cpu import arrays_of
from adamcore.backends.torch import root
from adamcore.config import AdamConfig
from adamcore.protocol import Job, Result
from adamcore.tracing import Program, program

KINDS = ("add", "sub", "mul", "div", "neg", "maximum")
FUNCTIONS = {kind: getattr(torch, f"_foreach_{kind}") for kind in KINDS} | {"sqrt": root.foreach_sqrt}
IN_PLACE = {kind: getattr(torch, f"_foreach_{kind}_") for kind in KINDS} | {"sqrt": root.foreach_sqrt_}

Run = Callable[[Program, dict[str, list[Any]], dict[str, Any], bool], dict[str, list[Any]]]


def unsupported(job: Job) -> str | None:
    """Why a job can't be part of a list; None if it can."""
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
    """The jobs, all without an obstacle, in groups of one device, dtype and set of coefficients."""
    groups: dict[Any, list[int]] = {}
    for i, job in enumerate(jobs):
        groups.setdefault((job.p.device, job.p.dtype, id(job.coefficients)), []).append(i)
    results: list[Any] = [None] * len(jobs)
    for places in groups.values():
        some = [jobs[i] for i in places]
        for i, result in zip(places, _group(adam, some, in_place, run), strict=True):
            results[i] = result
    return results


def _group(adam: AdamConfig, jobs: list[Job], in_place: bool, run: Run) -> list[Result]:
    c, work = jobs[0].coefficients, jobs[0].p.dtype
    made = program(adam, c)
    lists = dict(zip(made.inputs, map(list, zip(*map(arrays_of, jobs), strict=True)), strict=True))
    scalars = {
        name: x.to(work) if isinstance(x, torch.Tensor) else x
        for name, x in zip(made.coefficients, made.used(c), strict=True)
    }
    new = run(made, lists, scalars, in_place)
    columns = [new[name] for name, _ in made.outputs]
    if len(columns) == 3:
        columns.append([None] * len(jobs))
    return [Result(*row) for row in zip(*columns, strict=True)]


def run(
    made: Program, lists: dict[str, list[Any]], scalars: dict[str, Any], in_place: bool
) -> dict[str, list[Any]]:
    """The program carried out on lists; the new ones by name."""
    last = {name: number for number, op in enumerate(made.ops) for name in op.args}
    result = {value: name for name, value in made.outputs}
    known: dict[str, Any] = {**lists, **scalars}
    for number, op in enumerate(made.ops):
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
        else:
            known[op.out] = list(FUNCTIONS[op.kind](*args))
        for name in set(op.args):
            if last[name] == number and name not in lists and name not in result:
                del known[name]
    new = {name: known[value] for name, value in made.outputs}
    if in_place:
        for name, made_list in new.items():
            if made_list is not lists[name]:
                torch._foreach_copy_(lists[name], made_list)
                new[name] = lists[name]
    return new

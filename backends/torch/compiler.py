"""The program made into one kernel by torch.compile, where it is asked for and there is a compiler.

Within ``adamcore.backends.torch.compiled()`` steps on every device go this way, those of ``Adam.step`` and
of the optimizers.  It is :mod:`adamcore.backends.torch.foreach` with its operations fused.  A list of
tensors becomes one program, compiled once for its shapes.  Coefficients are 0-d tensors that go in, so that
neither a new learning rate nor the clock compiles anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from types import FunctionType
from typing import Any

import torch

from adamcore.backends.torch import foreach
from adamcore.config import AdamConfig
from adamcore.jobs import Job, Result
from adamcore.tracing import Program

_on: ContextVar[bool] = ContextVar("adamcore_torch_compiled", default=False)
Lists = dict[str, list[Any]]

#: True before 2.13: torch.compile may not trace ``torch._foreach`` calls on a list and a 0-d tensor of the
#: CPU, and traces those on two lists.
SCALARS_AS_LISTS = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 13)


@contextmanager
def compiled() -> Iterator[None]:
    """Carry out steps of PyTorch's tensors, within, by programs that torch.compile makes.

    Example:
        >>> from adamcore import Adam
        >>> params, adam = [torch.ones(3), torch.ones(2)], Adam(lr=0.1)
        >>> state = adam.init(params)
        >>> with compiled():  # doctest: +SKIP
        ...     params, state = adam.step(params, params, state, donate=True)
    """
    before = _on.set(True)
    try:
        yield
    finally:
        _on.reset(before)


def is_on() -> bool:
    """True within :func:`compiled`."""
    return _on.get()


def step(adam: AdamConfig, jobs: Sequence[Job], in_place: bool, memory: object) -> list[Result]:
    """Carry out jobs that :func:`adamcore.backends.torch.foreach.unsupported` allows."""
    return foreach.step(adam, jobs, in_place, run)


def run(program: Program, lists: Lists, scalars: dict[str, Any], in_place: bool) -> Lists:
    """Do what :func:`adamcore.backends.torch.foreach.run` does, by a program compiled for these shapes."""
    like = lists["p"][0]
    if not any(isinstance(x, torch.Tensor) for x in scalars.values()):
        values = torch.tensor(list(scalars.values()), dtype=like.dtype, device=like.device)
        scalars = dict(zip(scalars, values.unbind(), strict=True))
    kinds = tuple((x.shape, x.stride(), x.dtype, x.device) for xs in lists.values() for x in xs)
    bare = {name: [x.detach() for x in xs] for name, xs in lists.items()}
    new = program_for(program, in_place, kinds)(bare, scalars)
    return {name: lists[name] for name in new} if in_place else new


@lru_cache(maxsize=64)
def program_for(program: Program, in_place: bool, kinds: object) -> Callable[[Lists, dict[str, Any]], Lists]:
    """Return what torch.compile makes of a program, for tensors of these kinds."""

    def body(lists: Lists, scalars: dict[str, Any]) -> Lists:
        if SCALARS_AS_LISTS:
            scalars = {name: [x] * len(lists["p"]) for name, x in scalars.items()}
        return foreach.run(program, lists, scalars, in_place)

    # torch.compile counts compilations by code object, and gives up after some: each has its own
    alone = FunctionType(body.__code__.replace(), body.__globals__, "body", None, body.__closure__)
    return torch.compile(alone, fullgraph=True, dynamic=False)

"""The contenders: for each framework the steps of adamcore and the framework's own Adams."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from adamcore import Adam
from adamcore.conformance.bench import steps_cuda
from adamcore.conformance.bench.step import Step
from adamcore.conformance.bench.steps import (
    blocks_numpy,
    blocks_torch,
    definition_numpy,
    evict_numpy,
    evict_torch,
    optimizer_torch,
    ours_numpy,
    ours_torch,
    plain_numpy,
    torch_optim,
)
from adamcore.conformance.bench.steps_jax import (
    evict_jax,
    flat_donated,
    flat_jit,
    native_jit,
    optax_jit,
    ours_jax,
    ours_jit,
    packed_donated,
    packed_native_jit,
)
from adamcore.conformance.bench.workloads import NARROW, Shapes, elements
from adamcore.storage.policies import PStorage


@dataclass(frozen=True)
class Contender:
    """One implementation of a step that is timed."""

    framework: str
    name: str
    make: Callable[[Shapes], Step]  #: returns the step for arrays of these shapes
    ours: bool = False  #: True if it is adamcore's
    baseline: bool = False  #: True if the others of its framework are compared with it
    most: int = 1 << 40  #: elements up to which it is timed; a slow one would take too long
    many: bool = True  #: True if it is timed on lists of many arrays; XLA may compile these for minutes
    single: bool = True  #: True if it is timed on one array


EIGHT_BITS: Any = {"m_storage": "companded8", "v_storage": "companded8"}


def narrow(framework: str, dtype: str) -> tuple[Contender, ...]:
    """Return the contenders of a framework whose parameters are stored in 16 bits."""
    beside = Adam(moment_dtype="float32")
    policies: tuple[PStorage, ...] = ("split", "split8", "stochastic")
    kept = [
        Contender(
            framework,
            f"adamcore.backends.torch.Adam, {policy}",
            partial(optimizer_torch, dtype=dtype, p_storage=policy),
            ours=True,
        )
        for policy in policies
        if (policy, dtype) != ("split8", "float16")
    ]
    coded = Adam(p_storage="split8" if dtype == "bfloat16" else "split", **EIGHT_BITS)
    return (
        Contender(framework, "torch.optim.Adam(fused=True)", torch_optim(dtype, fused=True), baseline=True),
        Contender(framework, "torch.optim.Adam(fused=True), float32", torch_optim(fused=True)),
        Contender(framework, "adamcore", partial(ours_torch, dtype=dtype), ours=True),
        Contender(
            framework,
            "adamcore, moments in float32",
            partial(ours_torch, dtype=dtype, adam=beside),
            ours=True,
        ),
        Contender(
            framework, "adamcore.backends.torch.Adam", partial(optimizer_torch, dtype=dtype), ours=True
        ),
        *kept,
        Contender(
            framework,
            f"adamcore, {coded.p_storage}, moments in 8 bits",
            partial(ours_torch, dtype=dtype, adam=coded),
            ours=True,
        ),
    )


CONTENDERS = (
    Contender("numpy", "usual, whole arrays", plain_numpy, baseline=True),
    Contender("numpy", "adamcore", ours_numpy, ours=True),
    Contender("numpy", "adamcore without machine code", blocks_numpy, ours=True),
    Contender("numpy", "adamcore, the definition alone", definition_numpy, ours=True, most=1 << 25),
    Contender("torch", "torch.optim.Adam(fused=True)", torch_optim(fused=True), baseline=True),
    Contender("torch", "torch.optim.Adam(foreach=True)", torch_optim(foreach=True), most=1 << 25),
    Contender("torch", "torch.optim.Adam(foreach=False)", torch_optim(foreach=False), most=1 << 25),
    Contender("torch", "adamcore", ours_torch, ours=True),
    Contender("torch", "adamcore.backends.torch.Adam", optimizer_torch, ours=True),
    Contender("torch", "adamcore without machine code", blocks_torch, ours=True, most=1 << 25),
    *(each for framework, dtype in NARROW.items() for each in narrow(framework, dtype)),
    Contender(
        "torch:cuda", "torch.optim.Adam(fused=True)", steps_cuda.torch_optim(fused=True), baseline=True
    ),
    Contender(
        "torch:cuda", "torch.optim.Adam(fused=True), graph", steps_cuda.torch_optim(graph=True, fused=True)
    ),
    Contender("torch:cuda", "torch.optim.Adam(foreach=True)", steps_cuda.torch_optim(foreach=True)),
    Contender("torch:cuda", "adamcore", steps_cuda.donated(), ours=True),
    Contender("torch:cuda", "adamcore, graph", steps_cuda.donated(graph=True), ours=True),
    Contender("torch:cuda", "adamcore.backends.torch.Adam", steps_cuda.optimizer(), ours=True),
    Contender("torch:cuda", "adamcore.backends.torch.Adam, graph", steps_cuda.optimizer(True), ours=True),
    Contender("jax", "optax.adam under jit", optax_jit, baseline=True),
    Contender("jax", "adamcore under jit", ours_jit(Adam()), ours=True, many=False),
    Contender(
        "jax",
        "adamcore under jit, one clock",
        ours_jit(Adam(clock="global")),
        ours=True,
        single=False,
        most=1 << 25,
    ),
    Contender("jax", "adamcore under jit, native()", native_jit, ours=True, many=False),
    Contender("jax", "adamcore", ours_jax, ours=True),
    Contender("jax", "adamcore under jit, packed, native()", packed_native_jit, ours=True, single=False),
    Contender("jax", "adamcore, packed", packed_donated, ours=True, single=False),
    Contender("jax", "adamcore under jit, flat", flat_jit, ours=True, single=False),
    Contender("jax", "adamcore, flat", flat_donated, ours=True, single=False),
)


EVICT: dict[str, Callable[[], Callable[[], None]]] = {
    "numpy": evict_numpy,
    "torch": evict_torch,
    **dict.fromkeys(NARROW, evict_torch),
    "torch:cuda": steps_cuda.evict,
    "jax": evict_jax,
}
NEEDS: dict[str, tuple[str, ...]] = {
    "numpy": ("numpy",),
    "torch": ("torch",),
    **dict.fromkeys(NARROW, ("torch",)),
    "torch:cuda": ("torch",),
    "jax": ("jax", "optax"),
}
FRAMEWORKS = tuple(NEEDS)


def installed(framework: str | None = None) -> Iterator[Contender]:
    """Yield the contenders whose libraries and device are available, of one framework or of all."""
    for each in CONTENDERS:
        if framework in (None, each.framework) and is_available(each.framework):
            yield each


def is_available(framework: str) -> bool:
    """True if a framework's libraries are installed and its device exists."""
    if not all(map(importlib.util.find_spec, NEEDS[framework])):
        return False
    if framework != "torch:cuda":
        return True
    import torch

    return torch.cuda.is_available()


def fits(each: Contender, shapes: Shapes) -> bool:
    """True if a contender is timed on arrays of these shapes."""
    if len(shapes) == 1:
        return each.single and elements(shapes) <= each.most
    return elements(shapes) <= each.most and (each.many or len(shapes) <= 200)

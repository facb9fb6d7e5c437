"""Array candidates: classes with ``init(params, hyper)`` and ``step(grads)`` on NumPy arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adamcore.conformance.candidates.arguments import effective_hyper, is_number, parse_settings
from adamcore.conformance.candidates.base import (
    Info,
    Refusal,
    cast,
    describe,
    run_steps,
    same_bits,
    unsupported,
)
from adamcore.conformance.probe import Probe, Run, Step

STANDARD = ("lr", "b1", "b2", "eps", "weight_decay")  #: what ``init`` is given unless it asks for more
ALL = (*STANDARD, "eps_root", "momentum_decay")


class ArrayCandidate:
    """Run a class that keeps the contract of docs/checking.md.

    The class may have, besides: ``set_lr(lr)``; ``dialect``, its claim; ``hyper``, the names of
    the hyperparameters it takes; ``flushes_subnormals``.
    """

    def __init__(self, cls: type, settings: Mapping[str, str]) -> None:
        self.cls = cls
        _, values = parse_settings(settings)
        self.fixed = {k: float(v) for k, v in values.items() if k in ALL and is_number(v)}
        self.keywords = {k: v for k, v in values.items() if k not in self.fixed}
        taken = tuple(getattr(cls, "hyper", STANDARD))
        self.lacks = tuple(name for name in ALL if name not in taken and name not in self.fixed)

    @property
    def info(self) -> Info:
        return Info(
            "array candidate",
            dialect=getattr(self.cls, "dialect", None),
            lacks=self.lacks,
            fixed=self.fixed,
            flushes=bool(getattr(self.cls, "flushes_subnormals", False)),
        )

    def run(self, probe: Probe, dtype: str) -> Run:
        if reason := unsupported(probe, lr=hasattr(self.cls, "set_lr")):
            return Run(unsupported=reason)
        return run_steps(ArrayStepper(self, probe, dtype), probe)


class ArrayStepper:
    def __init__(self, candidate: ArrayCandidate, probe: Probe, dtype: str) -> None:
        self.dtype = dtype
        hyper = effective_hyper(probe.hyper, candidate.lacks, candidate.fixed)
        try:
            self.optimizer: Any = candidate.cls(**candidate.keywords)
            self.optimizer.init([cast(p, dtype) for p in probe.params], {"weight_decay": 0.0} | hyper)
        except Exception as error:
            raise Refusal(describe(error)) from error

    def step(self, index: int, step: Step) -> tuple[list[Any], list[str]]:
        if step.lr is not None:
            self.optimizer.set_lr(step.lr)
        grads = [None if g is None else cast(g, self.dtype) for g in step.grads]
        after = self.optimizer.step(list(grads))
        written = [
            f"gradient {i} in step {index}"
            for i, (given, g) in enumerate(zip(grads, step.grads, strict=True))
            if given is not None and g is not None and not same_bits(given, cast(g, self.dtype))
        ]
        return list(after), written

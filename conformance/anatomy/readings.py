"""What the runs of the experiments show directly: moves of parameters, weights, roots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adamcore import Adam
from adamcore.conformance.anatomy.experiments import CONSTANT, PLACES, SMALL, TINY, ZERO, T
from adamcore.conformance.anatomy.measured import Measured
from adamcore.conformance.oracle.model import FloatSlot
from adamcore.conformance.oracle.trajectory import simulate
from adamcore.conformance.types import FloatArray, Probe, Run

ROUNDING = {"float64": 2.0**-53, "float32": 2.0**-24}  #: the largest relative error of one rounding
SMALLEST = {"float64": 2.0**-1074, "float32": 2.0**-149}
STEP_ROUNDINGS = 16  #: roundings that go into one update


@dataclass(frozen=True)
class Readings:
    """The runs of one candidate, or of a claim, in one dtype."""

    runs: Mapping[str, Run]  #: by the name of the experiment
    probes: Mapping[str, Probe]  #: the experiments with the hyperparameters that the candidate got
    dtype: str

    def hyper(self, name: str, experiment: str = "main") -> float:
        return self.probes[experiment].hyper[name]

    def why_not(self, name: str) -> str | None:
        """Return why an experiment has no complete run, or None if it has one."""
        run = self.runs.get(name)
        if run is None:
            return "it was not run"
        if run.unsupported or run.error:
            return run.unsupported or run.error
        shapes = [np.shape(p) for p in self.probes[name].params]
        if any([np.shape(p) for p in after] != shapes for after in run.params):
            return "parameters came back in another shape"
        return None

    def positions(self, name: str, i: int = 0) -> FloatArray:
        """Return the flat parameter ``i`` before the first step and after each: (steps + 1, elements)."""
        name, start = PLACES.get(name, (name, 0))
        probe, i = self.probes[name], start + i
        if self.why_not(name):
            return np.full((len(probe.steps) + 1, probe.params[i].size), np.nan)
        after = [np.ravel(step[i]).astype(np.float64) for step in self.runs[name].params]
        return np.stack([np.ravel(probe.params[i]).astype(np.float64), *after])

    def moves(self, name: str, i: int = 0) -> Measured:
        """Return by how much each step lowered parameter ``i``: (steps, elements)."""
        p = self.positions(name, i)
        unit, tiny = ROUNDING[self.dtype], SMALLEST[self.dtype]
        with np.errstate(all="ignore"):
            moved = p[:-1] - p[1:]
            held = unit * (np.abs(p[:-1]) + np.abs(p[1:])) * (moved != 0)
            return Measured(moved, held + STEP_ROUNDINGS * unit * np.abs(moved) + tiny)

    def answers(self, name: str) -> Measured:
        """Return the moves of impulses, less what an element without any gradient does."""
        moved = self.moves(name)
        return moved - finite(moved[:, ZERO : ZERO + 1])

    def curve(self, name: str) -> Measured:
        """Return the first step of a run in which each element has a gradient of its own, the last one 0."""
        moved = self.moves(name)[0]
        return moved[:-1] - finite(moved[-1:])

    @cached_property
    def below(self) -> tuple[str, float]:
        """The run of impulses far below eps, and their size: a larger one if moments do not start at 0."""
        begun = np.any(finite(self.moves("linear")[:, ZERO]).value) and self.why_not("started") is None
        return ("started", SMALL) if begun else ("linear", TINY)

    @cached_property
    def linear(self) -> Measured:
        """The update per gradient where it is linear in it, times eps / lr: (steps, elements)."""
        name, size = self.below
        return self.answers(name) / (self.hyper("lr") * size) * self.hyper("eps")

    @cached_property
    def normal(self) -> Measured:
        """The update over lr where the root of v is much larger than eps: (steps, elements)."""
        return self.answers("normal") / self.hyper("lr")

    @cached_property
    def roots(self) -> Measured:
        """What stands under the root of v_hat per squared gradient of size 1: (steps, elements)."""
        return (self.linear / self.normal).squared()

    @cached_property
    def exponents(self) -> tuple[Measured, Measured]:
        """By which power of a first gradient the steps go up, far below eps and far above it: (steps,)."""
        return tuple(
            (self.answers(name)[:, T] / self.answers(name)[:, 0]).log2() for name in (self.below[0], "normal")
        )  # type: ignore[return-value]

    @property
    def first_sums(self) -> Measured:
        """The sum of the first moment's weights, corrected, in each step."""
        return self.linear[:, CONSTANT]

    @property
    def second_sums(self) -> Measured:
        """The sum of the second moment's weights, corrected, in each step."""
        return self.roots[:, CONSTANT]


def finite(measured: Measured) -> Measured:
    """Return the values with 0 in the place of those that are not finite."""
    there = np.isfinite(measured.value)
    return Measured(np.where(there, measured.value, 0.0), np.where(there, measured.error, 0.0))


def readings_of_claim(adam: Adam, probes: Mapping[str, Probe], dtype: str) -> Readings:
    """Return what an Adam does on the experiments, in float64."""
    return Readings({name: run_of_claim(adam, probe) for name, probe in probes.items()}, probes, dtype)


def run_of_claim(adam: Adam, probe: Probe) -> Run:
    """Return what an Adam does in one experiment; an error if it does not allow the hyperparameters."""
    with np.errstate(all="ignore"):
        try:
            made = simulate(adam, probe, FloatSlot)
        except ValueError as error:
            return Run(error=str(error))
    params = [
        [part[0].reshape(p.shape) for part, p in zip(step, probe.params, strict=True)] for step in made.steps
    ]
    return Run(params=params, error="the claim raises an error here" if made.raises else None)

"""A candidate's runs under a claim, laid out so that a diagnosis can compare them with many models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.conformance.oracle.bounds import bounds
from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.oracle.sharing import canonical_claim
from adamcore.conformance.oracle.trajectory import Trajectory, real_parts
from adamcore.conformance.types import FloatArray, Probe, Result, Run
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.verdict.match import CLOSE, float_trajectory, is_proved

NEARER = 0.25  #: a model is like a run that lies at most this much of the claim's distance from it
ELSEWHERE = 1e-4  #: distance, in lr, from which a model contradicts a run that passed
SHORT = 12  #: steps of the probes that are asked whether a cause breaks what passed
Key = tuple[str, str]  #: probe and dtype


@dataclass
class Case:
    """What a candidate did under a claim.

    Attributes:
        claim: what the results were judged against.
        runs: by (probe name, dtype).
        results: the judgements.
        flushes: whether the candidate flushes subnormals.
        probes: as the candidate saw them.
    """

    claim: Adam
    runs: Mapping[Key, Run]
    results: Sequence[Result]
    flushes: bool
    probes: Mapping[str, Probe]
    vectors: dict[Key, FloatArray | None] = field(default_factory=dict)

    def probe(self, result: Result) -> Probe:
        return self.probes[result.probe]

    def run(self, result: Result) -> Run:
        return self.runs[result.probe, result.dtype]

    def is_required(self, result: Result) -> bool:
        return self.probe(result).level == "must"

    def count_required(self, results: Sequence[Result]) -> int:
        return sum(self.is_required(r) for r in results)

    @property
    def passed(self) -> list[Result]:
        return [r for r in self.results if r.status == "passed"]

    def failures(self) -> list[Result]:
        """What failed, the most telling first: duties, with evidence, from the start, short ones."""

        def order(r: Result) -> tuple[object, ...]:
            p = self.probe(r)
            return p.level, r.evidence is None, p.manner, bool(p.start), len(p.steps), r.dtype, r.probe

        return sorted((r for r in self.results if r.status == "failed"), key=order)

    def vector(self, result: Result) -> FloatArray | None:
        """The run as :func:`flat_run` has it."""
        key = result.probe, result.dtype
        if key not in self.vectors:
            self.vectors[key] = flat_run(self.run(result))
        return self.vectors[key]

    def passes(self, other: Adam, result: Result) -> bool:
        """Whether a run passes under another claim; one that is no matter of it does not."""
        probe = self.probe(result)
        if not probe.applies_to(other):
            return False
        run = self.run(result)
        return judge(other, probe, result.dtype, run, flushes=self.flushes).status == "passed"

    def breaks(self, other: Adam) -> bool:
        """Whether a run that passed fails under another claim; long ones are not asked."""
        return any(
            not self.passes(other, r)
            for r in self.passed
            if len(self.probe(r).steps) <= SHORT and self.probe(r).applies_to(other)
        )

    def looks_like(self, fault: Fault, result: Result) -> bool:
        """Whether a run lies near the claim with the fault, and much nearer than to the claim."""
        if fault.narrow:  # the same numbers, only wider bounds
            return self.is_proved(fault, result)
        got, probe = self.vector(result), self.probe(result)
        if got is None:
            walked = float_trajectory(self.claim, probe, fault)
            return walked is not None and walked.raises and self.run(result).error is not None
        model = flat_model(self.claim, probe, fault)
        apart = distance(got, model, probe)
        return apart <= CLOSE and apart <= NEARER * distance(got, flat_model(self.claim, probe, None), probe)

    def is_proved(self, fault: Fault, result: Result) -> bool:
        return is_proved(
            self.claim, self.probe(result), result.dtype, self.run(result), flushes=self.flushes, fault=fault
        )

    def contradicts(self, fault: Fault, result: Result) -> bool:
        """Whether a run that passed could not have passed with the fault."""
        probe = self.probe(result)
        plain, model = flat_model(self.claim, probe, None), flat_model(self.claim, probe, fault)
        return plain is not None and model is not None and distance(model, plain, probe) > ELSEWHERE

    def ratios(self, result: Result) -> FloatArray | None:
        """Error over bound of every step (row) and element (column); infinite after an error."""
        run, probe = self.run(result), self.probe(result)
        want = exact(self.claim, probe)
        if run.unsupported or not want.steps:
            return None
        limit = bounds(self.claim, probe, result.dtype, self.flushes)
        rows = np.full((len(want.steps), sum(x.high.size for p in want.steps[0] for x in p)), np.inf)
        for row, values, limits, got in zip(rows, want.steps, limit.steps, run.params, strict=False):
            mine = [part for p in got for part in real_parts(p)]
            parts = [(x, b) for p, q in zip(values, limits, strict=True) for x, b in zip(p, q, strict=True)]
            if [m.size for m in mine] != [x.high.size for x, _ in parts]:
                return None
            with np.errstate(all="ignore"):
                ratio = [np.abs(x.error_of(m)) / b.p for m, (x, b) in zip(mine, parts, strict=True)]
                same = [(m == x.high) | ~np.isfinite(x.high) for m, (x, _) in zip(mine, parts, strict=True)]
            row[:] = np.where(np.concatenate(same), 0.0, np.nan_to_num(np.concatenate(ratio), nan=np.inf))
        return rows


def flat_run(run: Run) -> FloatArray | None:
    """A run as one vector of float64, None where it has an error or a step of another size."""
    steps = [[part for p in got for part in real_parts(p)] for got in run.params]
    return None if run.unsupported or run.error else flat(steps)


def flat(steps: Sequence[Sequence[FloatArray]]) -> FloatArray | None:
    """All elements of all steps, in float64; None where steps differ in size."""
    rows = [np.concatenate([np.ravel(x).astype(float) for x in step]) for step in steps if step]
    if len({row.size for row in rows}) > 1:
        return None
    return np.concatenate(rows) if rows else np.zeros(0)


def flat_model(claim: Adam, probe: Probe, fault: Fault | None) -> FloatArray | None:
    """The trajectory of the claim with the fault, in float64; None where there is none to compare."""
    return flattened(canonical_claim(claim, probe, fault), probe, fault)


@lru_cache(maxsize=32768)
def flattened(claim: Adam, probe: Probe, fault: Fault | None) -> FloatArray | None:
    model: Trajectory[Any] | None = float_trajectory(claim, probe, fault)
    if model is None or model.raises:
        return None
    return flat([[part for p in step for part in p] for step in model.steps])


def distance(got: FloatArray, model: FloatArray | None, probe: Probe) -> float:
    """How far apart two trajectories are, in lr; infinite where one alone is not finite."""
    if model is None or got.shape != model.shape:
        return np.inf
    known = np.isfinite(model)
    if (np.isfinite(got) != known).any():
        return np.inf
    with np.errstate(all="ignore"):
        apart = np.abs(got - model) / ((probe.hyper["lr"] or 1.0) + 1e-3 * np.abs(model))
    return float(apart.max(initial=0.0, where=known))

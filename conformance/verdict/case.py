"""A case: a candidate's runs and their results under a claim, and the questions a diagnosis asks of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from adamcore import Adam
from adamcore.conformance.oracle.bounds import bounds
from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.oracle.model import float_trajectory
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.oracle.trajectory import real_parts
from adamcore.conformance.types import FloatArray, Probe, Result, Run, RunKey
from adamcore.conformance.verdict.judge import BIT_FOR_BIT, REFUSED, judge
from adamcore.conformance.verdict.match import CLOSE, distance_in_lr, flat_model, flat_run, is_proved

NEARER = 0.25  #: a run looks like a model that is nearer to it than the claim, by this factor
ELSEWHERE = 1e-4  #: a model at least this far from the claim, in lr, contradicts a run that passed
SHORT = 12  #: steps; longer runs are not asked whether a cause breaks what passed


@dataclass
class Case:
    """What a candidate did under a claim.

    Attributes:
        claim: the claim that the results were judged against.
        runs: what the candidate did.
        results: the judgements.
        flushes: whether the candidate flushes subnormals to zero.
        probes: the probes as the candidate saw them, by name.
    """

    claim: Adam
    runs: Mapping[RunKey, Run]
    results: Sequence[Result]
    flushes: bool
    probes: Mapping[str, Probe]
    _flat_runs: dict[RunKey, FloatArray | None] = field(default_factory=dict, init=False, repr=False)

    def probe(self, result: Result) -> Probe:
        return self.probes[result.probe]

    def run(self, result: Result) -> Run:
        return self.runs[result.probe, result.dtype]

    def is_required(self, result: Result) -> bool:
        """Return whether the probe has the level "must"."""
        return self.probe(result).level == "must"

    def count_required(self, results: Sequence[Result]) -> int:
        return sum(self.is_required(r) for r in results)

    def is_large(self, result: Result) -> bool:
        """Return whether the probe is too large to model every fault on it."""
        return self.probe(result).is_large

    @property
    def passed(self) -> list[Result]:
        return [r for r in self.results if r.status == "passed"]

    def failures(self) -> list[Result]:
        """Return the failed results, the most telling first.

        Required ones come first, then those with evidence, from the start of a run, of few steps.
        """

        def order(r: Result) -> tuple[object, ...]:
            p = self.probe(r)
            manner = "resumed" if p.is_resumed else p.manner
            odd = manner != "plain", manner, bool(p.start)
            return p.level, r.evidence is None, *odd, len(p.steps), r.dtype, r.probe

        return sorted((r for r in self.results if r.status == "failed"), key=order)

    def flat_run(self, result: Result) -> FloatArray | None:
        """Return the run as one vector, or None (:func:`~adamcore.conformance.verdict.match.flat_run`)."""
        key = result.probe, result.dtype
        if key not in self._flat_runs:
            self._flat_runs[key] = flat_run(self.run(result))
        return self._flat_runs[key]

    def learns(self) -> bool:
        """Return whether a run shows first and second moments that gradients have gone into."""
        kept = (moments for run in self.runs.values() for after in run.moments for moments in after)
        return any(x is not None and np.any(x.m) and np.any(x.v) for x in kept)

    def holds_others(self) -> bool:
        """Return whether the optimizer steps other parameters than those it was given in every run."""
        return all(run.unheld for run in self.runs.values() if run.params)

    def passes(self, other: Adam, result: Result) -> bool:
        """Return whether the run passes under another claim; False if the probe does not apply to it.

        A run that fails because its bits are not those of its twin has passed under the claim itself.
        """
        probe = self.probe(result)
        if BIT_FOR_BIT in result.reason or not probe.applies_to(other):
            return False
        run = self.run(result)
        return judge(other, probe, result.dtype, run, flushes=self.flushes).status == "passed"

    def may_keep_as(self, other: Adam, result: Result) -> bool:
        """Return whether the run may pass under a claim that keeps moments in another way.

        The first step uses no moment that was kept.  The later ones are looked at up to the one in which the
        run leaves its bound, which is much less work than the whole run.
        """
        probe, run = self.probe(result), self.run(result)
        if not probe.applies_to(other) or result.evidence is None or result.evidence.step == 1:
            return False
        steps = result.evidence.step
        begun = replace(probe, steps=probe.steps[:steps])
        made = replace(run, params=run.params[:steps], clocks=run.clocks[:steps], error=None)
        return judge(other, begun, result.dtype, made, flushes=self.flushes).status == "passed"

    def breaks(self, other: Adam) -> bool:
        """Return whether a short run that passed does not pass under another claim.

        Less exact coefficients widen the bounds; where they leave none, a run says nothing against them.
        """
        wider = replace(other, coefficients=self.claim.coefficients) == self.claim
        good = ("passed", "undecided") if wider else ("passed",)
        return any(
            judge(other, self.probe(r), r.dtype, self.run(r), flushes=self.flushes).status not in good
            for r in self.passed
            if len(self.probe(r).steps) <= SHORT and not self.is_large(r) and self.probe(r).applies_to(other)
        )

    def looks_like(self, fault: Fault, result: Result) -> bool:
        """Return whether the run lies near the claim with the fault, and much nearer than to the claim."""
        if result.reason.endswith(REFUSED):  # what raises as claimed is no fault that raises
            return False
        if fault.narrow:  # the same numbers, only wider bounds
            return self.is_proved(fault, result)
        got, probe = self.flat_run(result), self.probe(result)
        if got is None:
            model = float_trajectory(self.claim, probe, fault)
            return model is not None and model.raises and self.run(result).error is not None
        distance = distance_in_lr(got, flat_model(self.claim, probe, fault), probe)
        return distance <= CLOSE and distance <= NEARER * distance_in_lr(
            got, flat_model(self.claim, probe, None), probe
        )

    def is_proved(self, fault: Fault, result: Result) -> bool:
        """Return whether the run is that of the claim with the fault."""
        return is_proved(
            self.claim, self.probe(result), result.dtype, self.run(result), flushes=self.flushes, fault=fault
        )

    def contradicts(self, fault: Fault, result: Result) -> bool:
        """Return whether the run, which passed, could not have passed with the fault."""
        probe = self.probe(result)
        if fault.narrow:
            return result.dtype == "float64" and self.is_of_many_digits(result)
        plain, model = flat_model(self.claim, probe, None), flat_model(self.claim, probe, fault)
        return plain is not None and model is not None and distance_in_lr(model, plain, probe) > ELSEWHERE

    def is_of_many_digits(self, result: Result) -> bool:
        """Return whether a run has numbers that float32 does not have."""
        got = self.flat_run(result)
        if got is None:
            return False
        with np.errstate(over="ignore"):
            return bool(np.any(got[np.isfinite(got)] != got[np.isfinite(got)].astype(np.float32)))

    def ratios(self, result: Result) -> FloatArray | None:
        """Return error over bound of every step (row) and element (column), infinite after an error.

        None if the run or the claim has no steps to compare.
        """
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

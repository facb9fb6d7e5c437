"""What has to meet for a probe to fail: the factors without any of which the candidate passes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from adamcore.conformance.probes.factors import Factor
from adamcore.conformance.rules import SAYS
from adamcore.conformance.types import Finding, Probe, Result, Step
from adamcore.conformance.verdict.case import Case


@dataclass(frozen=True)
class Meeting:
    """The factors of a probe that are all needed for a candidate to fail it."""

    factors: Sequence[Factor]
    failure: Result  #: of the probe with all of them
    probe: Probe  #: which has them: what is left of one drawn at random
    cut: Result | None = None  #: how that fails, if it was drawn and cut down

    @property
    def finding(self) -> Finding:
        """What goes wrong, by the first of the factors; those of other arrays come last."""
        first, *others = sorted(self.factors, key=self.is_of_another_array)
        observed = f"goes wrong only with {first.name}"
        if others:
            observed = f"goes wrong only where these meet: {', '.join(each.name for each in self.factors)}"
        said = f"{observed}; {self.failure.reason}"
        if self.cut:
            said = f"{observed}; in {told(self.probe)}, {self.cut.reason}"
        return Finding(first.area, first.rule, SAYS[first.rule], said, evidence=self.failure.evidence)

    def is_of_another_array(self, factor: Factor) -> bool:
        """True if gradients are absent, and what goes wrong has had one in each step."""
        evidence = (self.cut or self.failure).evidence
        if factor.area != "missing" or evidence is None:
            return False
        return all(step.grads[evidence.place[0]] is not None for step in self.probe.steps[: evidence.step])

    def leads_to(self, case: Case, result: Result) -> bool:
        """Return whether a probe that failed has one of the factors, or was drawn at random as this one."""
        probe = case.probe(result)
        return bool(self.cut and probe.drawn) or any(factor.is_in(probe) for factor in self.factors)


def told(probe: Probe) -> str:
    """Return a short run in words.

    >>> from adamcore.conformance.probes import PROBES
    >>> told(PROBES["STATE.4/resumed-rate"])
    '6 steps of an array of shape (3,): lr=0.125 from step 2 on; saved and restored before step 4'
    """
    count = len(probe.steps)
    shapes = ", ".join(str(np.shape(p)) for p in probe.params)
    what = "an array" if len(probe.params) == 1 else "arrays"
    events = [event for t, step in enumerate(probe.steps, start=1) for event in events_of(step, t)]
    steps = "one step" if count == 1 else f"{count} steps"
    return f"{steps} of {what} of shape {shapes}" + (f": {'; '.join(events)}" if events else "")


def events_of(step: Step, t: int) -> Iterator[str]:
    """Yield in words what happens in a step beside that it is made."""
    if step.resumed:
        yield f"saved and restored before step {t}"
    if step.before is not None:
        yield f"parameters are set from outside before step {t}"
    if step.lr is not None:
        yield f"lr={step.lr:g} from step {t} on"
    if step.changes:
        new = ", ".join(f"{name}={value:g}" for name, value in step.changes.items())
        yield f"{new} from step {t} on"
    if step.found_inf:
        yield f"step {t} is skipped"
    for text, numbers in (("no gradient", absent(step)), ("a gradient of 0", zero(step))):
        if numbers:
            yield f"{text} for parameter {', '.join(map(str, numbers))} in step {t}"


def absent(step: Step) -> list[int]:
    """Return the numbers of the parameters without a gradient."""
    return [i for i, g in enumerate(step.grads) if g is None]


def zero(step: Step) -> list[int]:
    """Return the numbers of the parameters whose gradient is 0 in every element."""
    return [i for i, g in enumerate(step.grads) if g is not None and g.size and not np.any(g)]

"""What has to meet for a probe to fail: the factors without any of which the candidate passes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adamcore.conformance.probes.factors import Factor
from adamcore.conformance.rules import SAYS
from adamcore.conformance.types import Finding, Result
from adamcore.conformance.verdict.case import Case


@dataclass(frozen=True)
class Meeting:
    """The factors of a probe that are all needed for a candidate to fail it."""

    factors: Sequence[Factor]
    failure: Result  #: of the probe with all of them

    @property
    def finding(self) -> Finding:
        """What goes wrong, by the first of the factors."""
        first, *others = self.factors
        observed = f"goes wrong only with {first.name}"
        if others:
            observed = f"goes wrong only where these meet: {', '.join(each.name for each in self.factors)}"
        said = f"{observed}; {self.failure.reason}"
        return Finding(first.area, first.rule, SAYS[first.rule], said, evidence=self.failure.evidence)

    def leads_to(self, case: Case, result: Result) -> bool:
        """Return whether a probe that failed has one of the factors."""
        return any(factor.is_in(case.probe(result)) for factor in self.factors)

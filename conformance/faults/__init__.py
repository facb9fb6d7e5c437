"""What a fault is: one way to be wrong that lies beyond the axes.

A fault changes what goes into the definition, never the definition: the probe as the candidate
sees it (gradients, hyperparameters, schedule, masks), the clock it uses, or the coefficients of a
step.  A candidate has the fault where its trajectories are those of the claim with the fault,
within the bound: the oracle and the tolerance serve the diagnosis as they serve the judgement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

from adamcore import Adam
from adamcore.conformance.probe import Probe
from adamcore.definition import Coefficients


class Moment(NamedTuple):
    """The circumstances of one parameter's step."""

    adam: Adam
    t: int
    lr: float
    shape: tuple[int, ...]
    absent: bool  #: its gradient is absent, and it steps all the same (a fault)


Tweak = Callable[[Coefficients, Any], Coefficients]  #: with the Numbers in use


@dataclass(frozen=True, eq=False)
class Fault:
    """One way to be wrong."""

    name: str = ""
    area: str = ""
    rule: str = ""
    observed: str = ""  #: what such a candidate does, for its finding
    probe: Callable[[Probe], Probe] | None = None  #: the probe as it sees it
    clock: Callable[[int, int, int], int] | None = None  #: of (its own t, updates of all, step)
    tweak: Callable[[Coefficients, Any, Moment], Coefficients] | None = None
    absent: Literal["decay", "reset"] | None = None  #: what it does where the gradient is absent

    def tweak_at(self, moment: Moment) -> Tweak | None:
        """The change of coefficients in these circumstances."""
        if moment.absent:
            return decay_alone
        return None if self.tweak is None else partial(apply, self.tweak, moment)


def apply(
    tweak: Callable[[Coefficients, Any, Moment], Coefficients], moment: Moment, c: Coefficients, n: Any
) -> Coefficients:
    return tweak(c, n, moment)


def decay_alone(c: Coefficients, n: Any) -> Coefficients:
    """Coefficients with which the parameter decays and nothing else happens."""
    return c._replace(w1=0.0, w2=0.0, keep1=1.0, keep2=1.0, step_m=0.0, step_g=None)

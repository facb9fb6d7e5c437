"""What a fault is: one way to be wrong that lies beyond the axes.

Most faults change what goes into the definition, never the definition: the probe as the candidate
sees it (gradients, hyperparameters, schedule, masks), the clock it uses, or the coefficients of a
step.  A candidate has such a fault where its trajectories are those of the claim with the fault,
within the bound: the oracle and the tolerance serve the diagnosis as they serve the judgement.

A fault of the formula itself has a `form`, which stands in for the definition's update.  There is
no oracle for it: it is matched by a model in float64, at a few hundred roundings' distance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from adamcore import Adam
from adamcore.axes import CoefficientPrecision
from adamcore.conformance.types import FloatArray, Probe
from adamcore.definition import Coefficients


class Moment(NamedTuple):
    """The circumstances of one parameter's step."""

    adam: Adam
    t: int
    lr: float
    shape: tuple[int, ...]
    absent: bool  #: its gradient is absent, and it steps all the same (a fault)
    step: int  #: the number of this step, the first is 1


class Held(NamedTuple):
    """What a form of the update works on: flat real vectors in float64."""

    parts: list[tuple[FloatArray, FloatArray, FloatArray]]  #: (p, g, m), or both parts of complex ones
    v: FloatArray
    v_max: FloatArray
    memory: dict[str, Any]  #: of this parameter: whatever the fault keeps besides


Moved = tuple[list[tuple[FloatArray, FloatArray]], FloatArray, FloatArray | None]
"""What an update gives: the new ``[(p, m)]``, v and v_max."""

Tweaking = Callable[[Coefficients, Any, Moment], Coefficients]
Form = Callable[[Moment, Coefficients, Held], Moved]


class Ticks(NamedTuple):
    """What a faulty clock can go by."""

    t: int  #: the parameter's own clock, as the claim has it
    calls: int  #: updates of all parameters so far, this one included
    step: int  #: the number of this step
    clocks: tuple[int, ...]  #: of all parameters, in this step
    absent: tuple[bool, ...]  #: who has no gradient in this step
    own: int  #: updates of this parameter with a gradient, those before the start included
    since: int  #: and those since it last had none
    alike: int  #: updates of all parameters of its shape so far, this one included


@dataclass(frozen=True)
class Tweak:
    """What a fault does to the coefficients of one step, with the Numbers in use."""

    change: Tweaking | None
    at: Moment

    def __call__(self, c: Coefficients, n: Any) -> Coefficients:
        return c if self.change is None else self.change(c, n, self.at)


@dataclass(frozen=True, eq=False)
class Fault:
    """One way to be wrong.

    Attributes:
        name: its name.
        area: what a finding calls it by.
        rule: the clause of docs/spec.md that it breaks.
        observed: what such a candidate does, for its finding.
        probe: the probe as it sees it.
        clock: the clock as it counts.
        tweak: the coefficients as it forms them.
        absent: what it does where the gradient is absent; "form" leaves that to the form.
        form: its own update.  With one, nothing is proved by the oracle: the trajectories are
            compared with a model in float64.
        narrow: it rounds as in float32 whatever the dtype, and forms its coefficients so; nothing else
            is known of it.  Its runs lie within the bounds of float32 under that claim.
    """

    name: str = ""
    area: str = ""
    rule: str = ""
    observed: str = ""
    probe: Callable[[Probe], Probe] | None = None
    clock: Callable[[Ticks], int] | None = None
    tweak: Tweaking | None = None
    absent: Literal["decay", "reset", "form"] | None = None
    form: Form | None = None
    narrow: CoefficientPrecision | None = None

    def tweak_at(self, moment: Moment) -> Tweak | None:
        """The change of coefficients in these circumstances."""
        if moment.absent and self.absent != "form":
            return Tweak(decay_alone, moment)
        return None if self.tweak is None and self.form is None else Tweak(self.tweak, moment)


def decay_alone(c: Coefficients, n: Any, at: Moment) -> Coefficients:
    """Coefficients with which the parameter decays and nothing else happens."""
    return c._replace(w1=0.0, w2=0.0, keep1=1.0, keep2=1.0, step_m=0.0, step_g=None)

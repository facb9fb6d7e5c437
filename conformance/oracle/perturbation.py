"""A fault: one way in which a program that is meant to be Adam differs from it.

The oracle can run Adam with a fault, which is how a diagnosis recognises one: a candidate has the
fault if its trajectory is that of the claim with the fault.  A fault acts in one of these places.

- `probe`, `clock` and `coefficients` change what goes into the definition: the gradients and
  hyperparameters that the candidate sees, the t that it counts, the scalars of a step.  The
  definition itself stays as it is, so the oracle gives the exact answer and its bound, and a match
  is proved.
- `update` replaces the formula of a step.  The oracle has no exact answer for another formula, so
  the trajectory is compared with a model in float64, at a distance of a few hundred roundings.
- `absent` says what the candidate does with a parameter that has no gradient, and `made` what it does in a
  step that it has to skip (SCALE.2).
- `narrow` says that it computes in float32 whatever the dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from adamcore import Adam
from adamcore.axes import CoefficientPrecision
from adamcore.conformance.types import Clipping, FloatArray, Probe, Scaling, Step
from adamcore.definition import Coefficients


class StepContext(NamedTuple):
    """What a fault may depend on in one step of one parameter."""

    adam: Adam
    t: int
    lr: float
    shape: tuple[int, ...]
    absent: bool  #: the gradient is absent, and the parameter is stepped all the same
    step: int  #: the number of the step; the first is 1
    scale: float = 1.0  #: the loss scale of the step; its gradients are given without it
    clip: Clipping | None = None  #: how gradients are clipped, where a fault's formula does it


class ClockContext(NamedTuple):
    """What a wrong clock may count."""

    t: int  #: the parameter's clock under the claim
    calls: int  #: updates of all parameters so far, with this one
    step: int  #: the number of the step; the first is 1
    clocks: tuple[int, ...]  #: the clocks of all parameters in this step
    absent: tuple[bool, ...]  #: for each parameter: whether its gradient is absent in this step
    own_updates: int  #: updates of this parameter with a gradient, those before the start included
    updates_since_absence: int  #: those since its gradient was last absent
    calls_of_shape: int  #: updates of all parameters of this shape so far, with this one
    skips: int = 0  #: steps before this one that had to be skipped
    skipped_updates: int = 0  #: updates of this parameter that were made in such steps


class UpdateInput(NamedTuple):
    """What a wrong formula is given: flat real vectors in float64."""

    parts: list[tuple[FloatArray, FloatArray, FloatArray]]  #: (p, g, m); two parts under "modulus"
    v: FloatArray
    v_max: FloatArray
    memory: dict[str, Any]  #: what the fault keeps between the steps of this parameter


UpdateOutput = tuple[list[tuple[FloatArray, FloatArray]], FloatArray, FloatArray | None]
"""What a formula returns: the new ``[(p, m)]``, v and v_max."""

ChangeCoefficients = Callable[[Coefficients, Any, StepContext], Coefficients]
"""From the coefficients of a step, the arithmetic that made them, and the step's context."""

Update = Callable[[StepContext, Coefficients, UpdateInput], UpdateOutput]


@dataclass(frozen=True)
class StepFault:
    """A fault in one step of one parameter."""

    change: ChangeCoefficients | None
    context: StepContext
    scaling: Scaling | None = None  #: the factor of a clipped gradient, which a right candidate has too

    def coefficients(self, c: Coefficients, n: Any) -> Coefficients:
        """Return the coefficients ``c`` as the fault forms them in the arithmetic ``n``."""
        c = c if self.change is None else self.change(c, n, self.context)
        return c if self.scaling is None else c._replace(scale_g=n.factor(*self.scaling))


@dataclass(frozen=True, eq=False)
class Fault:
    """One way to be wrong; the module says what each of the last seven fields does.

    Attributes:
        name: a unique name.
        area: the area of a finding that names the fault.
        rule: the rule of docs/spec.md that it breaks.
        observed: what such a candidate does, in the words of a finding.
        probe: maps a probe to the probe that the candidate sees.
        clock: returns the t that the candidate uses.
        coefficients: maps the coefficients of a step to those that the candidate uses.
        absent: what the candidate does where a gradient is absent: "decay" applies weight decay
            alone, "reset" sets the moments to 0, "update" leaves it to ``update``.
        made: returns the step that the candidate makes of one that it has to skip, or None if it skips it.
        update: the candidate's formula.
        narrow: how the candidate forms its coefficients in float32.  Its runs lie within the
            float32 bounds of the claim with this choice on the axis ``coefficients``.
    """

    name: str = ""
    area: str = ""
    rule: str = ""
    observed: str = ""
    probe: Callable[[Probe], Probe] | None = None
    clock: Callable[[ClockContext], int] | None = None
    coefficients: ChangeCoefficients | None = None
    absent: Literal["decay", "reset", "update"] | None = None
    made: Callable[[Step], Step | None] | None = None
    update: Update | None = None
    narrow: CoefficientPrecision | None = None

    @property
    def is_of_input(self) -> bool:
        """Whether the fault is in the probe alone: its runs are those of a right Adam on another probe."""
        others = (self.clock, self.coefficients, self.absent, self.made, self.update, self.narrow)
        return self.probe is not None and all(other is None for other in others)

    def at_step(self, context: StepContext) -> StepFault | None:
        """Return the fault in one step, or None if it leaves this step's formula alone."""
        if context.absent and self.absent != "update":
            return StepFault(decay_alone, context)
        if self.coefficients is None and self.update is None:
            return None
        return StepFault(self.coefficients, context)


def decay_alone(c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    """Return coefficients with which the parameter decays and nothing else happens."""
    return c._replace(w1=0.0, w2=0.0, keep1=1.0, keep2=1.0, step_m=0.0, step_g=None)

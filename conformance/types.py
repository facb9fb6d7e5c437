"""The types of a check: probe, run, result and finding.

- A probe is designed input: parameters, hyperparameters and the gradients of every step.  It knows
  nothing of any implementation.
- A run is what one candidate did with a probe in one dtype.
- A result is the judgement of a run against a claim.
- A finding is one deviation with a name.

The candidate is the optimizer that is checked.  The claim is the Adam that it is held to: a choice on
every axis (:mod:`adamcore.conformance.claims`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from adamcore import Adam
from adamcore.config import MOMENT_STORAGE

FloatArray = npt.NDArray[Any]
Layout = Literal["C", "F", "strided", "readonly", "offset", "reversed", "broadcast"]
"""How an array lies in memory: see :func:`adamcore.conformance.candidates.adapter.base.cast`."""
Manner = Literal[
    "plain",
    "beside",
    "alike",
    "fresh",
    "closure",
    "silent closure",
    "joining",
    "frozen",
    "used",
    "scheduled",
    "replaced",
    "vacant",
    "again",
    "twice",
    "remade",
    "saved",
]
"""How a probe is run: see :attr:`Probe.manner`."""
RunKey = tuple[str, str]  #: the name of a probe, and a dtype
Status = Literal["passed", "failed", "skipped", "undecided"]


@dataclass(frozen=True, eq=False)
class Start:
    """A state that a parameter is put into before a step, from outside the run."""

    t: int
    m: FloatArray
    v: FloatArray
    v_max: FloatArray
    mu_product: float = 1.0


class Moments(NamedTuple):
    """What a state keeps of the moments of one parameter."""

    m: FloatArray
    v: FloatArray
    v_max: FloatArray | None = None  #: None if there is no maximum

    @classmethod
    def zeros(cls, shape: tuple[int, ...]) -> Moments:
        """Return the moments before the first step."""
        return cls(*[np.zeros(shape)] * 3)

    def each(self, made: Callable[[Any], FloatArray]) -> Moments:
        """Return what a function makes of each array."""
        return Moments(made(self.m), made(self.v), None if self.v_max is None else made(self.v_max))


@dataclass(frozen=True)
class Clipping:
    """How gradients are clipped in a step (CLIP.1 to CLIP.5)."""

    way: Literal["global_norm", "norm", "value"]
    most: float  #: the largest norm, or the largest size of a number
    eps: float = 0.0  #: what is added to a norm
    slip: str = ""  #: what is wrong with it, for models of wrong candidates

    def __str__(self) -> str:
        return f"{self.way}={self.most:g}" + (f",eps={self.eps:g}" if self.eps else "")


class Scaling(NamedTuple):
    """The factor of a clipped gradient."""

    high: float  #: the factor is the sum of these two
    low: float
    roundings: float  #: that an implementation may make on its way to it


@dataclass(frozen=True, eq=False)
class Step:
    """The input of one step; a tuple has an item for each parameter."""

    grads: tuple[FloatArray | None, ...]  #: the gradients; None is an absent one
    lr: float | None = None  #: the learning rate from this step on, if it changes
    present: tuple[bool | FloatArray, ...] | None = None
    """Flags or boolean masks; where one is False, the gradient counts as absent."""
    before: tuple[FloatArray, ...] | None = None
    """The parameters that the step is given, if they are set from outside, or a recorded run is judged."""
    moments: tuple[Moments, ...] | None = None  #: the moments that it was given, likewise
    changes: Mapping[str, Any] | None = None
    """Hyperparameters (other than lr) and axes that have new values from this step on (LR.3)."""
    frozen: tuple[bool, ...] | None = None
    """Whether a parameter stands still in this step, whatever the axis ``missing`` says."""
    states: tuple[Start | None, ...] | None = None
    """States that replace the optimizer's own before this step."""
    scale: float | None = None  #: the loss scale that the gradients were multiplied by (SCALE.1), if any
    found_inf: bool = False  #: whether the step is to be skipped for an overflow (SCALE.2)
    scaling: tuple[Scaling | None, ...] | None = None
    """The factors by which gradients are clipped; None for 1 (:mod:`~.oracle.clipped`)."""
    resumed: bool = False
    """Whether the state is saved before this step, and restored in a new optimizer."""

    def each_gradient(self, made: Callable[[FloatArray], FloatArray]) -> Step:
        """Return the step with what a function makes of each gradient that is there.

        >>> Step((np.ones(1), None)).each_gradient(lambda g: 2.0 * g).grads
        (array([2.]), None)
        """
        return replace(self, grads=tuple(None if g is None else made(g) for g in self.grads))


@dataclass(frozen=True, eq=False)
class Probe:
    """A designed input for a candidate.

    Arrays are float64, or complex128 for complex parameters, with values that float32 represents
    exactly.  So one probe serves both dtypes and has one exact answer.  Only a probe of float64 alone has
    others.

    >>> import numpy as np
    >>> probe = Probe("LR.1/halved", "", (np.ones(1),), (Step((np.ones(1),)),), {"lr": 0.5})
    >>> probe.rule, probe.with_hyper(lr=0.25).hyper["lr"]
    ('LR.1', 0.25)
    """

    name: str  #: the rule that it tests, and a name: "STEP.1/fingerprint"
    about: str  #: one line for the reader of a report: what the probe shows
    params: tuple[FloatArray, ...]
    steps: tuple[Step, ...]
    hyper: Mapping[str, float]  #: lr, b1, b2, eps, weight_decay, and others that the probe needs
    tells: tuple[str, ...] = ()  #: the axes whose values the probe tells apart
    needs: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    """For some axes, the values that a claim must have for the probe to apply to it."""
    level: Literal["must", "should"] = "must"  #: a failed "should" is a note, not a deviation
    groups: tuple[Mapping[str, float], ...] = ()
    """For each parameter, the hyperparameters that it has of its own; neighbours with the same are a group.

    Empty: all parameters have those of ``hyper``.
    """
    start: tuple[Start, ...] = ()  #: the state of each parameter at the start; empty: t=0 and zeros
    layout: Layout = "C"  #: how parameters and gradients lie in memory
    dtypes: tuple[str | None, ...] = ()
    """The dtype of each parameter; None is that of the run, and an empty tuple that of the run for all."""
    manner: Manner = "plain"
    """How the probe is run.

    "beside" has a second optimizer step in turn, on other numbers, and "alike" one with the same
    hyperparameters.  "fresh" passes each step's gradients in memory of their own; in all other runs the
    gradients of a step overwrite those of the step before.  "closure" passes each step a function that
    computes the gradients, and "silent closure" one that returns no loss.  "joining" adds a parameter to the
    optimizer before its first gradient, in a group of its own, unless it has one in the first step.  In a
    "frozen" run a parameter requires a gradient in those steps alone in which it has one.  "used" restores a
    saved state in an optimizer that has made as many steps, on other numbers; in all other runs it is new.
    "scheduled" hands the optimizer a function of the number of updates for each hyperparameter that changes.
    "replaced" assigns numbers to hyperparameters, also where the optimizer has made tensors of them; in all
    other runs these are written to.  "vacant" has a group without parameters.  "again" begins the run of an
    object that has made another one, on other numbers.  "twice" restores a saved state, saves that at once,
    and restores it too.  "remade" restores it in an optimizer that is made with the hyperparameters of that
    moment; in all other runs it is made with those of the start, and then gets those of the moment.  "saved"
    restores a state in another optimizer too, and goes on with the one that was saved.
    """
    twin: str | None = None  #: the probe whose run must be the same bit for bit
    only: tuple[str, ...] = ()  #: the dtypes that it is run in; empty: all
    ways: tuple[str, ...] = ()
    """The ways of clipping for whose claims it is made; empty: for every claim, one that clips or not."""
    clip: Clipping | None = None  #: how the claim clips, and so the candidate
    drawn: bool = False  #: whether it was drawn at random

    @property
    def rule(self) -> str:
        """The rule of docs/spec.md that the probe tests."""
        return self.name.split("/")[0]

    @property
    def comes_last(self) -> bool:
        """Whether a failure is explained only where no other probe fails that must pass."""
        return self.drawn or bool(self.dtypes)

    @property
    def is_complex(self) -> bool:
        """Whether a parameter is complex."""
        return any(np.iscomplexobj(p) for p in self.params)

    def dtypes_in(self, dtype: str) -> list[str]:
        """Return the dtype of each parameter in a run."""
        return [own or dtype for own in self.dtypes or [None] * len(self.params)]

    @cached_property
    def is_scaled(self) -> bool:
        """Whether a step is handed a loss scale, or is to be skipped."""
        return any(step.scale is not None or step.found_inf for step in self.steps)

    @property
    def shows_moments(self) -> bool:
        """Whether it asks in which dtype moments are kept (MOM.4)."""
        return self.name.startswith("MOM.4/")

    @cached_property
    def is_resumed(self) -> bool:
        """Whether the state is saved and restored before a step."""
        return any(step.resumed for step in self.steps)

    @cached_property
    def is_set_from_outside(self) -> bool:
        """Whether the parameters are set to other numbers before a step."""
        return any(step.before is not None for step in self.steps)

    @property
    def has_closure(self) -> bool:
        """Whether the gradients come from a closure."""
        return self.manner in ("closure", "silent closure")

    @property
    def has_neighbour(self) -> bool:
        """Whether a second optimizer steps in turn."""
        return self.manner in ("beside", "alike")

    @property
    def updates(self) -> int:
        """The number of updates of a parameter in all steps."""
        return len(self.steps) * len(self.params)

    @property
    def is_large(self) -> bool:
        """Whether it has too many arrays or elements to run it, or to model it, many times over."""
        return len(self.params) > 512 or sum(np.size(p) for p in self.params) > 2**15

    def with_hyper(self, **changes: float) -> Probe:
        """Return the probe with other hyperparameters."""
        return replace(self, hyper={**self.hyper, **changes})

    def each_gradient(self, made: Callable[[FloatArray], FloatArray]) -> Probe:
        """Return the probe with what a function makes of each gradient that is there."""
        return replace(self, steps=tuple(step.each_gradient(made) for step in self.steps))

    def of(self, which: Sequence[int]) -> Probe:
        """Return the probe of some of its parameters, in this order."""

        def chosen(items: tuple[Any, ...] | None) -> Any:
            return items and tuple(items[i] for i in which)

        each = ("grads", "present", "before", "moments", "frozen", "states", "scaling")
        steps = tuple(
            replace(step, **{name: chosen(getattr(step, name)) for name in each}) for step in self.steps
        )
        own = {name: chosen(getattr(self, name)) for name in ("params", "start", "groups", "dtypes")}
        return replace(self, steps=steps, **own)

    def applies_to(self, claim: Adam) -> bool:
        """Return whether the claim has the values that the probe needs.

        Moments in 8 bits are those of real parameters (STORE.9), and have no state of numbers to begin with.
        """
        begun = self.start or any(step.states for step in self.steps)
        if (self.is_complex or begun) and any(getattr(claim, name) != "plain" for name in MOMENT_STORAGE):
            return False
        return all(getattr(claim, axis) in values for axis, values in self.needs.items())


@dataclass
class Run:
    """What a candidate did with one probe in one dtype."""

    params: list[list[FloatArray]] = field(default_factory=list)
    """The parameters after each completed step, in the dtype of the run."""
    clocks: list[list[int]] = field(default_factory=list)
    """The clocks after each completed step; empty if they cannot be read, for all steps or for this one."""
    error: str | None = None  #: the exception of the step after those: "Type: message"
    after_error: list[FloatArray] = field(default_factory=list)
    """The parameters after the next step with all gradients, if the step that raised lacked some and that one
    did not raise."""
    unsupported: str | None = None  #: why the candidate cannot run the probe, which is then skipped
    written: list[str] = field(default_factory=list)  #: inputs that it wrote to: "gradient 0 in step 3"
    unheld: tuple[int, ...] = ()  #: parameters that the optimizer was given and does not hold
    closure: list[str] = field(default_factory=list)  #: what was wrong with a closure in which step
    compilations: list[int] = field(default_factory=list)  #: for each step, the programs compiled in it
    eager: bool = False  #: True if what was to be compiled was run as it is written, since that takes long
    rests: list[list[FloatArray | None]] = field(default_factory=list)
    """What the state keeps of each parameter beside it (STORE.1), after each completed step; None: nothing.

    Empty if it cannot be read, for all steps or for this one.
    """
    moments: list[list[Moments | None]] = field(default_factory=list)
    """The moments of each parameter after each completed step; None or empty as for rests.

    They are there in 16 bits, and where a probe shows moments.
    """

    def of(self, which: Sequence[int]) -> Run:
        """Return the run of some of its parameters, in this order."""

        def chosen(steps: Sequence[Sequence[Any]]) -> list[Any]:
            return [[step[i] for i in which] if step else [] for step in steps]

        return replace(
            self,
            params=chosen(self.params),
            clocks=chosen(self.clocks),
            rests=chosen(self.rests),
            moments=chosen(self.moments),
            after_error=chosen([self.after_error])[0],
        )


@dataclass(frozen=True)
class Evidence:
    """The element with which a run first leaves its bound."""

    probe: str
    step: int  #: the number of the step; the first is 1
    element: str  #: parameter and index: "0[2]", or "1" in a 0-d array; ".imag" follows for that part
    got: str  #: what the candidate returned, as a hex float
    want: str  #: the exact value rounded once, as a hex float
    ulp: float  #: the error in ULP
    bound_ulp: float  #: the bound in ULP

    @property
    def place(self) -> tuple[int, tuple[int, ...]]:
        """The number of the parameter and the index in it.

        >>> Evidence("CPX.1/complex", 1, "0[2, 1].imag", "", "", 4.0, 2.0).place
        (0, (2, 1))
        """
        number, _, index = self.element.removesuffix(".imag").partition("[")
        return int(number), tuple(int(k) for k in index.rstrip("]").split(",") if k.strip())


class Point(NamedTuple):
    """The largest error of one step, relative to its bound."""

    ratio: float  #: error over bound
    ulp: float  #: the error in ULP
    bound_ulp: float  #: the bound in ULP


@dataclass
class Result:
    """The judgement of one run against one claim."""

    probe: str
    dtype: str
    status: Status
    worst_ratio: float = 0.0  #: the largest error over its bound; above 1 the run failed
    worst_ulp: float = 0.0  #: the largest error in ULP
    evidence: Evidence | None = None  #: the first divergence
    reason: str = ""  #: why the run failed or was skipped
    undecided: int = 0  #: the number of elements whose bound was too wide to judge
    series: list[Point] = field(default_factory=list)  #: the largest error of each step


@dataclass
class Finding:
    """One cause with a name."""

    area: str  #: the part of Adam that is wrong: "epsilon"
    rule: str  #: the rule of docs/spec.md that is broken
    expected: str  #: what the claim says
    observed: str  #: what the candidate does
    level: Literal["error", "note"] = "error"
    evidence: Evidence | None = None
    repro: str | None = None  #: a program that shows the deviation
    measured: str = ""  #: the first part of the update rule that is not as claimed, with its numbers
    folded: list[Finding] = field(default_factory=list)
    """What else fails because of it, a finding for each rule."""

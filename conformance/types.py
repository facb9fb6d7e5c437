"""What a probe is, what running it gives, and what judging the run gives.

A probe is designed input; it knows nothing of any implementation.  A run is what one candidate
did with it.  A result is the judgement of a run against a claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy.typing as npt

from adamcore import Adam

FloatArray = npt.NDArray[Any]
Layout = Literal["C", "F", "strided", "readonly"]
Manner = Literal["plain", "resumed", "beside", "fresh"]
RunKey = tuple[str, str]  #: the name of a probe, and a dtype
Status = Literal["passed", "failed", "skipped", "undecided"]


@dataclass(frozen=True, eq=False)
class Start:
    """The state of one parameter before a step, where it is not the one that the steps before it left."""

    t: int
    m: FloatArray
    v: FloatArray
    v_max: FloatArray
    mu_product: float = 1.0


@dataclass(frozen=True, eq=False)
class Step:
    """One step's input: a gradient (or None: absent) for each parameter, and what changes."""

    grads: tuple[FloatArray | None, ...]
    lr: float | None = None  #: a new learning rate from this step on
    present: tuple[bool | FloatArray, ...] | None = None  #: flags or boolean masks, one a parameter
    before: tuple[FloatArray, ...] | None = None
    """The parameters as they were really given to this step, of a run that is judged step by step."""
    changes: Mapping[str, Any] | None = None
    """Hyperparameters (lr excepted) and axes that have new values from this step on (LR.3)."""
    frozen: tuple[bool, ...] | None = None
    """The parameters that stand still in this step whatever the axis ``missing`` says."""
    states: tuple[Start | None, ...] | None = None
    """States that somebody put in the place of the optimizer's own before this step."""


@dataclass(frozen=True, eq=False)
class Probe:
    """A designed input: parameters, hyperparameters and the gradients of every step.

    Values are float64 arrays (complex128 for complex parameters) that float32 represents exactly,
    so that one probe serves both dtypes and has one exact answer.
    """

    name: str  #: the rule it tests and a name: "EPS.1/fingerprint"
    about: str  #: one line for a reader: what it shows, and whom it caught
    params: tuple[FloatArray, ...]
    steps: tuple[Step, ...]
    hyper: Mapping[str, float]  #: lr, b1, b2, eps, weight_decay; others where the probe needs them
    tells: tuple[str, ...] = ()  #: the axes whose values it tells apart
    needs: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    """Axis values a claim must have for the probe to mean something."""
    level: Literal["must", "should"] = "must"  #: a failed "should" is a note, not a deviation
    start: tuple[Start, ...] = ()  #: the state that it begins with, one a parameter; none: zeros
    layout: Layout = "C"  #: how the arrays lie in memory, parameters and gradients alike
    manner: Manner = "plain"
    """How it is run: "resumed" saves and restores the state halfway, in a new optimizer; "beside"
    has a second optimizer step in turn with it, on other numbers; "fresh" gives every step's gradients
    in memory of their own, where all others find them in the same memory, filled anew."""
    twin: str | None = None  #: the probe whose run must be the same bit for bit

    @property
    def rule(self) -> str:
        return self.name.split("/")[0]

    def with_hyper(self, **changes: float) -> Probe:
        """Return the probe with other hyperparameters."""
        return replace(self, hyper={**self.hyper, **changes})

    def applies_to(self, claim: Adam) -> bool:
        return all(getattr(claim, axis) in values for axis, values in self.needs.items())


@dataclass
class Run:
    """What a candidate did with one probe in one dtype."""

    params: list[list[FloatArray]] = field(default_factory=list)
    """The parameters after each step that was completed, in the probe's dtype."""
    clocks: list[list[int]] = field(default_factory=list)
    """The clocks after each step, for candidates whose state can be read."""
    error: str | None = None  #: the exception of the step after those, "Type: message"
    unsupported: str | None = None  #: why the candidate cannot take this probe: it is skipped
    written: list[str] = field(default_factory=list)  #: inputs it wrote to: "gradient 0 in step 3"


@dataclass(frozen=True)
class Evidence:
    """Where a run first leaves the bound."""

    probe: str
    step: int  #: the update, the first is 1
    element: str  #: "param[index]": "0[2]", "1[]" for a 0-d array
    got: str  #: hex float
    want: str  #: hex float, the exact value rounded once
    ulp: float
    bound_ulp: float


class Point(NamedTuple):
    """One step on the way: the worst error over its bound, and both in ULP."""

    ratio: float
    ulp: float
    bound_ulp: float


@dataclass
class Result:
    """The judgement of one run against one claim."""

    probe: str
    dtype: str
    status: Status
    worst_ratio: float = 0.0  #: largest error over its bound; above 1 the probe failed
    worst_ulp: float = 0.0
    evidence: Evidence | None = None  #: of the first divergence
    reason: str = ""  #: why it was skipped, or what failed besides numbers
    undecided: int = 0  #: elements whose bound was too wide to judge
    series: list[Point] = field(default_factory=list)
    """Of each step, the element that comes closest to its bound, or leaves it farthest."""


@dataclass
class Finding:
    """One deviation, named: the area, the rule, what the claim says and what was seen."""

    area: str
    rule: str
    expected: str
    observed: str
    level: Literal["error", "note"] = "error"
    evidence: Evidence | None = None
    repro: str | None = None

"""What an absent gradient does that it should not, and what a saved state has lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from adamcore.conformance.faults import _inputs, _updates
from adamcore.conformance.oracle.perturbation import Fault, StepContext, UpdateInput, UpdateOutput
from adamcore.conformance.types import Probe, Start
from adamcore.definition import Coefficients

Absent = Callable[[StepContext, Coefficients, UpdateInput], UpdateOutput]


def where_absent(does: Absent, at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    return does(at, c, inputs) if at.absent else _updates.as_defined(at, c, inputs)


def maximum_dropped(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Set v_max back to v."""
    _updates.require(at.adam.amsgrad != "none")
    return [(p, m) for p, _, m in inputs.parts], inputs.v, inputs.v


def first_dropped(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    return [(p, 0.0 * m) for p, _, m in inputs.parts], inputs.v, inputs.v_max


def fading(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Let the moments decay while the parameter stands."""
    bare = c._replace(decay=None, keep_p=None)
    after, v, _ = _updates.as_defined(at, bare, _updates.with_gradients(inputs, lambda p, g: 0.0 * g))
    parts = zip(inputs.parts, after, strict=True)
    return [(p, m) for (p, *_), (_, m) in parts], v, inputs.v_max


def momentum_moves(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Let the momentum move the parameter while the moments stand."""
    bare = c._replace(decay=None, keep_p=None)
    after, _, _ = _updates.with_moments(at, bare, inputs, m=[m for *_, m in inputs.parts], v=inputs.v)
    return after, inputs.v, inputs.v_max


def started(change: Callable[[Start], Start], probe: Probe) -> Probe:
    """Return the probe with another state to begin with, if it begins with one."""
    _updates.require(probe.start or probe.is_resumed)
    return replace(probe, start=tuple(change(start) for start in probe.start))


def zeroed(names: tuple[str, ...], start: Start) -> Start:
    return replace(start, **{name: 0.0 * getattr(start, name) for name in names})


def half(start: Start) -> Start:
    """Return the state with moments saved in float16."""
    m, v, v_max = (np.asarray(x).astype(np.float16).astype(float) for x in (start.m, start.v, start.v_max))
    return replace(start, m=m, v=v, v_max=v_max)


LOST: dict[str, Callable[[Start], Start]] = {
    "the clock": lambda start: replace(start, t=0),
    "v_max": partial(zeroed, ("v_max",)),
    "v": partial(zeroed, ("v",)),
    "m": partial(zeroed, ("m",)),
    "both moments": partial(zeroed, ("m", "v")),
    "both moments and v_max": partial(zeroed, ("m", "v", "v_max")),
    "everything": lambda start: replace(zeroed(("m", "v", "v_max"), start), t=0),
}


def faults() -> tuple[Fault, ...]:
    def missing(name: str, observed: str, **how: Any) -> Fault:
        return Fault(name, "missing", "F1", observed, **how)

    def form(does: Absent) -> dict[str, Any]:
        return {"absent": "update", "update": partial(where_absent, does)}

    def state(name: str, observed: str, change: Callable[[Start], Start]) -> Fault:
        return Fault(name, "state", "STATE.4", observed, probe=partial(started, change))

    return (
        missing("absent-decays", "a parameter without a gradient still decays", absent="decay"),
        missing("absent-resets", "an absent gradient resets the moments", absent="reset"),
        missing(
            "absent-forgets",
            "an absent gradient resets moments and clock",
            absent="reset",
            clock=lambda at: max(at.updates_since_absence, 1),
        ),
        missing(
            "absent-stops-all",
            "an absent gradient skips the step for all",
            **_inputs.on_steps(_inputs.all_or_none),
        ),
        missing(
            "absent-stops-rest",
            "an absent gradient skips those that come after it",
            **_inputs.on_steps(_inputs.up_to_the_first_absent),
        ),
        missing(
            "absent-first-never",
            "what has no gradient in the first step never moves",
            **_inputs.on_steps(_inputs.those_of_the_first_step),
        ),
        missing(
            "absent-stale", "an absent gradient is the last one once more", **_inputs.on_steps(_inputs.stale)
        ),
        missing("absent-drops-maximum", "an absent gradient sets v_max back to v", **form(maximum_dropped)),
        missing("absent-drops-first", "an absent gradient resets m, not v", **form(first_dropped)),
        missing("absent-fades", "the moments of an absent gradient decay", **form(fading)),
        missing(
            "absent-moves", "the momentum left moves a parameter without a gradient", **form(momentum_moves)
        ),
        *(
            state(f"resume-loses-{what}", f"a saved state that is restored has lost {what}", change)
            for what, change in LOST.items()
        ),
        state("resume-ticks", "restoring a state ticks its clock", lambda s: replace(s, t=s.t + 1)),
        state("resume-halves", "moments are saved in float16", half),
    )


STATE = faults()

"""Factors: things in which a probe differs from an ordinary one, and the same probe without each.

If a candidate fails a probe and passes it without a factor, the factor is needed for what goes wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np

from adamcore.conformance.probes.design import array, numbers
from adamcore.conformance.types import FloatArray, Layout, Manner, Probe, Start, Step


@dataclass(frozen=True)
class Factor:
    """One thing that a probe may have, and what is wrong if it is needed for a failure."""

    name: str  #: completes "goes wrong only with ..."
    area: str
    rule: str
    without: Callable[[Probe], Probe]  #: from a probe to the same one without the factor

    def is_in(self, probe: Probe) -> bool:
        """Return whether a probe has the factor.

        >>> from adamcore.conformance.probes import PROBES
        >>> [factor.name for factor in FACTORS if factor.is_in(PROBES["LR.4/groups-lr"])]
        ['parameter groups', 'arrays of several dimensions', 'weight decay']
        """
        return not same(parts(self.without(probe)), parts(probe))


def parts(probe: Probe) -> tuple[object, ...]:
    """Return all of a probe that a factor may change."""
    return probe.params, probe.steps, probe.hyper, probe.groups, probe.start, probe.layout, probe.manner


def same(a: object, b: object) -> bool:
    """True if two parts of probes are equal, arrays element by element."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.shape == b.shape and np.array_equal(a, b, equal_nan=True)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (Step, Start)) and isinstance(b, (Step, Start)):
        return all(same(getattr(a, field.name), getattr(b, field.name)) for field in fields(a))
    return type(a) is type(b) and a == b


def each_step(made: Callable[[Probe, Step], Step]) -> Callable[[Probe], Probe]:
    """Return the function that changes each step of a probe."""
    return lambda probe: replace(probe, steps=tuple(made(probe, step) for step in probe.steps))


def unscaled(probe: Probe, step: Step) -> Step:
    """Return a step whose loss was not multiplied."""
    if step.scale is None:
        return step
    scale = step.scale
    return replace(step.each_gradient(lambda g: array(g / scale)), scale=None)


def made_finite(probe: Probe, step: Step) -> Step:
    """Return a step whose gradients are finite."""
    size = step.scale or 1.0
    return step.each_gradient(lambda g: np.where(np.isfinite(g), g, 0.5 * size))


def not_skipped(probe: Probe, step: Step) -> Step:
    """Return a step that is made."""
    return replace(made_finite(probe, step), found_inf=False) if step.found_inf else step


def like(p: FloatArray, seed: int) -> FloatArray:
    """Return a gradient for a parameter."""
    real = numbers(seed, *np.shape(p))
    return array(real + 1j * numbers(seed + 1, *np.shape(p))) if np.iscomplexobj(p) else real


def filled(probe: Probe, step: Step) -> Step:
    """Return a step in which every gradient is there."""
    size = step.scale or 1.0
    grads = tuple(
        array(size * like(p, 500 + 2 * i)) if g is None else g
        for i, (g, p) in enumerate(zip(step.grads, probe.params, strict=True))
    )
    return replace(step, grads=grads, present=None)


def filled_if_empty(probe: Probe, step: Step) -> Step:
    """Return a step in which some gradient is there."""
    return filled(probe, step) if all(g is None for g in step.grads) else step


def without_zeros(probe: Probe, step: Step) -> Step:
    """Return a step without gradients of 0."""
    return step.each_gradient(lambda g: np.where(g == 0, 0.5, g))


def without_decay(probe: Probe) -> Probe:
    """Return a probe without decay, that of groups and later steps too."""
    steps = tuple(
        replace(s, changes={k: v for k, v in s.changes.items() if k != "weight_decay"} or None)
        if s.changes
        else s
        for s in probe.steps
    )
    groups = tuple({k: v for k, v in group.items() if k != "weight_decay"} for group in probe.groups)
    hyper = {**probe.hyper, **({"weight_decay": 0.0} if "weight_decay" in probe.hyper else {})}
    return replace(probe, steps=steps, groups=groups, hyper=hyper)


def reshaped(probe: Probe, shape: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Probe:
    """Return a probe whose arrays have other shapes."""

    def made(a: FloatArray) -> FloatArray:
        return np.reshape(a, shape(np.shape(a)))

    steps = tuple(
        s if s.before is None else replace(s, before=tuple(map(made, s.before)))
        for s in probe.each_gradient(made).steps
    )
    start = tuple(replace(s, m=made(s.m), v=made(s.v), v_max=made(s.v_max)) for s in probe.start)
    return replace(probe, params=tuple(map(made, probe.params)), steps=steps, start=start)


def flat(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (int(np.prod(shape)),) if len(shape) > 1 else shape


def told_apart(probe: Probe) -> Probe:
    """Return a probe whose arrays begin with numbers of their own."""
    seen: list[FloatArray] = []
    for i, p in enumerate(probe.params):
        again = any(same(p, q) for q in seen) and p.size
        seen.append(array(p + 0.0625 * (i + 1)) if again else p)
    return replace(probe, params=tuple(seen))


def not_run(manner: Manner) -> Callable[[Probe], Probe]:
    """Return the function that makes a probe plain if it is run in this manner."""
    return lambda probe: replace(probe, manner="plain") if probe.manner == manner else probe


def not_laid(*layouts: Layout) -> Callable[[Probe], Probe]:
    """Return the function that lays a probe's arrays in C order if they lie in one of these ways."""
    return lambda probe: replace(probe, layout="C") if probe.layout in layouts else probe


def made_real(a: FloatArray) -> FloatArray:
    """Return real numbers in which both parts of complex ones count."""
    return array(a.real + 0.75 * a.imag) if np.iscomplexobj(a) else a


def real_alone(probe: Probe) -> Probe:
    """Return a probe without complex parameters."""
    return replace(probe.each_gradient(made_real), params=tuple(map(made_real, probe.params)))


SETTINGS = (
    Factor("a learning rate that changes", "schedule", "LR.3",
           each_step(lambda probe, step: replace(step, lr=None))),
    Factor("hyperparameters that change", "schedule", "LR.3",
           each_step(lambda probe, step: replace(step, changes=None))),
    Factor("weight decay", "decay", "DEC.1", without_decay),
)  # fmt: skip
"""The factors that most probes have, which come behind all others."""
RARE = (
    Factor("a loss scale", "loss_scale", "SCALE.1", each_step(unscaled)),
    Factor("a step that is skipped", "loss_scale", "SCALE.2", each_step(not_skipped)),
    Factor("gradients that are not finite", "nonfinite", "NF.1", each_step(made_finite)),
    Factor("complex parameters", "complex", "CPX.1", real_alone),
    Factor("a state that is saved and restored", "state", "STATE.4",
           each_step(lambda probe, step: replace(step, resumed=False))),
    Factor("another optimizer beside it", "isolation", "STATE.3", not_run("beside")),
    Factor("another optimizer of the same hyperparameters", "isolation", "STATE.3", not_run("alike")),
    Factor("a state that is restored in an optimizer in use", "state", "STATE.4", not_run("used")),
    Factor("a state that is saved as soon as it is restored", "state", "STATE.4", not_run("twice")),
    Factor("an object that has made another run", "isolation", "STATE.3", not_run("again")),
    Factor("a closure", "closure", "STEP.2", not_run("closure")),
    Factor("a group without parameters", "groups", "LR.4", not_run("vacant")),
    Factor("a number in the place of a tensor", "schedule", "LR.3", not_run("replaced")),
    Factor("a function for a hyperparameter", "schedule", "LR.1", not_run("scheduled")),
    Factor("parameters that require no gradient at first", "missing", "F5", not_run("frozen")),
    Factor("parameters that are added later", "groups", "LR.4", not_run("joining")),
    Factor("parameter groups", "groups", "LR.4", lambda p: replace(p, groups=())),
    Factor("parameters that are set from outside", "state", "STEP.1",
           each_step(lambda probe, step: replace(step, before=None))),
    Factor("a step without any gradient", "missing", "F1", each_step(filled_if_empty)),
    Factor("gradients that are absent", "missing", "F1", each_step(filled)),
    Factor("clocks that begin late", "clock", "CLK.1", lambda p: replace(p, start=())),
    Factor("arrays that begin with equal numbers", "isolation", "STATE.3", told_apart),
    Factor("a learning rate of 0", "schedule", "LR.2",
           each_step(lambda probe, step: replace(step, lr=0.375) if step.lr == 0 else step)),
    Factor("gradients of 0", "zero_gradient", "F2", each_step(without_zeros)),
    Factor("arrays that cannot be written to", "layout", "STEP.1", not_laid("readonly")),
    Factor("gradients that are one number broadcast", "layout", "STEP.1", not_laid("broadcast")),
    Factor("arrays that begin within their memory", "layout", "STEP.1", not_laid("offset")),
    Factor("arrays that do not lie in C order", "layout", "STEP.1", not_laid("F", "strided", "reversed")),
    Factor("arrays without dimensions", "layout", "STEP.1", lambda p: reshaped(p, lambda s: s or (1,))),
    Factor("arrays of several dimensions", "layout", "STEP.1", lambda p: reshaped(p, flat)),
)  # fmt: skip
FACTORS = (*RARE, *SETTINGS)
"""Every factor; of those that are needed the first is what is wrong."""


def of_values(made: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Probe], Probe]:
    """Return the function that changes a probe's hyperparameters, those of groups and of later steps too."""

    def changed(probe: Probe) -> Probe:
        steps = tuple(replace(s, changes=made(dict(s.changes))) if s.changes else s for s in probe.steps)
        groups = tuple(made(dict(group)) for group in probe.groups)
        return replace(probe, hyper=made(dict(probe.hyper)), steps=steps, groups=groups)

    return changed


def put(name: str, value: float, is_odd: Callable[[float], bool]) -> Callable[[Probe], Probe]:
    """Return the function that gives a hyperparameter this value where it is odd."""
    return of_values(lambda given: {n: value if n == name and is_odd(v) else v for n, v in given.items()})


def of_one_size(probe: Probe, step: Step) -> Step:
    """Return a step whose finite gradients are of the size of parameters."""
    most = 1.125 * (step.scale or 1.0)

    def shrunk(g: FloatArray) -> FloatArray:
        largest = np.max(np.abs(g), initial=most, where=np.isfinite(g))
        return array(g * (most / largest))

    return step.each_gradient(shrunk)


def each_new(probe: Probe) -> Probe:
    """Return a probe in which no gradient is that of the step before, or its opposite."""
    steps = list(probe.steps)
    for s, (before, step) in enumerate(pairwise(probe.steps), start=1):
        grads = tuple(
            array((step.scale or 1.0) * like(g, 900 + 10 * s + i)) if g is not None and is_again(h, g) else g
            for i, (h, g) in enumerate(zip(before.grads, step.grads, strict=True))
        )
        steps[s] = replace(step, grads=grads)
    return replace(probe, steps=tuple(steps))


def is_again(before: FloatArray | None, g: FloatArray) -> bool:
    """True if a gradient has an element that is the one of the step before, or its opposite, and not 0."""
    return before is not None and bool(np.any((np.abs(before) == np.abs(g)) & (g != 0)))


IN_HISTORIES = (
    *RARE,
    Factor("gradients in memory of their own", "aliasing", "STATE.2", not_run("fresh")),
    Factor("b1=0", "moments", "MOM.1", put("b1", 0.5, lambda b1: b1 == 0)),
    Factor("a small eps", "epsilon", "EPS.1", put("eps", 0.0625, lambda eps: eps < 0.03)),
    Factor("large gradients", "clipping", "NUM.5", each_step(of_one_size)),
    Factor("a gradient that comes again", "moments", "MOM.1", each_new),
    *SETTINGS,
)  # fmt: skip
"""Every factor of a probe drawn at random; what designed ones have of the others, they have for a reason."""


def factors_of(probe: Probe) -> list[Factor]:
    """Return what of an ordinary probe this one has not.

    >>> from adamcore.conformance.probes import PROBES
    >>> [factor.area for factor in factors_of(PROBES["F1/absent-last"])]
    ['missing', 'decay']
    """
    return [factor for factor in (IN_HISTORIES if probe.drawn else FACTORS) if factor.is_in(probe)]

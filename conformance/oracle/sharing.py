"""What is computed once for many: elements with equal inputs, and claims with equal answers.

A step works element by element, so elements whose inputs agree bit for bit have the same exact answer
and the same bound.  :func:`unique_elements` cuts a long array down to one of each, and
:func:`unique_parameters` cuts many parameters down to one of each; :func:`without_repeats` does both.

A probe may not reach every axis: without weight decay, all values of ``decay`` give one answer.
:func:`equivalent_claim` sets such axes to their defaults, so claims that a probe cannot tell apart
become equal, and what is computed for one of them is found for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from adamcore import AXES, Adam
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.oracle.trajectory import Trajectory, adam_for
from adamcore.conformance.types import FloatArray, Probe, Start, Step

LONG = 256  #: elements; arrays of no more are left as they are
MANY = 64  #: parameters; if there are no more, all are left

#: Kinds of decay relative to lr_max, and what they are as long as lr is that.
SAME_WITHOUT_CHANGES = {"decoupled-relative": "decoupled-unscaled", "decoupled-squared": "decoupled"}

Index = Any  #: an integer array, or ``...`` for an array that is left as it is


_alike: WeakValueDictionary[object, Probe] = WeakValueDictionary()


def first_alike(probe: Probe) -> Probe:
    """Return the first probe with the arrays and hyperparameters of this one, however it is run."""
    hyper = (probe.hyper, *probe.groups)
    settings = tuple(tuple(sorted(given.items())) for given in hyper)
    steps = tuple(map(identity_of_step, probe.steps))
    key = id(probe.params), steps, id(probe.start), settings, probe.clip
    return _alike.setdefault(key, probe)


def identity_of_step(step: Step) -> tuple[object, ...]:
    """Return what two steps have in common if their answers are the same, whatever is saved between them."""
    parts = (getattr(step, field.name) for field in fields(step) if field.name != "resumed")
    return tuple(id(part) if isinstance(part, (tuple, Mapping)) else part for part in parts)


def without_repeats(probe: Probe) -> tuple[Probe, Callable[[Trajectory[Any]], Trajectory[Any]]]:
    """Return the probe with each parameter and element once, and how to make its trajectory whole."""
    few, which = unique_parameters(probe)
    short, inverse = unique_elements(few)
    return short, lambda trajectory: repeat(expand(trajectory, inverse), which)


def unique_parameters(probe: Probe) -> tuple[Probe, list[int]]:
    """Keep one of all parameters that have the same inputs, if there are many.

    Returns:
        The probe, and for each parameter which of those that are left it is; or the probe itself, and no
        indices.
    """
    if len(probe.params) <= MANY:
        return probe, []
    known: dict[object, int] = {}
    which = [known.setdefault(identity_of(probe, i), len(known)) for i in range(len(probe.params))]
    first = [which.index(k) for k in range(len(known))]

    return probe.of(first), which


def identity_of(probe: Probe, i: int) -> object:
    """Return what parameters must have in common to be the same in every step."""
    absent = tuple(
        (
            s.grads[i] is None,
            s.frozen and s.frozen[i],
            s.states and s.states[i] is None,
            s.scaling and s.scaling[i],
        )
        for s in probe.steps
    )
    group = tuple(sorted(probe.groups[i].items())) if probe.groups else ()
    begun = [probe.start[i]] if probe.start else []
    starts = [
        (s.t, s.mu_product)
        for s in (*begun, *(s.states[i] for s in probe.steps if s.states))
        if s is not None
    ]
    arrays = tuple((x.dtype.char, x.tobytes()) for x in inputs_of(probe, i))
    return np.shape(probe.params[i]), absent, group, tuple(starts), arrays


def repeat(trajectory: Trajectory[Any], which: Sequence[int]) -> Trajectory[Any]:
    """Return the trajectory of many parameters from that of each one once."""
    if not which:
        return trajectory
    return replace(
        trajectory,
        steps=[[step[k] for k in which] for step in trajectory.steps],
        clocks=[[clocks[k] for k in which] for clocks in trajectory.clocks],
    )


def unique_elements(probe: Probe) -> tuple[Probe, list[Index]]:
    """Cut every long array of a probe down to its distinct elements.

    Returns:
        The probe with short arrays, and for each parameter the index that makes its long vector of
        the short one.  If all arrays are short: the probe itself, and no indices.
    """
    if all(np.size(p) <= LONG for p in probe.params):
        return probe, []
    chosen: list[Index] = []
    inverse: list[Index] = []
    for i, p in enumerate(probe.params):
        first, back = distinct(inputs_of(probe, i)) if np.size(p) > LONG else (..., ...)
        chosen.append(first)
        inverse.append(back)

    def cut(arrays: Sequence[Any]) -> tuple[Any, ...]:
        """Cut one array for each parameter; flags and None stay."""
        return tuple(
            a if k is ... or np.ndim(a) == 0 else np.ravel(np.broadcast_to(a, p.shape))[k]
            for a, p, k in zip(arrays, probe.params, chosen, strict=True)
        )

    def cut_states(given: Sequence[Start | None]) -> tuple[Start | None, ...]:
        moments = (cut([s and getattr(s, name) for s in given]) for name in ("m", "v", "v_max"))
        return tuple(
            s and replace(s, m=m, v=v, v_max=v_max) for s, m, v, v_max in zip(given, *moments, strict=True)
        )

    steps = (
        replace(
            s,
            grads=cut(s.grads),
            present=None if s.present is None else cut(s.present),
            before=None if s.before is None else cut(s.before),
            states=None if s.states is None else cut_states(s.states),
        )
        for s in probe.steps
    )
    start = tuple(s for s in cut_states(probe.start) if s is not None) if probe.start else ()
    return replace(probe, params=cut(probe.params), steps=tuple(steps), start=start), inverse


def inputs_of(probe: Probe, i: int) -> list[FloatArray]:
    """Return everything that the elements of parameter ``i`` depend on, each as a flat array."""
    shape = np.shape(probe.params[i])
    found: list[Any] = [probe.params[i]]
    for step in probe.steps:
        found += [step.grads[i]] if step.grads[i] is not None else []
        found += [step.present[i]] if step.present is not None else []
        found += [step.before[i]] if step.before is not None else []
    given = [probe.start[i]] if probe.start else []
    for start in (*given, *(s.states[i] for s in probe.steps if s.states is not None)):
        found += [start.m, start.v, start.v_max] if start is not None else []
    return [np.ravel(np.broadcast_to(np.asarray(x), shape)) for x in found]


def distinct(rows: Sequence[FloatArray]) -> tuple[Index, Index]:
    """Return the index of the first of all columns with the same bits, and for each column which it is."""
    raw = np.stack([np.asarray(row, dtype=np.complex128) for row in rows], axis=1).view(np.uint64)
    key = np.zeros(len(raw), dtype=np.uint64)
    for column in raw.T:  # numbers are sorted ten times as fast as bytes are
        key = (key ^ column) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    if not np.array_equal(raw[first][inverse], raw):  # two columns have one key
        whole = np.ascontiguousarray(raw).view(f"V{raw.shape[1] * 8}")[:, 0]
        _, first, inverse = np.unique(whole, return_index=True, return_inverse=True)
    return first, inverse


def expand(trajectory: Trajectory[Any], inverse: Sequence[Index]) -> Trajectory[Any]:
    """Return the long probe's trajectory from the short one's, whose values are dataclasses of vectors."""
    if not inverse:
        return trajectory
    steps = [
        [
            [x if k is ... else type(x)(*(v if v is None else v[k] for v in vars(x).values())) for x in parts]
            for parts, k in zip(step, inverse, strict=True)
        ]
        for step in trajectory.steps
    ]
    return replace(trajectory, steps=steps)


@lru_cache(maxsize=65536)
def equivalent_claim(claim: Adam, probe: Probe, *, exact: bool = False) -> Adam:
    """Return the claim with every axis that the probe does not reach at its default.

    Two dialects with the same equivalent claim are the same program on this probe, so it is run and
    judged once for both.  A global clock is another program than a clock for each parameter even
    where the numbers agree, so the axis ``clock`` is kept, unless only the exact answer matters.

    Args:
        claim: the axes.
        probe: the input.
        exact: whether claims with the same exact answer count as equivalent.

    >>> from adamcore.conformance.types import Step
    >>> g = np.ones(1)
    >>> probe = Probe("X.1/x", "", (g,), (Step((g,)),), {"weight_decay": 0.0})
    >>> equivalent_claim(Adam(decay="decoupled", missing="error"), probe) == Adam()
    True
    """
    default: dict[str, Any] = {axis: values[0] for axis, values in AXES.items()}
    unreached = ["coefficients"]
    whole = all(g is not None for step in probe.steps for g in step.grads)
    if whole and all(step.present is None and step.frozen is None for step in probe.steps):
        unreached += ["missing", "all_missing", *(["clock"] if exact else [])]
    changes = [step.changes for step in probe.steps if step.changes]
    if not any(given.get("weight_decay") for given in (probe.hyper, *changes, *probe.groups)):
        unreached += ["decay", "decay_order", "cautious_decay"]
    elif claim.decay == "l2" and not any("decay" in given for given in changes):
        unreached += ["decay_order", "cautious_decay"]
    elif claim.decay in SAME_WITHOUT_CHANGES and not changes_lr(probe):
        unreached += ["decay"]
        default["decay"] = SAME_WITHOUT_CHANGES[claim.decay]
    if not any(np.iscomplexobj(p) for p in probe.params):
        unreached += ["complex"]
    return replace(claim, **{axis: default[axis] for axis in unreached})


def changes_lr(probe: Probe) -> bool:
    """Return whether the lr of a step or of a group is another than the probe's, or than lr_max."""
    given = (*(step.changes or {} for step in probe.steps), *probe.groups)
    own = any("lr" in changes or "lr_max" in changes or "decay" in changes for changes in given)
    return own or any(step.lr is not None for step in probe.steps) or bool(probe.hyper.get("lr_max"))


@lru_cache(maxsize=65536)
def canonical_claim(claim: Adam, probe: Probe, fault: Fault | None) -> Adam:
    """Return one Adam, with the probe's hyperparameters, for all claims that have the same exact answer.

    A fault may change which axes the probe reaches, for instance by dropping a gradient; then the
    claim's axes are kept.
    """
    touched = fault is not None and any((fault.probe, fault.absent, fault.made))
    same = claim if touched else equivalent_claim(claim, probe, exact=True)
    return adam_for(same, probe)

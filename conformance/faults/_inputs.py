"""Changes of the probe, of which faults of the input are made.

They change hyperparameters, learning rates, gradients and masks.  A function that takes ``steps`` and
``probe`` returns the steps as the candidate sees them; one that takes ``h`` returns the
hyperparameters that change.  Changes of the order of elements are in :mod:`.layout`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from adamcore.config import HYPERPARAMETERS
from adamcore.conformance import dtypes
from adamcore.conformance.types import FloatArray, Probe, Step

Steps = tuple[Step, ...]


def on_hyper(change: Callable[[dict[str, float]], dict[str, float]]) -> dict[str, Any]:
    """Return the keyword of a fault that changes hyperparameters."""
    return {"probe": partial(with_hyper, change)}


def on_steps(change: Callable[[Steps, Probe], Steps]) -> dict[str, Any]:
    """Return the keyword of a fault that changes the steps."""
    return {"probe": partial(with_steps, change)}


def on_gradients(change: Callable[[FloatArray], FloatArray]) -> dict[str, Any]:
    """Return the keyword of a fault that changes each gradient."""
    return on_steps(partial(each_gradient, change))


def with_hyper(change: Callable[[dict[str, float]], dict[str, float]], probe: Probe) -> Probe:
    """The probe with other hyperparameters, those of groups and of changes among them."""
    hyper = dict(probe.hyper)
    first = {**hyper, **change(dict(hyper))}
    seen, last = [], first
    for step in probe.steps:
        if step.changes:
            hyper |= {name: value for name, value in step.changes.items() if name in HYPERPARAMETERS}
            now = {**hyper, **change(dict(hyper))}
            others = {name: value for name, value in now.items() if last.get(name) != value}
            axes = {name: value for name, value in step.changes.items() if name not in HYPERPARAMETERS}
            step, last = replace(step, changes={**axes, **without_lr(others)} or None), now
        seen.append(step)
    groups = []
    for group in probe.groups:
        mine = {**probe.hyper, **group}
        mine |= change(dict(mine))
        groups.append({name: value for name, value in mine.items() if first.get(name) != value})
    steps = tuple(seen) if last is not first else probe.steps
    return replace(probe, hyper=first, steps=steps, groups=tuple(groups))


def without_lr(h: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in h.items() if name != "lr"}


def require_changes(names: tuple[str, ...], steps: Steps) -> None:
    """Raise where no step changes any of these hyperparameters: the fault has no meaning there."""
    if not any(name in (step.changes or {}) for step in steps for name in names):
        raise ValueError(f"no step changes {', '.join(names)}")


def kept(names: tuple[str, ...], steps: Steps, probe: Probe) -> Steps:
    """Changes of these hyperparameters are not seen."""
    require_changes(names, steps)
    return tuple(
        step
        if not step.changes
        else replace(step, changes={n: v for n, v in step.changes.items() if n not in names} or None)
        for step in steps
    )


def all_kept(steps: Steps, probe: Probe) -> Steps:
    """No hyperparameter is seen to change, lr neither."""
    if not any(step.changes or step.lr is not None for step in steps):
        raise ValueError("no step changes a hyperparameter")
    return tuple(replace(step, lr=None, changes=None) for step in steps)


def late(names: tuple[str, ...], steps: Steps, probe: Probe) -> Steps:
    """Changes of these hyperparameters are seen one step late."""
    require_changes(names, steps)
    seen = []
    for step, before in zip(steps, (Step(()), *steps), strict=False):
        mine = {n: v for n, v in (step.changes or {}).items() if n not in names}
        old = {n: v for n, v in (before.changes or {}).items() if n in names}
        seen.append(replace(step, changes={**mine, **old} or None))
    return tuple(seen)


def set_to(name: str, value: float, h: dict[str, float]) -> dict[str, float]:
    return {name: value} if name in h else {}


def momentum_decay(value: float, h: dict[str, float]) -> dict[str, float]:
    """Set momentum_decay, even if the probe leaves it at its default."""
    return {"momentum_decay": value}


def unless_zero(name: str, value: float, h: dict[str, float]) -> dict[str, float]:
    return {name: h[name] or value} if name in h else {}


def at_least(name: str, low: float, h: dict[str, float]) -> dict[str, float]:
    return {name: max(h[name], low)}


def narrowed(names: tuple[str, ...], dtype: str, probe: Probe) -> Probe:
    """Return the probe with these hyperparameters rounded to a dtype.

    A beta that becomes 1 is one that no Adam has, so that there is no model of the fault on this probe.
    """

    def to(x: float) -> float:
        return dtypes.round_float(x, dtype)

    def change(hyper: dict[str, float]) -> dict[str, float]:
        return {n: to(hyper[n]) for n in names if n in hyper and n != "lr"}

    probe = with_hyper(change, probe)
    return with_lr(to, probe) if "lr" in names else probe


def with_lr(change: Callable[[float], float], probe: Probe) -> Probe:
    """Return the probe with every learning rate changed, the first one and those of later steps."""
    steps = tuple(step if step.lr is None else replace(step, lr=change(step.lr)) for step in probe.steps)
    groups = tuple({**g, "lr": change(g["lr"])} if "lr" in g else g for g in probe.groups)
    return replace(probe, steps=steps, hyper={**probe.hyper, "lr": change(probe.hyper["lr"])}, groups=groups)


def swapped(h: dict[str, float]) -> dict[str, float]:
    return {"b1": h["b2"], "b2": h["b1"]}


def one_minus(name: str, h: dict[str, float]) -> dict[str, float]:
    return {name: 1.0 - h[name]} if h[name] else {}


def squared_eps(h: dict[str, float]) -> dict[str, float]:
    return {"eps": h["eps"] ** 2}


def with_steps(change: Callable[[Steps, Probe], Steps], probe: Probe) -> Probe:
    return replace(probe, steps=change(probe.steps, probe))


def each_gradient(change: Callable[[FloatArray], FloatArray], steps: Steps, probe: Probe) -> Steps:
    return tuple(step.each_gradient(change) for step in steps)


def by_norm(limit: float, g: FloatArray) -> FloatArray:
    norm = float(np.linalg.norm(np.ravel(g)))
    return g if not norm > limit else g * (limit / norm)


def by_global_norm(limit: float, steps: Steps, probe: Probe) -> Steps:
    clipped = []
    for step in steps:
        norm = float(np.sqrt(sum(np.sum(np.abs(g) ** 2) for g in step.grads if g is not None)))
        scale = limit / norm if norm > limit else 1.0
        clipped.append(step.each_gradient(partial(np.multiply, scale)))
    return tuple(clipped)


def by_value(limit: float, g: FloatArray) -> FloatArray:
    clipped: FloatArray = np.clip(g.real, -limit, limit)
    return clipped + 1j * np.clip(g.imag, -limit, limit) if np.iscomplexobj(g) else clipped


def without_nan(g: FloatArray) -> FloatArray:
    return np.nan_to_num(g, nan=0.0, posinf=0.0, neginf=0.0)


def step_skipped_on_nan(steps: Steps, probe: Probe) -> Steps:
    return tuple(
        replace(step, grads=(None,) * len(step.grads))
        if any(g is not None and not np.isfinite(g).all() for g in step.grads)
        else step
        for step in steps
    )


def tensor_skipped_on_nan(steps: Steps, probe: Probe) -> Steps:
    return tuple(
        replace(step, grads=tuple(None if g is None or not np.isfinite(g).all() else g for g in step.grads))
        for step in steps
    )


def zero_tensors_skipped(steps: Steps, probe: Probe) -> Steps:
    return tuple(
        replace(step, grads=tuple(None if g is None or not np.any(g) else g for g in step.grads))
        for step in steps
    )


def masked(keep: Callable[[FloatArray, FloatArray], Any], steps: Steps, probe: Probe) -> Steps:
    """Return steps that move only the elements for which ``keep(p, g)`` is True."""
    return tuple(
        replace(
            step,
            present=tuple(
                False if g is None else np.asarray(keep(p, g)) if p.ndim else bool(keep(p, g))
                for p, g in zip(probe.params, step.grads, strict=True)
            ),
        )
        for step in steps
    )


def zeros_left(p: FloatArray, g: FloatArray) -> Any:
    return g != 0


def all_or_none(steps: Steps, probe: Probe) -> Steps:
    return tuple(
        replace(step, grads=tuple(None for _ in step.grads)) if None in presence(step) else step
        for step in steps
    )


def up_to_the_first_absent(steps: Steps, probe: Probe) -> Steps:
    """In each step, drop the gradients after the first absent one."""
    return tuple(
        replace(
            step, grads=tuple(g if all(presence(step)[: i + 1]) else None for i, g in enumerate(step.grads))
        )
        for step in steps
    )


def those_of_the_first_step(steps: Steps, probe: Probe) -> Steps:
    first = presence(steps[0]) if steps else ()
    return tuple(
        replace(step, grads=tuple(g if here else None for g, here in zip(step.grads, first, strict=True)))
        for step in steps
    )


def presence(step: Step) -> tuple[bool | None, ...]:
    """Return True for each parameter with a gradient, None for the others."""
    return tuple(None if g is None else True for g in step.grads)


def nan_to_tensor(g: FloatArray) -> FloatArray:
    return g if np.isfinite(g).all() else np.full_like(g, np.nan)


def nan_to_all(steps: Steps, probe: Probe) -> Steps:
    """Turn every gradient of a step into NaN if one value in it is not finite."""
    return tuple(
        step
        if all(g is None or np.isfinite(g).all() for g in step.grads)
        else step.each_gradient(lambda g: np.full_like(g, np.nan))
        for step in steps
    )


def lr_kept(steps: Steps, probe: Probe) -> Steps:
    return tuple(replace(step, lr=None) for step in steps)


def lr_late(steps: Steps, probe: Probe) -> Steps:
    return tuple(replace(step, lr=before.lr) for step, before in zip(steps, (Step(()), *steps), strict=False))


def lr_once(steps: Steps, probe: Probe) -> Steps:
    first = next((s for s, step in enumerate(steps) if step.lr is not None), None)
    return tuple(step if s == first else replace(step, lr=None) for s, step in enumerate(steps))


def lr_multiplied(steps: Steps, probe: Probe) -> Steps:
    lr, changed = probe.hyper["lr"], []
    for step in steps:
        lr = lr if step.lr is None else lr * step.lr
        changed.append(step if step.lr is None else replace(step, lr=lr))
    return tuple(changed)


def lr_zero_none(steps: Steps, probe: Probe) -> Steps:
    return tuple(replace(step, lr=step.lr or None) for step in steps)


def lr_zero_skips(steps: Steps, probe: Probe) -> Steps:
    lr, changed = probe.hyper["lr"], []
    for step in steps:
        lr = lr if step.lr is None else step.lr
        changed.append(step if lr else replace(step, grads=tuple(None for _ in step.grads)))
    return tuple(changed)


def stale(steps: Steps, probe: Probe) -> Steps:
    """Replace an absent gradient by the parameter's last one."""
    last: list[FloatArray | None] = [None] * len(probe.params)
    changed = []
    for step in steps:
        last = [old if g is None else g for g, old in zip(step.grads, last, strict=True)]
        changed.append(replace(step, grads=tuple(last)))
    return tuple(changed)

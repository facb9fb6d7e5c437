"""Whether a candidate did what an Adam with a fault would do: a quick look, then the proof.

A fault of the formula has no proof: for it the quick look is as sharp as roundings allow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.coefficients import Host
from adamcore.conformance.exact import exact
from adamcore.conformance.faults import Fault, Form, Held, Tweak
from adamcore.conformance.probe import FloatArray, Probe, Run
from adamcore.conformance.tolerance import bounds
from adamcore.conformance.trajectory import Walk, real_parts, walk
from adamcore.definition import coefficients, update

CLOSE = 1e-3  #: distance, in lr, within which a quick look asks for the proof
ROUNDINGS = 400  #: of float32 (2**-24): as far a run in float32 may be from a form's model
DOUBLE = 1e-9  #: the same of a run in float64, relative to the parameter or lr


class FloatSlot:
    """State of real vectors in plain float64."""

    def __init__(self, adam: Adam, parts: list[FloatArray], form: Form | None = None) -> None:
        self.adam, self.p, self.form = adam, [p.astype(float) for p in parts], form
        self.memory: dict[str, Any] = {}
        self.reset()

    def begin(self, m: list[FloatArray], v: FloatArray, v_max: FloatArray) -> None:
        self.m, self.v, self.v_max = [x.astype(float) for x in m], v.astype(float), v_max.astype(float)

    def put(self, parts: list[FloatArray]) -> None:
        self.p = [x.astype(float) for x in parts]

    def reset(self) -> None:
        zero = np.zeros(self.p[0].shape)
        self.m, self.v, self.v_max = [zero for _ in self.p], zero, zero
        self.mu_product: float | None = 1.0

    def tick(self, t: int, lr: float) -> None:
        self.mu_product = coefficients(Host(), self.adam, t, lr, self.mu_product).mu_product

    def step(
        self, t: int, lr: float, grads: list[FloatArray], mask: FloatArray | None, tweak: Tweak | None
    ) -> None:
        c = coefficients(Host(), self.adam, t, lr, self.mu_product)
        c = c if tweak is None else tweak(c, Host())
        self.mu_product = c.mu_product
        parts = list(zip(self.p, grads, self.m, strict=True))
        if self.form is None or tweak is None:
            moved, v, v_max = update(np, self.adam, c, parts, self.v, self.v_max)
        else:
            moved, v, v_max = self.form(tweak.at, c, Held(parts, self.v, self.v_max, self.memory))
        keep = True if mask is None else mask
        self.p = [np.where(keep, p, old) for (p, _), old in zip(moved, self.p, strict=True)]
        self.m = [np.where(keep, m, old) for (_, m), old in zip(moved, self.m, strict=True)]
        self.v = np.where(keep, v, self.v)
        self.v_max = np.where(keep, v if v_max is None else v_max, self.v_max)

    def read(self) -> list[FloatArray]:
        return self.p


@lru_cache(maxsize=16384)
def quick(claim: Adam, probe: Probe, fault: Fault | None) -> Walk[FloatArray] | None:
    """The trajectory in float64; None where the fault has no meaning under this probe."""
    with np.errstate(all="ignore"):
        try:
            return walk(claim, probe, partial(FloatSlot, form=fault.form if fault else None), fault)
        except (ValueError, ZeroDivisionError, OverflowError):
            return None


def looks_like(claim: Adam, probe: Probe, run: Run, fault: Fault | None = None) -> bool:
    """Whether a run lies close to the claim with the fault: no proof, but of forms all that there is.

    A run that lies as close to the claim itself says nothing for a form.
    """
    model, lr = quick(claim, probe, fault), probe.hyper["lr"] or 1.0
    if fault is None or fault.form is None:
        return is_near(model, run, lr, None)
    if not is_near(model, run, lr, partial(distance, fault)):
        return False
    return not is_near(quick(claim, probe, None), run, lr, partial(distance, Fault()))


def is_near(
    model: Walk[FloatArray] | None, run: Run, lr: float, within: Callable[[Any], float] | None
) -> bool:
    """Whether a run lies within CLOSE of a trajectory, or within a part of what is largest in it so far."""
    if model is None or not comparable(model.steps, model.raises, run):
        return False
    largest = [[np.full(part.shape, lr) for part in parts] for parts in model.steps[0]] if model.steps else []
    for values, got in zip(model.steps, run.params, strict=True):
        for parts, mine, sizes in zip(values, got, largest, strict=True):
            for k, (want, x) in enumerate(zip(parts, real_parts(mine), strict=True)):
                with np.errstate(all="ignore"):
                    sizes[k] = np.fmax(sizes[k], np.abs(want))
                    limit = CLOSE * lr + 1e-6 * np.abs(want) if within is None else within(x.dtype) * sizes[k]
                    apart = np.abs(x.astype(float) - want) > limit
                if (apart | (np.isfinite(x) != np.isfinite(want))).any():
                    return False
    return True


def distance(fault: Fault, dtype: Any) -> float:
    """How far a run may be from a form's model, relative to the parameter or lr."""
    if dtype == np.float64:
        return fault.within or DOUBLE
    return ROUNDINGS * 2.0 ** (-24 if dtype == np.float32 else -11)


def is_proved(
    claim: Adam, probe: Probe, dtype: str, run: Run, *, flushes: bool = False, fault: Fault | None = None
) -> bool:
    """Whether every element of a run lies within the bound of the claim with the fault.

    Of a fault with a form there is no proof; it is matched by its model, every run of it.
    """
    if fault is not None and fault.form is not None:
        return looks_like(claim, probe, run, fault)
    want, limit = exact(claim, probe, fault), bounds(claim, probe, dtype, flushes, fault)
    if not comparable(want.steps, want.raises, run):
        return False
    for values, limits, got in zip(want.steps, limit.steps, run.params, strict=True):
        for parts, wides, mine in zip(values, limits, got, strict=True):
            for value, wide, x in zip(parts, wides, real_parts(mine), strict=True):
                with np.errstate(all="ignore"):
                    outside = np.abs(value.error_of(x)) > wide.p
                known = np.isfinite(value.high)
                if (outside & known).any() or (np.isfinite(x) != known).any():
                    return False
    return True


def comparable(steps: Sequence[Sequence[Sequence[Any]]], raises: bool, run: Run) -> bool:
    """Whether a run has as many steps as are expected of it, and an error only where one is."""
    if run.unsupported is not None or (run.error is not None) != raises or len(run.params) != len(steps):
        return False
    sizes = [[np.size(getattr(x, "high", x)) for x in parts] for parts in (steps[0] if steps else [])]
    return all([[p.size for p in real_parts(x)] for x in got] == sizes for got in run.params)

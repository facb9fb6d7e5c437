"""Whether a candidate did what an Adam with a fault would do: a quick look, then the proof."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.coefficients import Host
from adamcore.conformance.exact import exact
from adamcore.conformance.faults import Fault, Tweak
from adamcore.conformance.probe import FloatArray, Probe, Run
from adamcore.conformance.tolerance import bounds
from adamcore.conformance.trajectory import Walk, real_parts, walk
from adamcore.definition import coefficients, update

CLOSE = 1e-3  #: distance, in lr, within which a quick look asks for the proof


class FloatSlot:
    """State of real vectors in plain float64."""

    def __init__(self, adam: Adam, parts: list[FloatArray]) -> None:
        self.adam, self.p = adam, [p.astype(float) for p in parts]
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
        moved, v, v_max = update(np, self.adam, c, parts, self.v, self.v_max)
        keep = True if mask is None else mask
        self.p = [np.where(keep, p, old) for (p, _), old in zip(moved, self.p, strict=True)]
        self.m = [np.where(keep, m, old) for (_, m), old in zip(moved, self.m, strict=True)]
        self.v = np.where(keep, v, self.v)
        self.v_max = np.where(keep, v if v_max is None else v_max, self.v_max)

    def read(self) -> list[FloatArray]:
        return self.p


@lru_cache(maxsize=8192)
def quick(claim: Adam, probe: Probe, fault: Fault | None) -> Walk[FloatArray] | None:
    """The trajectory in float64; None where the fault has no meaning under this probe."""
    with np.errstate(all="ignore"):
        try:
            return walk(claim, probe, FloatSlot, fault)
        except (ValueError, ZeroDivisionError, OverflowError):
            return None


def looks_like(claim: Adam, probe: Probe, run: Run, fault: Fault | None = None) -> bool:
    """Whether a run lies within :data:`CLOSE` of the claim with the fault: no proof."""
    model = quick(claim, probe, fault)
    if model is None or not comparable(model.steps, model.raises, run):
        return False
    limit = CLOSE * (probe.hyper["lr"] or 1.0)
    for values, got in zip(model.steps, run.params, strict=True):
        for parts, mine in zip(values, got, strict=True):
            for want, x in zip(parts, real_parts(mine), strict=True):
                with np.errstate(all="ignore"):
                    apart = np.abs(x.astype(float) - want) > limit + 1e-6 * np.abs(want)
                if (apart | (np.isfinite(x) != np.isfinite(want))).any():
                    return False
    return True


def is_proved(
    claim: Adam, probe: Probe, dtype: str, run: Run, *, flushes: bool = False, fault: Fault | None = None
) -> bool:
    """Whether every element of a run lies within the bound of the claim with the fault."""
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

"""Hyperparameters at values far from those of the other experiments, and what they count as there.

A value that is capped, replaced, rounded or taken for absent is found by fitting: the claim with another
value in its place makes the steps that the candidate made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adamcore import Adam
from adamcore.conformance.anatomy.experiments import LARGE, LEVERS, TINY, experiment
from adamcore.conformance.anatomy.measured import Measured
from adamcore.conformance.anatomy.readings import Readings, run_of_claim
from adamcore.conformance.types import FloatArray, Probe

VALUES: dict[str, tuple[float, ...]] = {
    "lr": (1e-8, 1e-3, 1.0 / 3.0, 8.0),
    "b1": (0.0, 0.3, 0.9, 0.99, 0.9999),
    "b2": (0.0, 0.3, 0.999, 0.9999, 0.999999),
    "eps_root": (0.25,),
    "eps": (1e-4, 1e-7, 1e-8, 1e-12, 1e-16, 0.0),
    "weight_decay": (1e-5, 0.01, 1.0 / 3.0, 2.0),
}
"""The values that each hyperparameter is given."""
COURSE = (1.0, -0.5, 8.0)  #: the gradients of the steps
FITTED = {
    "float64": 1e-9,
    "float32": 1e-5,
}  #: moves that agree to within this, relative to the largest, are explained
KNOWN = 1e-5  #: moves with fewer digits than this are not fitted


@dataclass(frozen=True)
class Sweep:
    """One hyperparameter with one value."""

    name: str
    value: float

    @property
    def key(self) -> str:
        return f"{self.name}={self.value:g}"

    @property
    def probe(self) -> Probe:
        """A few steps with gradients of several sizes, on both sides of eps."""
        eps = self.value if self.name == "eps" else LEVERS["eps"]
        sizes = [2.0**-40, 1.0, LARGE] if eps == 0 else [TINY * eps, eps, LARGE * eps]
        if self.name in ("eps", "eps_root") and eps:
            sizes = [0.25 * eps, eps, 4.0 * eps]
        rows = [[c * np.array(sizes, dtype=np.float32).astype(np.float64)] for c in COURSE]
        p = np.full(3, float(self.name in ("lr", "weight_decay")))
        hyper = {"weight_decay": 0.25} if self.name == "lr" else {}
        about = f"{self.name} of {self.value:g}"
        return experiment(self.key, about, [p], rows, **hyper, **{self.name: self.value})


SWEEPS = {sweep.key: sweep for name, values in VALUES.items() for sweep in (Sweep(name, v) for v in values)}
"""All of them, by name."""


def hyperparameters(r: Readings) -> dict[str, Measured]:
    """Return all moves under each value; those of a candidate that does not take the value are left out."""
    values = {}
    for key, sweep in SWEEPS.items():
        run = r.runs.get(key)
        if run is None or run.unsupported or r.probes[key].hyper.get(sweep.name) != sweep.value:
            continue
        values[key] = r.moves(key)
    return values


def counts_as(adam: Adam, sweep: Sweep, probe: Probe, got: FloatArray, dtype: str) -> float | None:
    """Return the value with which the claim makes the moves that the candidate made, or None.

    A move is the difference of two parameters, and so it is known to within their last digits.
    """
    scale = np.maximum(np.max(np.abs(got), axis=0), 1e-300)
    if not np.all(np.isfinite(scale)):
        return None
    digit = float(np.spacing(np.max(np.abs(probe.params[0])).astype(dtype)))
    digits = 2.0 * digit / float(np.min(scale))
    fitted = FITTED[dtype] + (digits if digits < KNOWN else 0.0)

    def distance(x: float) -> float:
        try:
            run = run_of_claim(adam, probe.with_hyper(**{sweep.name: x}))
        except ZeroDivisionError:
            return np.inf
        if run.error:
            return np.inf
        p: list[FloatArray] = [probe.params[0], *(step[0] for step in run.params)]
        moved = np.stack(p[:-1]) - np.stack(p[1:])
        with np.errstate(all="ignore"):
            off = np.max(np.abs(moved - got) / scale)
        return float(off) if np.isfinite(off) else np.inf

    if distance(0.0) < fitted:
        return 0.0
    is_beta = sweep.name in ("b1", "b2")

    def near(x: float) -> float:
        return 1.0 - float(2.0**-x) if is_beta else float(2.0**x)

    low, high = (0.01, 32.0) if is_beta else (-70.0, 20.0)
    grid = np.linspace(low, high, 181)
    k = int(np.argmin([distance(near(x)) for x in grid]))
    a, b = grid[max(k - 1, 0)], grid[min(k + 1, len(grid) - 1)]
    for _ in range(70):
        x, y = a + 0.382 * (b - a), a + 0.618 * (b - a)
        a, b = (a, y) if distance(near(x)) < distance(near(y)) else (x, b)
    return near(0.5 * (a + b)) if distance(near(0.5 * (a + b))) < fitted else None

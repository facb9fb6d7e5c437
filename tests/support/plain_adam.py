"""AdamW as people write it, with switches to do it wrong, and its runs on a few probes."""

from __future__ import annotations

from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import FloatArray, Probe, Result, Run, RunKey
from adamcore.conformance.verdict.judge import judge

FEW = [
    "STEP.1/fingerprint", "EPS.1/beside-small-root", "DEC.1/coupling", "DEC.5/order", "AMS.1/shrinking",
    "F1/absent-middle", "F6/all-absent", "NUM.4/near-one", "NF.1/nan", "MOM.1/b1-zero",
]  # fmt: skip

Change = dict[str, Any]


class Plain:
    """AdamW or Adam as people write it, with switches to do it wrong."""

    def __init__(self, probe: Probe, dtype: str, change: Change) -> None:
        self.f, self.h, self.change = np.dtype(dtype).type, probe.hyper, change
        self.p = [p.astype(dtype) for p in probe.params]
        zero = [np.zeros_like(p) for p in self.p]
        self.m = [s.m.astype(dtype) for s in probe.start] or list(zero)
        self.v = [s.v.astype(dtype) for s in probe.start] or list(zero)
        self.t = [s.t for s in probe.start] or [0] * len(self.p)
        self.lr = self.h["lr"]

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        f, h, change = self.f, self.h, self.change
        for i, g in enumerate(grads):
            if g is None and change.get("absent") != "zero":
                continue
            self.t[i] += 1
            t = max(self.t) if change.get("clock") == "global" else self.t[i]
            p, g = self.p[i], np.zeros_like(self.p[i]) if g is None else g.astype(f)
            if change.get("nan") == "replaced":
                g = np.nan_to_num(g)
            wd = self.lr * h["weight_decay"]
            if change.get("decay") == "l2":
                g = g + f(h["weight_decay"]) * p
            elif not change.get("after"):
                p = p * f(1 - wd)
            self.m[i] = f(h["b1"]) * self.m[i] + f(1 - h["b1"]) * g
            self.v[i] = f(h["b2"]) * self.v[i] + (f(1 - h["b2"]) * g) * g
            c1, c2 = f(1 - h["b1"] ** t), f(1 - h["b2"] ** t)
            if change.get("eps") == "inside":
                root = np.sqrt(self.v[i] / c2 + f(h["eps"]))
            else:
                root = np.sqrt(self.v[i]) / np.sqrt(c2) + f(h["eps"])
            p = p - f(self.lr) * (self.m[i] / c1) / root
            if change.get("after"):
                p = p * f(1 - wd)
            self.p[i] = np.asarray(p)
        return [p.copy() for p in self.p]


def run(probe: Probe, dtype: str, change: Change) -> Run:
    candidate, done = Plain(probe, dtype, change), Run()
    with np.errstate(all="ignore"):
        for step in probe.steps:
            done.params.append(candidate.step(list(step.grads)))
    return done


def runs_and_results(claim: Adam, **change: Any) -> tuple[dict[RunKey, Run], list[Result]]:
    runs = {(n, d): run(PROBES[n], d, change) for n in FEW for d in ("float32", "float64")}
    return runs, [judge(claim, PROBES[n], d, r) for (n, d), r in runs.items()]


ADAMW = Adam(decay="decoupled")

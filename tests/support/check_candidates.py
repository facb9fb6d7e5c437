"""An array candidate with a choice of denominators, and the entry of one target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adamcore.conformance import check
from adamcore.conformance.report.report import Entry

FEW = ("STEP.1/fingerprint", "EPS.*", "DEC.1/coupling", "F1/absent-middle", "F3/mask", "NUM.4/near-one")


ADAM = """
import numpy as np

class Adam:
    {attributes}

    def init(self, params, hyper):
        self.p = params
        self.m = [np.zeros_like(p) for p in params]
        self.v = [np.zeros_like(p) for p in params]
        self.t = [0] * len(params)
        self.h = hyper

    def step(self, grads):
        h = self.h
        for i, g in enumerate(grads):
            if g is None:
                continue
            self.t[i] += 1
            f = g.real.dtype.type
            g = g + f(h["weight_decay"]) * self.p[i]
            self.m[i] = self.m[i] + f(1 - h["b1"]) * (g - self.m[i])
            self.v[i] = self.v[i] + f(1 - h["b2"]) * (g * g - self.v[i])
            m_hat = self.m[i] / f(1 - h["b1"] ** self.t[i])
            v_hat = self.v[i] / f(1 - h["b2"] ** self.t[i])
            eps = f(h["eps"])
            self.p[i] = self.p[i] - f(h["lr"]) * m_hat / ({denominator})
        return self.p
"""


RIGHT, WRONG = "np.sqrt(v_hat) + eps", "np.sqrt(v_hat + eps)"


def write(folder: Path, denominator: str = RIGHT, attributes: str = "pass", name: str = "mine") -> str:
    path = folder / f"{name}.py"
    path.write_text(ADAM.format(denominator=denominator, attributes=attributes))
    return f"{path}:Adam"


def one(target: str, **options: Any) -> Entry:
    [entry] = check(target, **({"probes": FEW, "dtypes": ["float32"]} | options)).entries
    return entry

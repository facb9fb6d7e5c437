"""A right array candidate, from which tests derive wrong ones, and the judgement of its run of a probe."""

from __future__ import annotations

from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.conformance.candidates.array import ArrayCandidate
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Probe, Result, Run
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.wire import pack_probe, pack_run, unpack_probe, unpack_run


class Good:
    """AdamW in NumPy, with everything an array candidate can offer."""

    def init(self, params: list[np.ndarray], hyper: dict[str, float]) -> None:
        self.p, self.h = [p.copy() for p in params], hyper
        self.m = [np.zeros_like(p) for p in params]
        self.v = [np.zeros_like(p) for p in params]
        self.t = [0] * len(params)

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        for i, g in enumerate(grads):
            if g is None:
                continue
            h = self.hypers[i] if self.hypers else self.h
            self.t[i] += 1
            f = self.p[i].dtype.type
            self.m[i] = f(h["b1"]) * self.m[i] + f(1 - h["b1"]) * g
            self.v[i] = f(h["b2"]) * self.v[i] + f(1 - h["b2"]) * g * g
            c1, c2 = (1 - h[b] ** self.t[i] for b in ("b1", "b2"))
            root = np.sqrt(self.v[i]) / f(np.sqrt(c2)) + f(h["eps"])
            kept = self.p[i] * f(1 - h["lr"] * h["weight_decay"])
            self.p[i] = np.asarray(kept - f(h["lr"] / c1) * self.m[i] / root)
        return [p.copy() for p in self.p]

    hypers: list[dict[str, float]] = []  # noqa: RUF012 - of each parameter, where there are groups

    def init_groups(self, params: list[np.ndarray], hypers: list[dict[str, float]]) -> None:
        self.init(params, hypers[0])
        self.hypers = hypers

    def set_hyper(self, hyper: dict[str, float]) -> None:
        self.h = {**self.h, **hyper}
        self.hypers = [{**h, **hyper} for h in self.hypers]

    def set_lr(self, lr: float) -> None:
        Good.set_hyper(self, {"lr": lr})

    def get_state(self) -> dict[str, Any]:
        return {"t": list(self.t), "m": self.m, "v": self.v}

    def set_state(self, state: dict[str, Any]) -> None:
        self.t, self.m, self.v = list(state["t"]), state["m"], state["v"]


CLAIM = Adam(decay="decoupled")


def judged(cls: type, name: str, dtype: str = "float32") -> tuple[Probe, Run, Result]:
    """Return a probe, the run of a candidate of this class, and its judgement under AdamW."""
    probe = unpack_probe(pack_probe(PROBES[name]))  # as a worker process sees it
    run = unpack_run(pack_run(ArrayCandidate(cls, {}).run(probe, dtype)))
    return PROBES[name], run, judge(CLAIM, PROBES[name], dtype, run)

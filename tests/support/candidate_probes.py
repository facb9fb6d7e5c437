"""A probe with few steps for the tests of the adapters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from adamcore.conformance.types import Probe, Step

HYPER = {"lr": 0.5, "b1": 0.5, "b2": 0.75, "eps": 0.25, "weight_decay": 0.125, "eps_root": 0.5}


P0, P1 = np.array([1.0, -2.0]), np.array(0.5)


G0, G1 = np.array([0.25, -1.0]), np.array(2.0)


def probe(*steps: Step, hyper: Mapping[str, float] = HYPER) -> Probe:
    return Probe("X.1/test", "", (P0, P1), steps or (Step((G0, G1)), Step((-G0, G1))), hyper)


class Plain:
    """A float32 or float64 Adam of few lines, without weight decay."""

    hyper: tuple[str, ...] = ("lr", "b1", "b2", "eps")

    def init(self, params: list[np.ndarray], hyper: dict[str, float]) -> None:
        self.p, self.h, self.given = params, hyper, dict(hyper)

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        self.p = [
            p if g is None else p - p.dtype.type(self.h["lr"]) * g for p, g in zip(self.p, grads, strict=True)
        ]
        return self.p

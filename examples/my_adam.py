"""An Adam as one writes it down from an article, with the slip of a popular one: see docs/start.md.

adamcore check examples/my_adam.py:MyAdam
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


class MyAdam:
    """The two methods that a check needs, and the names of the hyperparameters that it takes."""

    hyper = ("lr", "b1", "b2", "eps")

    def init(self, params: list[Array], hyper: dict[str, float]) -> None:
        self.p = list(params)
        self.m = [np.zeros_like(p) for p in params]
        self.v = [np.zeros_like(p) for p in params]
        self.t = [0] * len(params)
        self.lr, self.b1, self.b2, self.eps = (hyper[name] for name in self.hyper)

    def step(self, grads: list[Array | None]) -> list[Array]:
        for i, g in enumerate(grads):
            if g is None:  # an absent gradient: the parameter takes no part in the step
                continue
            self.t[i] += 1
            self.m[i] = self.b1 * self.m[i] + (1 - self.b1) * g
            self.v[i] = self.b2 * self.v[i] + (1 - self.b2) * g * g
            m = self.m[i] / (1 - self.b1 ** self.t[i])
            v = self.v[i] / (1 - self.b2**2)
            self.p[i] = self.p[i] - self.lr * m / (np.sqrt(v) + self.eps)
        return list(self.p)

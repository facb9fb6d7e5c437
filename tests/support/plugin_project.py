"""A project with candidates for the pytest plugin, and how pytest runs in it."""

from __future__ import annotations

from importlib.metadata import distributions

import pytest

NEEDED = pytest.mark.skipif(
    not any(e.group == "pytest11" and e.name == "adamcore" for d in distributions() for e in d.entry_points),
    reason="adamcore is not installed, so that pytest does not know its plugin: make installs it",
)


ADAM = '''
import os
import numpy as np

class Right:
    """Counts in a file how often it was started."""

    def init(self, params, hyper):
        self.p, self.h, self.t = params, hyper, 0
        self.m = [np.zeros_like(p) for p in params]
        self.v = [np.zeros_like(p) for p in params]

    def root(self, v, eps):
        return np.sqrt(v) + eps

    def step(self, grads):
        h, self.t = self.h, self.t + 1
        for i, g in enumerate(grads):
            f = g.dtype.type
            g = g + f(h["weight_decay"]) * self.p[i]
            self.m[i] = self.m[i] + f(1 - h["b1"]) * (g - self.m[i])
            self.v[i] = self.v[i] + f(1 - h["b2"]) * (g * g - self.v[i])
            m, v = self.m[i] / f(1 - h["b1"]**self.t), self.v[i] / f(1 - h["b2"]**self.t)
            self.p[i] = self.p[i] - f(h["lr"]) * m / self.root(v, f(h["eps"]))
        return self.p

class Wrong(Right):
    def root(self, v, eps):
        return np.sqrt(v + eps)

class Exits(Right):
    def step(self, grads):
        os._exit(3)

with open("started", "a") as file:
    file.write("x")
'''


OTHERS = ("cacheprovider", "hypothesispytest", "jaxtyping", "zarr")  #: plugins that only take time to load


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    without = [word for plugin in OTHERS for word in ("-p", f"no:{plugin}")]
    return project.runpytest_subprocess(*without, *arguments, timeout=120)


def started(project: pytest.Pytester) -> int:
    path = project.path / "started"
    return len(path.read_text()) if path.exists() else 0

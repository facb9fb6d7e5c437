"""Array candidates whose parts are measured, and their anatomy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np

from adamcore import Adam
from adamcore.conformance.anatomy.anatomy import EVERY_EXPERIMENT, Anatomy
from adamcore.conformance.anatomy.differences import Difference
from adamcore.conformance.anatomy.experiments import EXPERIMENTS
from adamcore.conformance.anatomy.readings import Readings, readings_of_claim
from adamcore.conformance.candidates import Candidate, judged_hyper
from adamcore.conformance.candidates.array import ArrayCandidate
from adamcore.conformance.types import Finding, FloatArray, Probe, Run

CLAIM = Adam(decay="decoupled")


class Parts:
    """AdamW with a method for each part, so that a wrong one is one method overridden."""

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        self.p, self.h = [p.copy() for p in params], dict(hyper)
        self.m, self.v = ([np.zeros_like(p) for p in params] for _ in range(2))
        self.t = [0 for _ in params]
        self.lr = hyper["lr"]

    def set_lr(self, lr: float) -> None:
        self.lr = lr

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        for i, g in enumerate(grads):
            if g is not None:
                self.t[i] += 1
                self.one(i, g)
        return [p.copy() for p in self.p]

    def one(self, i: int, g: FloatArray) -> None:
        m = self.m[i] = self.first(self.m[i], g)
        v = self.v[i] = self.second(self.v[i], g, m)
        c1, c2 = self.correction(self.t[i])
        self.p[i] = self.decay(self.p[i]) - self.lr * (m / c1) / self.root(v / c2)

    def first(self, m: FloatArray, g: FloatArray) -> FloatArray:
        return self.h["b1"] * m + (1 - self.h["b1"]) * g

    def second(self, v: FloatArray, g: FloatArray, m: FloatArray) -> FloatArray:
        return self.h["b2"] * v + (1 - self.h["b2"]) * g * g

    def correction(self, t: int) -> tuple[float, float]:
        return 1 - self.h["b1"] ** t, 1 - self.h["b2"] ** t

    def root(self, v: FloatArray) -> FloatArray:
        return np.asarray(np.sqrt(v) + self.h["eps"])

    def decay(self, p: FloatArray) -> FloatArray:
        return p * (1 - self.lr * self.h["weight_decay"])


def readings_of(
    candidate: Candidate, dtype: str = "float64", experiments: Mapping[str, Probe] = EXPERIMENTS
) -> Readings:
    """Return what a candidate does on the experiments."""
    info, runs, probes = candidate.info, {}, {}
    for name, probe in experiments.items():
        with np.errstate(all="ignore"):
            runs[name] = candidate.run(probe, dtype)
        probes[name] = replace(probe, hyper=judged_hyper(probe.hyper, info.lacks, info.fixed))
    return Readings(runs, probes, dtype)


@lru_cache
def anatomy(cls: type, dtype: str = "float64", claim: Adam = CLAIM) -> Anatomy:
    """Return the anatomy of a class, in this process."""
    candidate = ArrayCandidate(cls, {})
    return Anatomy(readings_of(candidate, dtype), claim, candidate.info.lacks)


@lru_cache
def whole_anatomy(cls: type, dtype: str = "float64", claim: Adam = CLAIM) -> Anatomy:
    """Return the anatomy with all that a check measures once a probe has failed."""
    candidate = ArrayCandidate(cls, {})
    return Anatomy(readings_of(candidate, dtype, EVERY_EXPERIMENT), claim, candidate.info.lacks)


def difference(cls: type, part: str, claim: Adam = CLAIM) -> Difference:
    """Return a part of a class beside what is claimed."""
    made = anatomy(cls, claim=claim)
    return Difference(made, next(p for p in made.parts if p.name == part))


def assert_found(found: Finding | None, area: str, rule: str, observed: str = "") -> None:
    """Assert that a finding has this area, this rule, and these words in what it says."""
    assert found is not None
    assert (found.area, found.rule) == (area, rule), found.observed
    assert observed in found.observed


def equations_of(cls: type, dtype: str = "float64") -> dict[str, str]:
    """Return a class' equations by part; of two with one name the last."""
    return dict(anatomy(cls, dtype).equations)


def nothing_run() -> Readings:
    """Return the readings of a candidate that could run no experiment."""
    return Readings({name: Run(unsupported="no") for name in EXPERIMENTS}, EXPERIMENTS, "float64")


@lru_cache
def eps_inside() -> Anatomy:
    """Return the anatomy of an AdamW whose eps stands under the root, beside one whose eps does not."""
    wrong = replace(CLAIM, epsilon="inside-corrected")
    return Anatomy(readings_of_claim(wrong, EXPERIMENTS, "float64"), CLAIM)


class LrVariable(Parts):
    """An optimizer whose lr is a variable of float32, beside parameters of float64 (Keras on PyTorch)."""

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.set_lr(hyper["lr"])

    def set_lr(self, lr: float) -> None:
        self.lr = float(np.float32(lr))

    def decay(self, p: FloatArray) -> FloatArray:
        return p * float(1 - np.float32(self.h["weight_decay"]) * np.float32(self.lr))

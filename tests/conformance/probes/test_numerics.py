"""The probes of NaN and infinity, of coefficients and of tiny gradients."""

from __future__ import annotations

import numpy as np
from array_adam import Good, judged

from adamcore import Adam
from adamcore.conformance.probes import PROBES
from adamcore.conformance.verdict.judge import judge, judge_twin


class Spreads(Good):
    """One NaN among the gradients changes all by a bit."""

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        after = super().step(grads)
        if any(g is not None and not np.isfinite(g).all() for g in grads):
            after = self.p = [np.nextafter(p, np.float32(np.inf), dtype=p.dtype) for p in self.p]
        return [p.copy() for p in after]


def test_the_neighbours_of_a_nan_are_bit_for_bit_what_they_were() -> None:
    for cls, status in ((Good, "passed"), (Spreads, "failed")):
        with np.errstate(all="ignore"):
            probe, run, result = judged(cls, "NF.1/nan")
            twin = judged(cls, "STEP.1/finite")[1]
        assert result.status == "passed"
        assert judge_twin(result, probe, run, twin).status == status


def test_the_probe_of_nan_is_like_one_without() -> None:
    spoiled, finite = PROBES["NF.1/nan"], PROBES["STEP.1/finite"]
    assert spoiled.params is finite.params
    assert spoiled.hyper == finite.hyper
    changed = [
        (s, i, int(k))
        for s, (a, b) in enumerate(zip(spoiled.steps, finite.steps, strict=True))
        for i, (g, h) in enumerate(zip(a.grads, b.grads, strict=True))
        for k in np.flatnonzero(np.asarray(g) != np.asarray(h))
    ]
    assert changed == [(1, 0, 1), (1, 0, 3)]
    result = judge(Adam(), finite, "float64", judged(Good, "STEP.1/finite", "float64")[1])
    assert result.status in ("passed", "failed")


class WorkingPrecision(Good):
    """Forms 1-b**t in the dtype of the parameters."""

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        h = self.h
        for i, g in enumerate(grads):
            assert g is not None
            f = self.p[i].dtype.type
            self.t[i] += 1
            self.m[i] = f(h["b1"]) * self.m[i] + f(1 - h["b1"]) * g
            self.v[i] = f(h["b2"]) * self.v[i] + f(1 - h["b2"]) * g * g
            c1, c2 = f(1) - f(h["b1"]) ** f(self.t[i]), f(1) - f(h["b2"]) ** f(self.t[i])
            root = np.sqrt(self.v[i] / c2) + f(h["eps"])
            self.p[i] = np.asarray(self.p[i] - f(h["lr"]) * (self.m[i] / c1) / root)
        return [p.copy() for p in self.p]


def test_coefficients_formed_in_float32_fail_near_b2_of_1() -> None:
    assert judged(Good, "NUM.4/near-one")[2].status == "passed"
    assert judged(WorkingPrecision, "NUM.4/near-one")[2].status == "failed"


class FlushesSquares(Good):
    """Takes a gradient whose square underflows for 0."""

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        return super().step([None if g is None else np.where(np.abs(g) < 1e-19, 0 * g, g) for g in grads])


def test_tiny_gradients_must_move_a_parameter() -> None:
    assert judged(Good, "NUM.2/tiny")[2].status == "passed"
    assert judged(FlushesSquares, "NUM.2/tiny")[2].status == "failed"

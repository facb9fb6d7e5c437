"""The probes of the formula fail an Adam with one choice changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from array_adam import Good, judged


class Variant(Good):
    """AdamW with a step that a subclass changes."""

    def update(self, i: int, m_hat: Any, v: Any, c2: float) -> Any:
        return m_hat / (np.sqrt(v / c2) + self.h["eps"])

    def step(self, grads: list[Any]) -> list[Any]:
        h = self.h
        for i, g in enumerate(grads):
            self.t[i] += 1
            self.m[i] = h["b1"] * self.m[i] + (1 - h["b1"]) * g
            self.v[i] = h["b2"] * self.v[i] + (1 - h["b2"]) * g * g
            c1, c2 = 1 - h["b1"] ** self.t[i], 1 - h["b2"] ** self.t[i]
            kept = self.p[i] * (1 - h["lr"] * h["weight_decay"])
            self.p[i] = np.asarray(kept - h["lr"] * self.update(i, self.m[i] / c1, self.v[i], c2))
        return [p.copy() for p in self.p]


class EpsilonInside(Variant):
    def update(self, i: int, m_hat: Any, v: Any, c2: float) -> Any:
        return m_hat / np.sqrt(v / c2 + self.h["eps"])


class Uncorrected(Variant):
    def update(self, i: int, m_hat: Any, v: Any, c2: float) -> Any:
        return m_hat / (np.sqrt(v) + self.h["eps"])


class Maximum(Variant):
    """AMSGrad."""

    def update(self, i: int, m_hat: Any, v: Any, c2: float) -> Any:
        self.top = getattr(self, "top", None) or [np.zeros_like(p) for p in self.p]
        self.top[i] = np.maximum(self.top[i], v)
        return super().update(i, m_hat, self.top[i], c2)


CASES: list[tuple[str, type]] = [
    ("STEP.1/fingerprint", EpsilonInside), ("STEP.1/fingerprint", Uncorrected),
    ("STEP.1/fingerprint", Maximum), ("EPS.1/beside-small-root", EpsilonInside),
    ("EPS.2/comparable", EpsilonInside), ("BC.1/first-steps", Uncorrected), ("AMS.1/shrinking", Maximum),
]  # fmt: skip


@pytest.mark.parametrize(("name", "cls"), CASES)
def test_a_choice_changed_fails_in_float64(name: str, cls: type) -> None:
    assert judged(Variant, name, "float64")[2].status == "passed"
    assert judged(cls, name, "float64")[2].status == "failed"

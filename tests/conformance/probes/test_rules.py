"""The probes of the formula fail an Adam with one choice changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from array_adam import Good, judged

from adamcore.conformance.probes import PROBES


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


class SquaredIfSmall(Variant):
    """eps**2 under the root up to eps=1e-6, as in drjit: .7071 lr where root and gradient are eps."""

    def update(self, i: int, m_hat: Any, v: Any, c2: float) -> Any:
        eps = self.h["eps"]
        return m_hat / np.sqrt(v / c2 + eps**2) if eps <= 1e-6 else super().update(i, m_hat, v, c2)


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
    ("EPS.2/comparable", EpsilonInside), ("EPS.1/small", EpsilonInside), ("EPS.1/small", SquaredIfSmall),
    ("BC.1/first-steps", Uncorrected), ("AMS.1/shrinking", Maximum),
]  # fmt: skip


@pytest.mark.parametrize(("name", "cls"), CASES)
def test_a_choice_changed_fails_in_float64(name: str, cls: type) -> None:
    assert judged(Variant, name, "float64")[2].status == "passed"
    assert judged(cls, name, "float64")[2].status == "failed"


def test_a_probe_has_the_most_usual_eps_and_roots_from_an_eighth_of_it_to_eight_times_it() -> None:
    probe = PROBES["EPS.1/small"]
    assert probe.hyper["eps"] == 1e-8
    gradients = np.abs([g for step in probe.steps for g in step.grads if g is not None]) / probe.hyper["eps"]
    assert gradients.min() < 1 / 8
    assert gradients.max() > 8
    assert np.sum((gradients[0] > 1 / 2) & (gradients[0] < 2)) >= 3, "where the first root is like eps"

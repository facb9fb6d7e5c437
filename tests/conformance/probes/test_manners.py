"""Manners of a run: each one has a probe that fails an Adam which is wrong in it alone."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from array_adam import CLAIM, Good
from array_adam import judged as judged_array

from adamcore import Adam
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Result
from adamcore.conformance.verdict.judge import judge

torch = pytest.importorskip("torch")
from manner_adams import (  # noqa: E402
    ClosurePerGroup,
    KeepsOwnParameters,
    KeepsOwnState,
    SaveTakesMoments,
    SkipsWithoutLoss,
    StateOfFirst,
)

from adamcore.conformance.candidates.torch.candidate import TorchCandidate  # noqa: E402

MANNERS = {
    "STEP.2/groups": ClosurePerGroup,
    "STEP.2/silent": SkipsWithoutLoss,
    "LR.4/joining": StateOfFirst,
    "STEP.1/set-outside": KeepsOwnParameters,
    "STATE.4/resumed-used": KeepsOwnState,
    "STATE.4/saved": SaveTakesMoments,
}


def judged(cls: type, name: str, dtype: str = "float64") -> Result:
    """Return how an optimizer class does on a probe."""
    run = TorchCandidate(cls, {}, None, None).run(PROBES[name], dtype)
    return judge(Adam.like("torch.AdamW"), PROBES[name], dtype, run)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", MANNERS)
def test_a_right_one_passes(name: str, dtype: str) -> None:
    assert judged(torch.optim.AdamW, name, dtype).status == "passed"


@pytest.mark.parametrize("name", MANNERS)
def test_one_that_is_wrong_there_alone_fails(name: str) -> None:
    assert judged(MANNERS[name], name).status == "failed"
    others = {"STEP.1/fingerprint", "STATE.4/resumed", "LR.4/groups-lr", *MANNERS} - {name}
    others -= {"STATE.4/resumed-used"} if name == "STEP.1/set-outside" else set()  # which sets them too
    assert {other for other in others if judged(MANNERS[name], other).status == "failed"} == set()


class ClockOfSettings(Good):
    """Optimizers of the same hyperparameters have one clock."""

    clocks: ClassVar[dict[Any, list[int]]] = {}

    def init(self, params: list[np.ndarray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.key = tuple(sorted(hyper.items()))
        self.clocks[self.key] = [0] * len(params)

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        self.t = list(self.clocks[self.key])
        after = super().step(grads)
        self.clocks[self.key] = list(self.t)
        return after


def test_a_neighbour_of_the_same_hyperparameters_shows_what_they_share() -> None:
    assert judged_array(Good, "STATE.3/alike")[2].status == "passed"
    assert judged_array(ClockOfSettings, "STATE.3/alike")[2].status == "failed"
    assert judged_array(ClockOfSettings, "STATE.3/beside")[2].status == "passed"


class DividesByRate(Good):
    """Divides by lr what was multiplied by it: at 0 nothing is left of a first step without a gradient."""

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        before = [p.copy() for p in self.p]
        after = super().step(grads)
        with np.errstate(all="ignore"):
            self.p = [
                p if self.h["lr"] else b + np.where(v == 0, np.asarray(self.h["lr"] / v, p.dtype), 0)
                for p, b, v in zip(after, before, self.v, strict=True)
            ]
        return [p.copy() for p in self.p]


def test_a_first_rate_of_0_meets_a_gradient_of_0() -> None:
    assert judged_array(Good, "LR.2/first")[2].status == "passed"
    assert judged_array(DividesByRate, "LR.2/first")[2].status == "failed"
    assert judged_array(DividesByRate, "LR.2/zero")[2].status == "passed"
    assert CLAIM.decay == "decoupled"


def test_an_empty_array_is_among_those_that_are_saved() -> None:
    class LeavesOut(Good):
        def get_state(self) -> dict[str, Any]:
            return {name: [x for x, p in zip(values, self.p, strict=True) if np.size(p)]
                    for name, values in super().get_state().items()}  # fmt: skip

    assert judged_array(LeavesOut, "STATE.4/resumed-many")[2].status == "failed"
    assert judged_array(LeavesOut, "STATE.4/resumed")[2].status == "passed"

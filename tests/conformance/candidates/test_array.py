"""Array candidates get what they ask for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from array_adam import Good
from candidate_probes import G0, G1, HYPER, P1, Plain, probe

from adamcore import Adam
from adamcore.conformance.candidates.adapter.base import same_bits
from adamcore.conformance.candidates.array import ArrayCandidate
from adamcore.conformance.errors import CandidateError, SettingError
from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.design import resumed
from adamcore.conformance.types import Step
from adamcore.conformance.verdict.judge import judge


def test_array_candidate_gets_what_it_takes() -> None:
    class More(Plain):
        hyper = ("lr", "b1", "b2", "eps", "weight_decay", "eps_root")

    assert ArrayCandidate(Plain, {}).info.lacks == ("weight_decay", "eps_root", "momentum_decay", "lr_max")
    assert ArrayCandidate(More, {}).info.lacks == ("momentum_decay", "lr_max")
    run = ArrayCandidate(Plain, {}).run(probe(), "float64")
    np.testing.assert_array_equal(run.params[1][1], P1 - G1)


def test_array_candidate_without_set_lr_is_not_asked_to_change_it() -> None:
    changing = probe(Step((G0, G1), lr=0.25))
    assert ArrayCandidate(Plain, {}).run(changing, "float32").unsupported

    class Settable(Plain):
        def set_lr(self, lr: float) -> None:
            self.h["lr"] = lr

    run = ArrayCandidate(Settable, {}).run(changing, "float32")
    np.testing.assert_array_equal(run.params[0][1], P1 - 0.25 * G1)


def test_array_candidate_that_returns_nothing_is_told_what_to_return() -> None:
    class Silent(Plain):
        def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
            return None  # type: ignore[return-value]

    run = ArrayCandidate(Silent, {}).run(probe(), "float32")
    assert "step returned None, expected the list of all parameters" in (run.error or "")


def test_array_candidate_is_seen_writing_to_a_gradient() -> None:
    class Writer(Plain):
        def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
            after = super().step(grads)
            if grads[0] is not None:
                grads[0] *= 0
            return after

    assert ArrayCandidate(Writer, {}).run(probe(), "float32").written[0] == "gradient 0 in step 1"


def test_array_candidate_is_seen_taking_a_state_apart() -> None:
    class Takes(Good):
        def set_state(self, state: dict[str, Any]) -> None:
            super().set_state(dict(state))
            state.clear()

    restored = resumed(probe())
    assert ArrayCandidate(Good, {}).run(restored, "float32").written == []
    found = ArrayCandidate(Takes, {}).run(restored, "float32").written
    assert found == ["the state that it was restored from, before step 2"]


def test_what_was_set_is_handed_over_to_who_resumes() -> None:
    plain = probe(Step((G0, G1), lr=0.25, changes={"b1": 0.25}), Step((G0, G1)), Step((-G0, G1)))
    run = ArrayCandidate(Good, {}).run(plain, "float64")
    again = ArrayCandidate(Good, {}).run(resumed(resumed(plain, 1), 1, 2), "float64")
    assert run.error is None
    for a, b in zip(run.params, again.params, strict=True):
        assert all(same_bits(x, y) for x, y in zip(a, b, strict=True))


def test_a_neighbour_that_refuses_is_no_failure() -> None:
    class Refuses(Good):
        def set_hyper(self, hyper: dict[str, float]) -> None:
            raise NotImplementedError("the products belong to their betas")

    changed = replace(probe(Step((G0, G1), changes={"b1": 0.25})), manner="alike")
    run = ArrayCandidate(Refuses, {}).run(changed, "float32")
    assert (run.error, run.unsupported) == (
        None, "it refuses other b1: NotImplementedError: the products belong to their betas"
    )  # fmt: skip


def test_a_rare_hyperparameter_is_handed_over_to_who_asks_for_it() -> None:
    class Asks:
        hyper = ("lr", "b1", "b2", "eps", "momentum_decay")

        def init(self, params: list[np.ndarray], hyper: dict[str, float]) -> None:
            self.params, self.seen = params, hyper
            assert hyper["momentum_decay"] == Adam().momentum_decay
            assert "eps_root" not in hyper

        def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
            return [p.copy() for p in self.params]

    plain = {name: value for name, value in HYPER.items() if name != "eps_root"}
    done = ArrayCandidate(Asks, {}).run(probe(hyper=plain), "float64")
    assert (done.error, done.unsupported) == (None, None)


@pytest.mark.parametrize(
    ("hyper", "message"),
    [
        (("lr", "beta1"), "its attribute hyper has 'beta1'; expected names of lr, b1"),
        ("lr", "its attribute hyper is str, expected a tuple of names"),
        (5, "its attribute hyper is int"),
        ((["lr"],), r"its attribute hyper has \['lr'\]"),
    ],
)
def test_hyper_that_names_nothing_is_refused(hyper: object, message: str) -> None:
    with pytest.raises(CandidateError, match=message):
        ArrayCandidate(type("Mine", (), {"hyper": hyper}), {})


def test_set_gives_a_hyperparameter_no_value_that_it_cannot_have() -> None:
    for settings in ({"lr": "-1"}, {"b1": "fast"}, {"eps_root": "(1, 2)"}):
        with pytest.raises(SettingError, match=f"--set {next(iter(settings))}="):
            ArrayCandidate(Plain, settings)


def test_a_state_without_m_and_v_is_not_set_from_outside() -> None:
    """One that keeps its averages corrected, under other names, would leave a given m and v aside."""

    class Corrected(Plain):
        def get_state(self) -> dict[str, Any]:
            return {"t": 0, "mean": [np.zeros(1)], "mean_square": [np.zeros(1)]}

        def set_state(self, state: dict[str, Any]) -> None:
            raise AssertionError("not asked")

    given = next(probe for probe in PROBES.values() if probe.start)
    assert "its state has no m and v" in str(ArrayCandidate(Corrected, {}).run(given, "float64").unsupported)


def test_a_state_that_can_not_be_shown_fails_where_it_is_saved_alone() -> None:
    class Renamed(Good):
        def get_state(self) -> dict[str, Any]:
            raise AttributeError("no attribute 'groups'")

    assert ArrayCandidate(Renamed, {}).run(probe(), "float32").error is None
    saved = ArrayCandidate(Renamed, {}).run(resumed(probe()), "float32")
    assert saved.error == "AttributeError: no attribute 'groups'"


class InFloat32:
    """An AdamW of 16 bits that computes in float32, and rounds once."""

    widens = False  #: True: it returns parameters of float32

    def init(self, params: Any, hyper: Any) -> None:
        self.p, self.h, self.t = [np.array(p) for p in params], dict(hyper), 0
        self.m, self.v = ([np.zeros_like(p) for p in params] for _ in range(2))

    def step(self, grads: Any) -> Any:
        self.t += 1
        h, f = self.h, np.float32
        for i, g in enumerate(grads):
            p, g, m, v = (x.astype(f) for x in (self.p[i], g, self.m[i], self.v[i]))
            m = m + f(1 - h["b1"]) * (g - m)
            v = v + (f(1 - h["b2"]) * g * g - f(1 - h["b2"]) * v)
            root = np.sqrt(v) / f((1 - h["b2"] ** self.t) ** 0.5) + f(h["eps"])
            p = p * f(1 - h["lr"] * h["weight_decay"]) - f(h["lr"] / (1 - h["b1"] ** self.t)) * (m / root)
            kept = f if self.widens else self.p[i].dtype
            self.p[i], self.m[i], self.v[i] = (
                p.astype(kept),
                m.astype(self.m[i].dtype),
                v.astype(self.v[i].dtype),
            )
        return list(self.p)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_arrays_of_16_bits(dtype: str) -> None:
    pytest.importorskip("ml_dtypes")
    claim, ordinary = Adam.like("torch.AdamW"), PROBES["STEP.1/fingerprint"]
    run = ArrayCandidate(InFloat32, {}).run(ordinary, dtype)
    assert judge(claim, ordinary, dtype, run).status == "passed"

    class Wide(InFloat32):
        widens = True

    result = judge(claim, ordinary, dtype, ArrayCandidate(Wide, {}).run(ordinary, dtype))
    came = "in more digits than bfloat16 has" if dtype == "bfloat16" else "as float32, expected float16"
    assert result.status == "failed"
    assert f"came back {came}" in result.reason


def test_an_object_that_has_made_another_run_begins_anew() -> None:
    class GoesOn(Good):
        """A second run has the moments and the clocks of the first."""

        def init(self, params: list[np.ndarray], hyper: dict[str, float]) -> None:
            old = self.get_state() if hasattr(self, "t") else None
            super().init(params, hyper)
            if old is not None:
                self.set_state(old)

    claim, second = Adam.like("torch.AdamW"), PROBES["STATE.3/second-run"]
    for cls, status in ((Good, "passed"), (GoesOn, "failed")):
        run = ArrayCandidate(cls, {}).run(second, "float64")
        assert judge(claim, second, "float64", run).status == status


def test_a_state_may_be_restored_where_the_rate_of_now_is_that_of_the_start() -> None:
    class BeginsAgain(Good):
        """A state that is loaded brings the rate with which the run began."""

        def init(self, params: list[np.ndarray], hyper: dict[str, float]) -> None:
            super().init(params, hyper)
            self.first = hyper["lr"]

        def get_state(self) -> dict[str, Any]:
            return {**super().get_state(), "first": self.first}

        def set_state(self, state: dict[str, Any]) -> None:
            super().set_state(state)
            self.set_lr(state["first"])

    claim = Adam.like("torch.AdamW")
    for name, failing in (("STATE.4/resumed-rate", "passed"), ("STATE.4/resumed-remade", "failed")):
        for cls, status in ((Good, "passed"), (BeginsAgain, failing)):
            run = ArrayCandidate(cls, {}).run(PROBES[name], "float64")
            assert judge(claim, PROBES[name], "float64", run).status == status


def test_a_state_may_be_saved_as_soon_as_it_is_restored() -> None:
    class Waits(Good):
        """What is loaded waits for the next step; until then there is nothing to save."""

        waiting: Any = None

        def get_state(self) -> dict[str, Any]:
            return {} if self.waiting else super().get_state()

        def set_state(self, state: dict[str, Any]) -> None:
            self.waiting = state

        def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
            if self.waiting:
                super().set_state(self.waiting)
            self.waiting = None
            return super().step(grads)

    claim, twice = Adam.like("torch.AdamW"), PROBES["STATE.4/resumed-twice"]
    for cls, status in ((Good, "passed"), (Waits, "failed")):
        run = ArrayCandidate(cls, {}).run(twice, "float64")
        assert judge(claim, twice, "float64", run).status == status

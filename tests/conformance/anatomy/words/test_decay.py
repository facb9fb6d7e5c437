"""Words on a decay that is not as claimed."""

from __future__ import annotations

import numpy as np
import pytest
import wrong_parts as wrong
from measured_adams import Parts, assert_found, difference, whole_anatomy

from adamcore.conformance.anatomy.words.decay import decay
from adamcore.conformance.anatomy.words.findings import first_finding
from adamcore.conformance.types import FloatArray


class DrawnAnew(Parts):
    """The first step makes all variables anew, parameters among them."""

    def one(self, i: int, g: FloatArray) -> None:
        if self.t[i] == 1:
            self.p[i] = np.asarray(np.random.default_rng(i).normal(0, 0.1, g.shape), g.dtype)
        super().one(i, g)


@pytest.mark.parametrize(
    ("cls", "text"),
    [
        (
            wrong.DecaysTwice,
            "weights decay 1.9688 times as fast as claimed: "
            "p is multiplied by its factor 2 times in each step",
        ),
        (wrong.DecaysBySquare, "decay goes with lr to the power 2 where 1 is claimed"),
    ],
)
def test_decay(cls: type, text: str) -> None:
    assert decay(difference(cls, "decay")) == ("decay", "DEC.2", text)


def test_moments_that_begin_with_other_numbers_in_each_element() -> None:
    class NotZero(Parts):
        def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
            super().init(params, hyper)
            self.m = [np.arange(p.size).reshape(p.shape) % 7 / 70 for p in params]
            self.v = [np.arange(p.size).reshape(p.shape) % 5 / 50 for p in params]

    assert_found(first_finding(whole_anatomy(NotZero)), "moments", "MOM.3", "moments do not start at 0")


def test_parameters_that_are_replaced_are_written_to() -> None:
    observed = "the first step puts other numbers into p"
    assert_found(first_finding(whole_anatomy(DrawnAnew)), "aliasing", "STATE.2", observed)


def test_what_the_claim_does_not_decay_is_not_said_to_stand_still() -> None:
    """An m that is never 0 moves small parameters, with and without decay."""

    class NoZero(Parts):
        hyper = ("lr", "b1", "b2", "eps")

        def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
            super().init(params, {**hyper, "weight_decay": 0.0})

        def first(self, m: FloatArray, g: FloatArray) -> FloatArray:
            m = super().first(m, g)
            return np.where(np.abs(m) < 1e-19, np.copysign(1e-19, m), m)

    assert_found(first_finding(whole_anatomy(NoZero)), "storage", "MOM.1", "no m of 0 is kept")


class Mixed(Parts):
    """Gradients are averaged with those of all arrays in the opposite order."""

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        there = [i for i, g in enumerate(grads) if g is not None]
        rows = [np.ravel(np.asarray(grads[i])) for i in there]
        mixed = (np.concatenate(rows) + np.concatenate(rows[::-1])) / 2 if rows else np.zeros(0)
        pieces = np.split(mixed, np.cumsum([row.size for row in rows])[:-1]) if rows else []
        found = list(grads)
        for i, piece in zip(there, pieces, strict=True):
            found[i] = piece.reshape(self.p[i].shape).astype(self.p[i].dtype)
        return super().step(found)


def test_what_others_move_is_no_decay() -> None:
    observed = "elements without any gradient move, by one length whatever p is, where others have gradients"
    assert_found(first_finding(whole_anatomy(Mixed)), "layout", "STEP.1", observed)


class SignOfParameter(Parts):
    """A step goes out from the sign of a parameter."""

    def one(self, i: int, g: FloatArray) -> None:
        self.p[i] = np.sign(self.p[i])
        super().one(i, g)


def test_a_parameter_that_becomes_its_sign_is_not_written_over() -> None:
    observed = "p becomes its sign in a step, though there is no gradient"
    assert_found(first_finding(whole_anatomy(SignOfParameter)), "moments", "STEP.1", observed)

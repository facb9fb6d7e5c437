"""Words on what a replay of the claim tells."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from measured_adams import Parts, assert_found, whole_anatomy

from adamcore.conformance.anatomy.words.findings import first_finding
from adamcore.types import Array


class OfConstants(Parts):
    """The betas and eps are those of the code, whatever is given."""

    fixed: ClassVar[dict[str, float]] = {"b1": 0.9, "b2": 0.999, "eps": 1e-8}

    def init(self, params: list[Array], hyper: dict[str, float]) -> None:
        super().init(params, hyper | self.fixed)


class OfTwoConstants(OfConstants):
    fixed: ClassVar[dict[str, float]] = {"b1": 0.5, "eps": 0.25}


class OfConstantsButOne(OfConstants):
    """Of an AdamW b1 and lr alone are those that are given."""

    fixed: ClassVar[dict[str, float]] = {"b2": 0.999, "eps": 1e-8, "weight_decay": 0.01}


class WithoutMemory(Parts):
    """Each step begins with moments of zeros, at a clock of 0."""

    def one(self, i: int, g: Array) -> None:
        self.m[i], self.v[i], self.t[i] = np.zeros_like(g), np.zeros_like(g), 1
        super().one(i, g)


def test_steps_without_memory_have_betas_of_none() -> None:
    observed = "each step is a first one: no gradient counts in a later step"
    assert_found(first_finding(whole_anatomy(WithoutMemory)), "moments", "MOM.1", observed)


class OfTheOthersBetas(Parts):
    """Each beta is the one that is given for the other: no constant."""

    def init(self, params: list[Array], hyper: dict[str, float]) -> None:
        super().init(params, hyper | {"b1": hyper["b2"], "b2": hyper["b1"]})


@pytest.mark.parametrize(
    ("cls", "observed"),
    [
        (OfConstants, "whatever is given, b1 counts as 0.9 and b2 as 0.999 and eps as 1e-08"),
        (
            OfConstantsButOne,
            "whatever is given, b2 counts as 0.999 and eps as 1e-08 and weight_decay as 0.01",
        ),
        (OfTwoConstants, "whatever is given, b1 counts as 0.5 and eps as 0.25"),
    ],
)
def test_constants_are_told_with_their_numbers(cls: Any, observed: str) -> None:
    assert_found(first_finding(whole_anatomy(cls)), "hyperparameters", "LR.3", observed)


def test_values_that_follow_what_is_given_are_no_constants() -> None:
    found = first_finding(whole_anatomy(OfTheOthersBetas))
    assert found is not None
    assert "whatever is given" not in found.observed


class CountsThrice(Parts):
    """A gradient is multiplied by 3 before all else."""

    def one(self, i: int, g: Array) -> None:
        super().one(i, 3.0 * g)


class CountsThriceFromState(CountsThrice):
    """A state that is given is in the units of its gradients."""

    def set_state(self, state: dict[str, Any]) -> None:
        self.t, self.m, self.v = list(state["t"]), [*map(np.copy, state["m"])], [*map(np.copy, state["v"])]


class LargeEps(Parts):
    """eps counts three times."""

    def root(self, v: Array) -> Array:
        return np.asarray(np.sqrt(v) + 3.0 * self.h["eps"])

    set_state = CountsThriceFromState.set_state


@pytest.mark.parametrize(
    ("cls", "area", "rule", "observed"),
    [
        (CountsThrice, "moments", "MOM.1", "each gradient counts 3 times, or eps 0.33333 times"),
        (CountsThriceFromState, "moments", "MOM.1", "each gradient counts 3 times"),
        (LargeEps, "epsilon", "EPS.1", "eps counts 3, 3, 3, 3, ..., 3 times as claimed"),
    ],
)
def test_a_given_state_tells_gradients_from_eps(cls: Any, area: str, rule: str, observed: str) -> None:
    assert_found(first_finding(whole_anatomy(cls)), area, rule, observed)


class OwnDecay(Parts):
    """It takes no weight decay, and decays by 0.01."""

    hyper = ("lr", "b1", "b2", "eps")

    def init(self, params: list[Array], hyper: dict[str, float]) -> None:
        super().init(params, hyper | {"weight_decay": 0.01})


def test_a_constant_may_stand_for_what_cannot_be_given() -> None:
    found = first_finding(whole_anatomy(OwnDecay))
    assert_found(found, "decay", "DEC.2", "without weight decay, weights decay by ")

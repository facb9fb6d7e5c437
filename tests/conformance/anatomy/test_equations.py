"""The rule as equations: of optimizers that are no Adam too, each one's true parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from measured_adams import Parts, anatomy, equations_of, nothing_run, readings_of

from adamcore.conformance.anatomy.equations import beside, equations
from adamcore.conformance.candidates import load_candidates
from adamcore.conformance.types import FloatArray


def rule(target: str, **settings: str) -> dict[str, str]:
    [candidate] = load_candidates(target, [None], settings, None, required=())
    return dict(equations(readings_of(candidate)))


Wanted = dict[str, str | None]  #: the equation of each part; None: there is none
ADAM: Wanted = {
    "first moment": "m = 0.8 m + 0.2 g",
    "second moment": "v = 0.96 v + 0.04 g^2",
    "correction": "v_hat = v / (1 - 0.96^t)",
    "step": "p = p - lr m_hat / (sqrt(v_hat) + eps)",
}
DECOUPLED: Wanted = {"decay": "p = p - lr wd p, before the step"}
COUPLED: Wanted = {"decay": "g = g + wd p, before all else"}
TORCH: list[tuple[str, dict[str, str], Wanted]] = [
    ("SGD", {}, {"first moment": None, "second moment": None, "step": "p = p - lr g"}),
    ("SGD", {"momentum": "0.9"}, COUPLED | {"first moment": "m = 0.9 m + g", "step": "p = p - lr m"}),
    ("SGD", {"maximize": "True"}, {"gradient": "g = -g", "step": "p = p - lr g"}),
    (
        "RMSprop",
        {},
        {
            "second moment": "v = 0.99 v + 0.01 g^2",
            "correction": None,
            "step": "p = p - lr g / (sqrt(v) + eps)",
        },
    ),
    ("Adagrad", {}, {"second moment": "v = v + g^2", "step": "p = p - lr g / (sqrt(v) + eps)"}),
    (
        "Adamax",
        {},
        {"second moment": "v = max(0.9216 v, g^2)", "step": "p = p - lr m_hat / (sqrt(v) + eps)"},
    ),
    ("Adam", {}, ADAM | COUPLED),
    ("AdamW", {}, ADAM | DECOUPLED),
    ("Adam", {"amsgrad": "True"}, ADAM | {"maximum": "v_max = max(v_max, v), in the place of v"}),
    (
        "NAdam",
        {},
        ADAM
        | {
            "look-ahead": "m_hat = x m + y g with x = 0.42759, 0.41079, 0.40448, 0.40204, ..., 0.40085 "
            "and y = 0.7142, 0.64086, 0.61552, 0.60589, ..., 0.59923 in steps 2, 3, ..."
        },
    ),
    (
        "RAdam",
        {},
        {
            "first moment": "m = 0.8 m + 0.2 g",
            "second moment": "v = 0.96 v + 0.04 g^2",
            "step": "p = p - lr m_hat / (sqrt(v) + eps)",
            "": "p = p - lr m_hat in steps 1 to 5",
        },
    ),
]


@pytest.mark.parametrize(("name", "settings", "wanted"), TORCH, ids=lambda x: x if isinstance(x, str) else "")
def test_optimizers_of_pytorch(name: str, settings: dict[str, str], wanted: Wanted) -> None:
    pytest.importorskip("torch")
    found = rule(f"torch.optim:{name}", **settings)
    assert {part: found.get(part) for part in wanted} == wanted


OPTAX: list[tuple[str, Wanted]] = [
    ("sgd", {"step": "p = p - lr g"}),
    ("rmsprop", {"second moment": "v = 0.9 v + 0.1 g^2", "step": "p = p - lr g / sqrt(v + eps)"}),
    ("adagrad", {"second moment": "v = v + g^2", "step": "p = p - lr g / sqrt(v + 0.1 + eps)"}),
    ("adamax", {"second moment": "v = max(0.9216 v, g^2)", "step": "p = p - lr m_hat / (sqrt(v) + eps)"}),
    ("adam", {**ADAM, "decay": None}),
    ("adabelief", {**ADAM, "second moment": "v = 0.96 v + 0.04 (g - m)^2"}),
    (
        "yogi",
        {
            "start": "m = 1e-06 and v = 1e-06 before the first step",
            "first moment": "m = 0.8 m + 0.2 g",
            "second moment": "v = v - 0.039995 sign(v - g^2) g^2",
            "step": "p = p - lr m_hat / (sqrt(v_hat) + eps)",
        },
    ),
    ("nadam", {**ADAM, "look-ahead": "m_hat = 0.8 m / (1 - 0.8^(t+1)) + 0.2 g / (1 - 0.8^t)"}),
    (
        "lamb",
        {
            "first moment": "m = 0.8 m + 0.2 g",
            "second moment": "v = 0.96 v + 0.04 g^2",
            "step": "p = p - lr m_hat / (sqrt(v_hat) + eps) times the norm of p over that of the update",
        },
    ),
    (
        "lion",
        {
            **DECOUPLED,
            "first moment": "m = 0.96 m + 0.04 g, to within 0.01",
            "look-ahead": "c = 0.8 m + 0.2 g, with m of before",
            "second moment": None,
            "step": "p = p - lr sign(c)",
        },
    ),
    (
        "radam",
        {
            "second moment": "v = 0.96 v + 0.04 g^2",
            "correction": "v_hat = v / (1 - 0.96^t)",
            "step": "p = p - lr m_hat / (sqrt(v_hat) + eps)",
            "": "p = p - lr m_hat in steps 1 to 5",
        },
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "wanted"), OPTAX, ids=[name for name, _ in OPTAX])
def test_factories_of_optax(name: str, wanted: Wanted) -> None:
    pytest.importorskip("optax")
    import jax

    with jax.enable_x64(True):
        found = rule(f"optax:{name}")
    assert {part: found.get(part) for part in wanted} == wanted


class Smoothed(Parts):
    hyper = ("lr", "b1", "b2")

    def root(self, v: FloatArray) -> FloatArray:
        return np.asarray(np.sqrt(v + 1e-6))


class Larger(Parts):
    def root(self, v: FloatArray) -> FloatArray:
        return np.maximum(np.sqrt(v), self.h["eps"])


class HardCoded(Parts):
    """Its betas and eps are numbers in its code."""

    hyper = ("lr",)

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper | {"b1": 0.9, "b2": 0.98, "eps": 1e-9, "weight_decay": 0.0})


class Hat(Parts):
    def one(self, i: int, g: FloatArray) -> None:
        m = self.m[i] = self.first(self.m[i], g)
        v = self.v[i] = self.second(self.v[i], g, m)
        c1, c2 = self.correction(self.t[i])
        self.p[i] = self.decay(self.p[i]) - self.lr * np.sqrt(c2) / c1 * m / self.root(v)


@pytest.mark.parametrize(
    ("cls", "wanted"),
    [
        (Smoothed, {"step": "p = p - lr m_hat / sqrt(v_hat + 1e-06)"}),
        (Larger, {"step": "p = p - lr m_hat / max(sqrt(v_hat), eps)"}),
        (
            HardCoded,
            {
                "first moment": "m = 0.9 m + 0.1 g",
                "second moment": "v = 0.98 v + 0.02 g^2",
                "step": "p = p - lr m_hat / (sqrt(v_hat) + 1e-09)",
            },
        ),
        (
            Hat,
            {
                "correction": "m_hat = m sqrt(1 - 0.96^t) / (1 - 0.8^t)",
                "step": "p = p - lr m_hat / (sqrt(v) + eps)",
            },
        ),
    ],
)
def test_epsilon_and_constants(cls: type, wanted: dict[str, Any]) -> None:
    found = equations_of(cls)
    assert {part: found.get(part) for part in wanted} == wanted


def test_float32_shows_the_same_rule() -> None:
    assert anatomy(Parts, "float32").equations == anatomy(Parts).equations


def test_a_candidate_that_could_not_be_run_says_so() -> None:
    assert equations(nothing_run()) == [("rule", "could not be measured: no")]


def test_two_rules_stand_side_by_side() -> None:
    claimed = [
        ("first moment", "m = a"),
        ("correction", "m_hat = m"),
        ("decay", "g = g + wd p"),
        ("step", "p = x"),
    ]
    measured = [
        ("gradient", "g = -g"),
        ("first moment", "m = b"),
        ("decay", "p = p - wd p"),
        ("step", "p = x"),
    ]
    assert beside(claimed, measured) == [
        ("gradient", "", "g = -g"),
        ("first moment", "m = a", "m = b"),
        ("correction", "m_hat = m", ""),
        ("decay", "g = g + wd p", "p = p - wd p"),
        ("step", "p = x", "p = x"),
    ]
    assert beside([], measured) == [(part, "", text) for part, text in measured]


class NoEps(Parts):
    def root(self, v: FloatArray) -> FloatArray:
        return np.where(v == 0.0, 1.0, np.sqrt(v))


class Angle(Parts):
    """AdamAtan2, whose step is that of the angle of both moments."""

    def one(self, i: int, g: FloatArray) -> None:
        m = self.m[i] = self.first(self.m[i], g)
        v = self.v[i] = self.second(self.v[i], g, m)
        c1, c2 = self.correction(self.t[i])
        self.p[i] = self.decay(self.p[i]) - self.lr * np.arctan2(m / c1, np.sqrt(v / c2))


@pytest.mark.parametrize("cls", [NoEps, Angle])
def test_without_eps_no_moments_are_told(cls: type[Parts]) -> None:
    # Weights of m and of v were told here from steps that show their quotient alone: 0.8165 for b1=0.8.
    found = equations_of(cls)
    assert "could not be told apart" in found["moments"]
    assert "multiplied by one number" in found["step"]
    assert not found.keys() & {"first moment", "second moment", "correction", "maximum"}
    assert found["decay"] == equations_of(Parts)["decay"]
    assert found["no gradient"] == equations_of(Parts)["no gradient"]


class DividesLate(Parts):
    """RAdam in float32: the first five steps are not divided, and the later ones are lost in p."""

    def one(self, i: int, g: FloatArray) -> None:
        m = self.m[i] = self.first(self.m[i], g)
        v = self.v[i] = self.second(self.v[i], g, m)
        c1, c2 = self.correction(self.t[i])
        u = m / c1 / self.root(v / c2) if self.t[i] > 5 else m / c1
        self.p[i] = (self.decay(self.p[i]) - self.lr * u).astype(np.float32).astype(np.float64)


def test_steps_that_are_lost_in_p_are_not_told() -> None:
    # It was said to have no second moment, and to divide no step.
    found = equations_of(DividesLate)
    assert found["second moment"] == "could not be measured"
    assert found["step"] == "p = p - lr m_hat in steps 1 to 5, the later ones could not be measured"


class Bounded(Parts):
    """AdaMod: lr over the root is at most its own average."""

    def one(self, i: int, g: FloatArray) -> None:
        m = self.m[i] = self.first(self.m[i], g)
        v = self.v[i] = self.second(self.v[i], g, m)
        c1, c2 = self.correction(self.t[i])
        size = self.lr / self.root(v / c2)
        self.bound[i] = 0.999 * self.bound[i] + 0.001 * size
        self.p[i] = self.p[i] - np.minimum(size, self.bound[i]) * m / c1

    def init(self, params: list[FloatArray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.bound = [np.zeros_like(p) for p in params]


def test_no_square_has_a_weight_under_0() -> None:
    assert equations_of(Bounded)["second moment"] == "could not be measured"  # v = 2.5e5 v - 2.5e5 g^2


class NothingAtFirst(Parts):
    """An optimizer whose first step moves nothing."""

    def one(self, i: int, g: FloatArray) -> None:
        kept = self.p[i]
        super().one(i, g)
        if self.t[i] == 1:
            self.p[i] = kept


def test_a_first_step_that_moves_nothing_leaves_no_number_unknown() -> None:
    found = equations_of(NothingAtFirst)
    assert found[""] == "p stands still in step 1"
    assert not [text for text in found.values() if "nan" in text or "1 to 1" in text]

"""The configuration: what its construction checks and makes of its arguments."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.axes import AXES, RELATIVE
from adamcore.config import MOMENT_DTYPES, AdamConfig
from adamcore.errors import AxisError, HyperparameterError

NUMBERS = ("lr", "b1", "b2", "eps", "eps_root", "weight_decay", "momentum_decay", "lr_max")


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [-0.5, float("nan"), float("inf"), "0.1", True, None])
def test_every_number_is_checked_under_its_name(name: str, value: Any) -> None:
    with pytest.raises(HyperparameterError, match=f"^{name}="):
        AdamConfig(**{name: value})


@pytest.mark.parametrize("name", ["b1", "b2"])
def test_a_decay_rate_is_below_one(name: str) -> None:
    with pytest.raises(HyperparameterError, match=rf"{name}=1.0: expected a number in \[0, 1\)"):
        AdamConfig(**{name: 1.0})  # type: ignore[arg-type]


@pytest.mark.parametrize("axis", AXES)
def test_every_axis_is_checked_under_its_name(axis: str) -> None:
    with pytest.raises(AxisError, match=f"^{axis}='other'"):
        AdamConfig(**{axis: "other"})  # type: ignore[arg-type]


@pytest.mark.parametrize("epsilon", ["inside-corrected", "inside-uncorrected"])
def test_two_epsilons_under_one_root_are_refused(epsilon: Any) -> None:
    with pytest.raises(AxisError, match=f"eps_root=0.5 with epsilon='{epsilon}'"):
        AdamConfig(eps_root=0.5, epsilon=epsilon)
    AdamConfig(eps_root=0.0, epsilon=epsilon)


def test_cautious_decay_of_an_l2_term_is_refused() -> None:
    with pytest.raises(AxisError, match=r"cautious_decay=True with decay='l2' and weight_decay=0\.5"):
        AdamConfig(weight_decay=0.5, cautious_decay=True)
    AdamConfig(weight_decay=0.5, cautious_decay=True, decay="decoupled")
    AdamConfig(cautious_decay=True)


@pytest.mark.parametrize("kind", RELATIVE)
def test_lr_max_is_lr_unless_it_is_given(kind: Any) -> None:
    assert AdamConfig(lr=0.5, decay=kind).lr_max == 0.5
    assert replace(AdamConfig(lr=0.5, decay=kind), lr=0.25).lr_max == 0.5
    assert AdamConfig(lr=0.5, decay=kind, lr_max=2).lr_max == 2.0
    assert AdamConfig(lr=0.5).lr_max == 0.0
    for lr in (0.0, lambda t: 0.5):
        with pytest.raises(HyperparameterError, match=r"lr_max=0\.0 with decay="):
            AdamConfig(lr=lr, decay=kind, weight_decay=0.5)
        AdamConfig(lr=lr, decay=kind, weight_decay=0.5, lr_max=1.0)


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_of_other_types_become_floats(name: str) -> None:
    made = AdamConfig(**{name: np.float32(0.5)})  # type: ignore[arg-type]
    assert made == AdamConfig(**{name: 0.5})  # type: ignore[arg-type]
    assert type(getattr(made, name)) is float


def test_a_schedule_stays_a_function() -> None:
    def schedule(t: Any) -> Any:
        return 0.1 / t

    assert AdamConfig(lr=schedule).lr is schedule


def test_the_facade_has_the_same_fields_and_defaults() -> None:
    config, adam = AdamConfig(), Adam()
    assert Adam.__dataclass_fields__.keys() == AdamConfig.__dataclass_fields__.keys()
    assert {n: getattr(adam, n) for n in Adam.__dataclass_fields__} == vars(config)


@pytest.mark.parametrize("name", NUMBERS)
def test_an_integer_that_no_float_holds_is_refused_under_its_name(name: str) -> None:
    with pytest.raises(HyperparameterError, match=rf"^{name}=inf \(int\): expected a"):
        AdamConfig(**{name: 10**400})  # type: ignore[arg-type]


@pytest.mark.parametrize("field", MOMENT_DTYPES)
@pytest.mark.parametrize("dtype", [np.float32, np.dtype("float32"), ["float32"], 32])
def test_the_dtype_of_a_moment_is_a_name(dtype: Any, field: str) -> None:
    with pytest.raises(HyperparameterError, match=rf"^{field}=.*expected the name of a dtype"):
        AdamConfig(**{field: dtype})


def test_a_learning_rate_in_an_array_belongs_to_the_step() -> None:
    jax = pytest.importorskip("jax")
    said: list[str] = []

    def step(lr: Any, p: Any) -> Any:
        try:
            Adam(lr=lr)
        except HyperparameterError as error:
            said.append(str(error))
        return p

    jax.jit(step)(0.1, 1.0)
    with pytest.raises(HyperparameterError) as caught:
        Adam(lr=np.array(0.1))  # type: ignore[arg-type]
    for text in (*said, str(caught.value)):
        assert "step(..., lr=)" in text
    assert len(said) == 1

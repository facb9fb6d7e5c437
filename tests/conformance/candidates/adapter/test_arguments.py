"""The constructor argument of each hyperparameter, and what --set changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from candidate_probes import HYPER

from adamcore.conformance.candidates.adapter.arguments import effective_hyper, map_arguments, own_dialect
from adamcore.conformance.errors import CandidateError, SettingError


@pytest.mark.parametrize(
    ("constructor", "call"),
    [
        (
            lambda params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0: None,
            {"lr": 0.5, "betas": (0.5, 0.75), "eps": 0.25, "weight_decay": 0.125},
        ),
        (
            lambda params, learning_rate=1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-7: None,
            {"learning_rate": 0.5, "beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.25},
        ),
        (
            lambda params, lr, b1=0.9, b2=0.999, e=1e-6, weight_decay_rate=0.01: None,
            {"lr": 0.5, "b1": 0.5, "b2": 0.75, "e": 0.25, "weight_decay_rate": 0.125},
        ),
        (
            lambda params, alpha, beta1, beta2, eps, eps_root: None,
            {"alpha": 0.5, "beta1": 0.5, "beta2": 0.75, "eps": 0.25, "eps_root": 0.5},
        ),
    ],
)
def test_known_spellings(constructor: Any, call: Mapping[str, object]) -> None:
    assert map_arguments(constructor, {}, positional=1).call(HYPER) == call


def noise(lr: float, betas: Any, noise_factor: float, amsgrad: bool = False) -> None: ...


def test_set_names_arguments_and_gives_values() -> None:
    found = map_arguments(noise, {"noise_factor": "@eps", "amsgrad": "True", "lr": "0.125"})
    assert found.fixed == {"lr": 0.125}
    assert set(found.lacks) == {"weight_decay", "eps_root", "momentum_decay", "lr_max"}
    hyper = effective_hyper(HYPER, found.lacks, found.fixed)
    assert hyper == {"lr": 0.125, "b1": 0.5, "b2": 0.75, "eps": 0.25}
    wanted = {"lr": 0.125, "betas": (0.5, 0.75), "noise_factor": 0.25, "amsgrad": True}
    assert found.call(hyper) == wanted


def test_set_gives_a_constant_of_the_implementation() -> None:
    def without_eps(lr: float, betas: Any) -> None: ...

    with pytest.raises(
        CandidateError, match=r"no argument for eps found among betas, lr: .* --set ARGUMENT=@eps"
    ):
        map_arguments(without_eps, {})
    assert map_arguments(without_eps, {"eps": "1e-8"}).fixed == {"eps": 1e-8}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gamma": "1"}, "no such argument"),
        ({"lr": "@x"}, "@b1"),
        ({"lr": "-1"}, "--set lr=-1: lr=-1.0: expected a finite number >= 0"),
        ({"lr": "1e999"}, "--set lr=inf"),
        ({"lr": "1" + 400 * "0"}, "too large"),
        ({"lr": "True"}, "--set lr=True: expected a number"),
        ({"weight_decay": "-0.1"}, "weight_decay=-0.1"),
        ({"betas": "5"}, r"--set betas=5: expected two numbers, such as \(0.9, 0.999\)"),
        ({"betas": "(0.9, 2)"}, r"b2=2.0: expected a number in \[0, 1\)"),
        ({"betas": "('a', 'b')"}, "--set betas=a: expected a number"),
        ({"betas": "(0.9,)"}, "expected two numbers"),
    ],
)
def test_set_refuses_what_is_not_there(settings: dict[str, str], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        map_arguments(noise, {"noise_factor": "@eps"} | settings)


class Base:
    def __init__(
        self, params: Any, lr: float = 1e-3, betas: Any = (0.9, 0.999), eps: float = 1e-8
    ) -> None: ...


class Passing(Base):
    """A class that takes one argument itself and passes on the others."""

    def __init__(self, params: Any, rate: float = 1e-3, **others: Any) -> None:
        super().__init__(params, rate, **others)


class Inheriting(Passing): ...


class PassingAll(Inheriting):
    def __init__(self, *args: Any, **others: Any) -> None:
        super().__init__(*args, **others)


@pytest.mark.parametrize("kind", [Passing, Inheriting, PassingAll])
def test_a_class_that_passes_on_its_arguments_has_those_of_its_bases(kind: Any) -> None:
    call = {"betas": (0.5, 0.75), "eps": 0.25}
    assert map_arguments(kind, {"rate": "@lr"}, positional=1).call(HYPER) == call | {"rate": 0.5}


def test_what_passes_on_all_has_the_usual_arguments() -> None:
    class Wrapper:
        def __init__(self, params: Any, **settings: Any) -> None: ...

    usual = {"lr": "lr", "b1": "betas[0]", "b2": "betas[1]", "eps": "eps"}
    call = {"lr": 0.5, "betas": (0.5, 0.75), "eps": 0.25}
    assert map_arguments(Wrapper, {}, positional=1, usual=usual).call(HYPER) == call
    with pytest.raises(SettingError, match="no argument for each of lr, b1, b2, eps"):
        map_arguments(Wrapper, {}, positional=1)


def test_what_a_signature_does_not_tell_is_taken_as_it_is_given() -> None:
    class OfC(dict[str, float]):
        def __init__(self, **others: float) -> None: ...

    given = {f"a{name}": f"@{name}" for name in ("lr", "b1", "b2", "eps")}
    assert map_arguments(OfC, given).call(HYPER) == {"alr": 0.5, "ab1": 0.5, "ab2": 0.75, "aeps": 0.25}


def test_all_arguments_that_were_not_found_are_named_at_once() -> None:
    def foreign(alpha: float, beta_m: float, beta_s: float, delta: float) -> None: ...

    with pytest.raises(
        SettingError,
        match=r"no argument for each of b1, b2, eps found among alpha, beta_m, beta_s, delta: name it with "
        r"--set ARGUMENT=@b1 --set ARGUMENT=@b2 --set ARGUMENT=@eps, or give the constants it uses with "
        r"--set b1=VALUE --set b2=VALUE --set eps=VALUE",
    ):
        map_arguments(foreign, {})
    with pytest.raises(
        SettingError, match=r"found among none: give the constants it uses with --set lr=VALUE"
    ):
        map_arguments(lambda: None, {})


def test_a_constructor_whose_one_argument_holds_them_all_is_told_to_be_wrapped() -> None:
    class Settings: ...

    def configured(params: Any, settings: Settings) -> None: ...

    with pytest.raises(
        SettingError, match=r"among settings: .*check a function of yours that has an argument"
    ):
        map_arguments(configured, {}, positional=1)


def test_set_takes_a_list_of_betas() -> None:
    found = map_arguments(noise, {"noise_factor": "@eps", "betas": "[0.5, 0]"})
    assert found.fixed == {"b1": 0.5, "b2": 0.0}


def factory(learning_rate: float, dialect: str = "optax.adamw") -> None: ...


def attributed(learning_rate: float, dialect: str = "optax.adamw") -> None: ...


attributed.dialect = "optax.adam"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("found", "extra", "claimed"),
    [
        (noise, {}, None),
        (factory, {}, "optax.adamw"),
        (factory, {"dialect": "torch.Adam"}, "torch.Adam"),
        (attributed, {}, "optax.adam"),
        (attributed, {"dialect": "torch.Adam"}, "torch.Adam"),
        (type("Mine", (), {"dialect": "keras.Adam"}), {}, "keras.Adam"),
        (type("Mine", (), {}), {"dialect": None}, None),
        (dict, {}, None),
    ],
)
def test_the_dialect_that_a_candidate_names(
    found: Any, extra: Mapping[str, object], claimed: str | None
) -> None:
    assert own_dialect(found, extra) == claimed


def test_a_subclass_claims_what_its_nearest_base_does() -> None:
    optim = pytest.importorskip("torch").optim
    assert own_dialect(type("Mine", (optim.AdamW,), {})) == "torch.AdamW"
    assert own_dialect(type("Mine", (type("Between", (optim.Adam,), {}),), {})) == "torch.Adam"
    assert own_dialect(type("Mine", (optim.AdamW,), {"dialect": "keras.Adam"})) == "keras.Adam"
    assert own_dialect(type("Mine", (optim.SGD,), {})) is None


def test_a_dialect_that_is_no_name_is_refused() -> None:
    with pytest.raises(CandidateError, match="its attribute dialect is int, expected a name"):
        own_dialect(type("Mine", (), {"dialect": 5}))

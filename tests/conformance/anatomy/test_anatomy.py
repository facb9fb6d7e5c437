"""The anatomy of a candidate as one object, and as JSON."""

from __future__ import annotations

import json

from measured_adams import CLAIM, Parts, anatomy, nothing_run

from adamcore import Adam
from adamcore.conformance.anatomy.anatomy import Anatomy, anatomy_of, numbers
from adamcore.conformance.anatomy.experiments import EXPERIMENTS


class OnlyLr(Parts):
    hyper = ("lr",)

    def init(self, params: list, hyper: dict[str, float]) -> None:  # type: ignore[type-arg]
        super().init(params, {"b1": 0.9, "b2": 0.99, "eps": 1e-8, "weight_decay": 0.0} | hyper)


def test_the_levers_are_the_hyperparameters_that_it_takes() -> None:
    assert dict(anatomy(Parts).levers) == {
        "lr": 0.125,
        "b1": 0.8,
        "b2": 0.96,
        "eps": 1.0,
        "weight_decay": 0.0,
    }
    assert dict(anatomy(OnlyLr).levers) == {"lr": 0.125}


def test_json_has_every_number_with_its_error_and_the_claims() -> None:
    made = anatomy(Parts).as_dict()
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    [fading] = [v for part in made["parts"] for v in part["values"] if (part["part"], v["name"]) == FADING]
    assert [round(x, 6) for x in fading["value"]] == [0.8] * 10
    assert fading["as_claimed"]
    assert fading["claimed"] is not None
    assert all(0 <= error < 1e-9 for error in fading["error"])


FADING = ("first moment", "fading")


def test_without_a_claim_nothing_is_as_claimed_or_not() -> None:
    made = Anatomy(anatomy(Parts).readings).as_dict()
    assert {v["as_claimed"] for part in made["parts"] for v in part["values"]} == {None}


def test_it_is_made_of_runs_by_the_names_of_their_probes() -> None:
    r = anatomy(Parts).readings
    runs = {EXPERIMENTS[name].name: run for name, run in r.runs.items()}
    probes = {probe.name: probe for probe in r.probes.values()}
    assert all(part.as_claimed for part in anatomy_of(runs, probes, "float64", CLAIM).parts)
    coupled = anatomy_of(runs, probes, "float64", Adam())
    assert [part.name for part in coupled.parts if not part.as_claimed] == ["decay", "absence", "precision"]


def test_json_has_null_for_what_is_no_number() -> None:
    assert numbers(Anatomy(nothing_run()).readings.linear.value[0, :2]) == [None, None]

"""Faults of groups and of closures: what they make of a probe, and Adams of the corpus that follow them."""

from __future__ import annotations

import pytest
from corpus_runs import assert_follows, fault

from adamcore.conformance.faults import FAULTS
from adamcore.conformance.probes import PROBES

CASES = [
    ("FirstGroupsBetas", "betas and weight_decay-of-first-group", "LR.4/groups-betas"),
    ("FirstGroupsDecay", "weight_decay-of-first-group", "LR.4/groups-decay"),
    ("FirstGroupsSecondBeta", "b2-of-first-group", "LR.4/groups-betas"),
    ("LastGroupsEps", "eps-of-last-group", "LR.4/groups-eps"),
    ("FirstGroupForAll", "lr and hyperparameters-of-first-group", "LR.4/groups-lr"),
]
"""Adam, fault, and a probe that shows it."""


@pytest.mark.parametrize(("adam", "known", "probe"), CASES)
def test_an_adam_of_the_corpus_follows_the_model(adam: str, known: str, probe: str) -> None:
    assert_follows(adam, known, probe)


def test_groups_get_the_settings_of_one_of_them() -> None:
    probe = PROBES["LR.4/groups-eps"]
    seen = {}
    for which in ("first", "own", "last"):
        change = fault(f"eps-of-{which}-group").probe
        assert change is not None
        seen[which] = [{**probe.hyper, **group}["eps"] for group in change(probe).groups]
    assert seen == {"first": [0.0625] * 4, "own": [0.125] * 4, "last": [0.5] * 4}


def test_a_group_whose_lr_is_0_gets_the_lr_of_another_or_of_the_optimizer() -> None:
    probe = PROBES["LR.4/groups-zero"]
    seen = {}
    for which in ("first", "own"):
        change = fault(f"zero-lr-of-{which}-group").probe
        assert change is not None
        seen[which] = [{**probe.hyper, **group}["lr"] for group in change(probe).groups]
    assert seen == {"first": [0.125, 0.125, 0.25, 0.125], "own": [0.125, 0.125, 0.25, 0.25]}


def test_the_constructors_settings_hold_in_groups_and_in_later_steps() -> None:
    change = fault("eps-of-constructor").probe
    assert change is not None
    assert all("eps" not in group for group in change(PROBES["LR.4/groups-eps"]).groups)
    assert all(step.changes is None for step in change(PROBES["LR.3/eps-changed"]).steps)


def test_a_step_before_its_closure_has_the_gradients_of_the_step_before() -> None:
    change, probe = fault("before-the-closure").probe, PROBES["STEP.2/closure"]
    assert change is not None
    steps = change(probe).steps
    assert steps[0].grads == (None, None)
    assert all(seen.grads is before.grads for seen, before in zip(steps[1:], probe.steps, strict=False))


def test_these_faults_have_no_meaning_without_groups_and_closures() -> None:
    for known in FAULTS:
        if known.area in ("groups", "closure"):
            assert known.probe is not None
            with pytest.raises(ValueError, match=r"group has|no closure|neither a group"):
                known.probe(PROBES["STEP.1/fingerprint"])

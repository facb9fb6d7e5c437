"""Every probe decides what it is there to decide, by at least ten bounds."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from cases import some
from certificate import ENOUGH, certificate

from adamcore import AXES, Adam
from adamcore.conformance.oracle.bounds import bounds
from adamcore.conformance.oracle.sharing import changes_lr
from adamcore.conformance.oracle.trajectory import adam_for
from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.design import ODD, array
from adamcore.conformance.types import Probe, Step

NEEDED = {
    "decay_order": {"decay": "decoupled"},
    "cautious_decay": {"decay": "decoupled"},
    "all_missing": {"clock": "global"},
}
SAME = {frozenset(("working", "running"))}  #: wider and narrower bounds of one answer, not two answers
#: What is one function as long as lr is lr_max.
SAME_WITHOUT_CHANGES = {
    frozenset(("decoupled-unscaled", "decoupled-relative")),
    frozenset(("decoupled", "decoupled-squared")),
}


def base(probe: Probe, axis: str) -> Adam:
    axes = {a: values[0] for a, values in probe.needs.items()} | NEEDED.get(axis, {})
    return replace(Adam(), **axes)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "axis"), [(n, axis) for n, p in PROBES.items() for axis in p.tells])
def test_certificate(name: str, axis: str) -> None:
    probe = PROBES[name]
    for separation in certificate(probe, axis, base(probe, axis)):
        same = SAME if changes_lr(probe) else SAME | SAME_WITHOUT_CHANGES
        if frozenset(separation.values) not in same:
            assert separation.bounds >= ENOUGH, separation


def test_every_axis_has_a_probe() -> None:
    assert {axis for probe in PROBES.values() for axis in probe.tells} == set(AXES)


@pytest.mark.parametrize("rule", ["F1", "F2", "F3", "F5", "F6", "EPS.5", "NUM.2", "NUM.3", "NF.1", "LR.2"])
def test_rules_with_a_probe_of_their_own(rule: str) -> None:
    assert any(probe.rule == rule for probe in PROBES.values())


def test_a_weak_probe_fails_its_certificate() -> None:
    """Everybody's defaults and gradients of one cannot see where epsilon stands."""
    weak = Probe(
        "test/weak", "", (array([1.0]),), (Step((array([1.0]),)),) * 3,
        {"lr": 1e-3, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "weight_decay": 0.0},
    )  # fmt: skip
    assert min(s.bounds for s in certificate(weak, "epsilon", Adam())) < ENOUGH


@pytest.mark.parametrize(("name", "decay"), some(product(PROBES, ("l2", "decoupled")), len(PROBES) + 1))
def test_nothing_is_undecided(name: str, decay: str) -> None:
    probe = PROBES[name]
    adam = adam_for(replace(Adam(), decay=decay), probe)  # type: ignore[arg-type]
    limit = 0.1 * probe.hyper["lr"]
    for step in bounds(adam, probe, "float32").steps:
        for parts in step:
            for bound in parts:
                assert name.startswith(("NF", "CLIP.5/not-finite")) or (bound.p <= limit).all()


def test_names_are_rules() -> None:
    for name, probe in PROBES.items():
        assert name == probe.name
        assert probe.about
        assert set(ODD) <= set(probe.hyper)

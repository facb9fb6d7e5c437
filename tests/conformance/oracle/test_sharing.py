"""What is computed once for many: the answer is that of each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.oracle.bounds import bounds
from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.oracle.sharing import (
    canonical_claim,
    equivalent_claim,
    first_alike,
    unique_elements,
)
from adamcore.conformance.oracle.trajectory import adam_for
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Probe, Step


def mixed_probe() -> Probe:
    """Arrays of every kind, one of them long."""
    rng = np.random.default_rng(3)
    z = rng.choice([1.0, -0.5 + 2j, 0.25j], (20, 20))
    params = (rng.choice([1.0, -2.0], (25, 30)), np.array([1.0, 2.0]), z)
    mask = rng.random((25, 30)) < 0.5
    steps = tuple(
        Step(
            (rng.choice([0.5, -1.0, 0.0], (25, 30)), None if s == 1 else np.array([0.5, -1.0]), z * s),
            present=(mask, True, True),
        )
        for s in range(3)
    )  # fmt: skip
    return Probe("X.1/mixed", "", params, steps, PROBES["STEP.1/fingerprint"].hyper)


@pytest.mark.parametrize("complexity", ["componentwise", "modulus"])
def test_a_probe_of_unique_elements_has_the_same_answers_and_bounds(
    complexity: Any, monkeypatch: Any
) -> None:
    whole = mixed_probe()
    few, back = unique_elements(whole)
    assert few.params[0].size == 2 * 2 * 3**3
    assert few.params[1] is whole.params[1]
    assert len(back) == 3
    adam = adam_for(Adam(decay="decoupled", complex=complexity), whole)
    found: tuple[Any, Any] = exact(adam, whole), bounds(adam, whole, "float32")
    monkeypatch.setattr("adamcore.conformance.oracle.sharing.LONG", 10**9)
    again = replace(whole)
    assert unique_elements(again) == (again, [])
    wanted: tuple[Any, Any] = exact(adam, again), bounds(adam, again, "float32")
    for mine, other in zip(found, wanted, strict=True):
        for step, like in zip(mine.steps, other.steps, strict=True):
            for parts, others in zip(step, like, strict=True):
                for x, y in zip(parts, others, strict=True):
                    for name, value in vars(x).items():
                        np.testing.assert_array_equal(value, getattr(y, name))


def test_given_states_are_cut_too() -> None:
    late = PROBES["BC.1/t10"]
    long = np.tile([0, 1, 2, 1], 100)
    start = tuple(replace(s, m=s.m[long], v=s.v[long], v_max=s.v_max[long]) for s in late.start)
    steps = tuple(Step(tuple(g if g is None else g[long] for g in s.grads)) for s in late.steps)
    whole = replace(late, params=(late.params[0][long],), start=start, steps=steps)
    assert unique_elements(whole)[0].params[0].size == 3
    adam = adam_for(Adam(), late)
    for few, many in zip(exact(adam, late).steps, exact(adam, whole).steps, strict=True):
        np.testing.assert_array_equal(few[0][0].high[long], many[0][0].high)


def test_a_fault_sees_every_element() -> None:
    """It may depend on where an element stands."""
    seen: list[tuple[int, ...]] = []

    def look(probe: Probe) -> Probe:
        seen.append(np.shape(probe.params[1]))
        return probe

    probe = PROBES["STEP.1/long"]
    exact(adam_for(Adam(), probe), probe, Fault(probe=look))
    assert seen == [(4097,)]


def test_claims_that_a_probe_cannot_tell_apart_are_equal() -> None:
    plain, frozen = PROBES["BC.1/first-steps"], PROBES["F1/absent-middle"]
    zero = Adam(missing="zero")
    assert equivalent_claim(zero, plain) == equivalent_claim(Adam(), plain)
    assert equivalent_claim(zero, frozen) != equivalent_claim(Adam(), frozen)


def test_a_fault_that_drops_gradients_keeps_the_axes_apart() -> None:
    plain, zero = PROBES["BC.1/first-steps"], Adam(missing="zero")
    drops = Fault(probe=lambda probe: probe)
    assert canonical_claim(zero, plain, None) == canonical_claim(Adam(), plain, None)
    assert canonical_claim(zero, plain, drops) != canonical_claim(Adam(), plain, drops)


def test_however_a_probe_is_run_its_answer_is_computed_once() -> None:
    plain = PROBES["STATE.4/uninterrupted"]
    for name in ("STATE.4/resumed", "STATE.3/beside", "STATE.3/alike", "STATE.2/fresh", "STEP.2/closure"):
        assert first_alike(PROBES[name]) is first_alike(plain), name
        assert exact(Adam(), PROBES[name]) is exact(Adam(), plain)
    first, *others = plain.steps
    assert first_alike(replace(plain, steps=(replace(first, lr=0.125), *others))) is not first_alike(plain)
    assert first_alike(replace(plain, hyper={**plain.hyper, "b1": 0.25})) is not first_alike(plain)

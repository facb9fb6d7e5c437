"""What the probes of hyperparameters, scale, size and isolation see, and by how many bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from array_adam import Good, judged
from certificate import ENOUGH, apart

from adamcore import Adam
from adamcore.conformance.dtypes import round_to
from adamcore.conformance.oracle.bounds import bounds
from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.oracle.sharing import unique_elements
from adamcore.conformance.oracle.trajectory import adam_for
from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.handling import FINGERPRINT
from adamcore.conformance.types import FloatArray, Probe, Step
from adamcore.conformance.verdict.judge import judge, judge_twin

CLAIMS = [Adam(), Adam(decay="decoupled"), Adam(epsilon="inside-corrected"), Adam(nesterov="dozat")]


def distance(probe: Probe, other: Probe, dtype: str, claim: Adam) -> float:
    """How many bounds lie between what two probes ask for."""
    a, b = adam_for(claim, probe), adam_for(claim, other)
    return apart(exact(a, probe), exact(b, other), bounds(a, probe, dtype), bounds(b, other, dtype), False)


def with_hyper(probe: Probe, change: Callable[[float], float], *names: str) -> Probe:
    """The probe with some hyperparameters changed, the lr of its steps included."""
    hyper = {k: change(v) if k in names else v for k, v in probe.hyper.items()}
    steps = tuple(
        replace(s, lr=change(s.lr)) if "lr" in names and s.lr is not None else s for s in probe.steps
    )
    return replace(probe, hyper=hyper, steps=steps)


def into(name: str) -> Callable[[float], float]:
    return lambda x: float(round_to(np.array(x), name))


@pytest.mark.parametrize("claim", CLAIMS, ids=range(4))
@pytest.mark.parametrize("name", ["lr", "b1", "b2", "eps", "weight_decay"])
@pytest.mark.parametrize("narrow", ["bfloat16", "float16"])
def test_narrow_hyperparameters_show(name: str, narrow: str, claim: Adam) -> None:
    probe = PROBES["NUM.4/decimals"]
    assert distance(probe, with_hyper(probe, into(narrow), name), "float32", claim) >= ENOUGH


@pytest.mark.parametrize("claim", CLAIMS, ids=range(4))
@pytest.mark.parametrize("name", ["b1", "b2", "eps", "weight_decay"])
def test_float32_hyperparameters_show_in_float64(name: str, claim: Adam) -> None:
    probe = PROBES["NUM.4/decimals"]
    assert distance(probe, with_hyper(probe, into("float32"), name), "float64", claim) >= ENOUGH


@pytest.mark.parametrize(
    ("name", "narrow", "dtype"),
    [
        ("LR.1/odd-values", "bfloat16", "float32"),
        ("LR.1/odd-values", "float16", "float32"),
        ("LR.1/all-bits", "float32", "float64"),
    ],
)
def test_narrow_learning_rates_show(name: str, narrow: str, dtype: str) -> None:
    """After each change too: the steps before it are the same."""
    probe = PROBES[name]
    rates = [probe.hyper["lr"], *(s.lr for s in probe.steps if s.lr is not None)]
    assert all(into(narrow)(lr) != lr for lr in rates)
    only = [s for s, step in enumerate(probe.steps) if step.lr is not None]
    for s in only:
        steps = list(probe.steps)
        steps[s] = replace(steps[s], lr=into(narrow)(steps[s].lr or 0.0))
        assert distance(probe, replace(probe, steps=tuple(steps)), dtype, Adam()) >= ENOUGH
    first = replace(probe, hyper={**probe.hyper, "lr": into(narrow)(rates[0])})
    assert distance(probe, first, dtype, Adam()) >= ENOUGH


def clipped(probe: Probe, largest: float) -> Probe:
    def step(s: Step) -> Step:
        return replace(s, grads=tuple(None if g is None else np.clip(g, -largest, largest) for g in s.grads))

    return replace(probe, steps=tuple(map(step, probe.steps)))


@pytest.mark.parametrize("largest", [1e2, 1e3, 1e4, 1e5])
def test_clipped_gradients_show(largest: float) -> None:
    probe = PROBES["MOM.2/large"]
    assert probe.level == "must"
    for claim in CLAIMS:
        assert distance(probe, clipped(probe, largest), "float32", claim) >= ENOUGH


@pytest.mark.parametrize(("name", "at_least"), [("STEP.1/burst", 2.0), ("STEP.1/late-burst", 30.0)])
def test_updates_are_many_times_lr(name: str, at_least: float) -> None:
    probe = PROBES[name]
    moved = exact(adam_for(Adam(), probe), probe).steps
    path = [probe.params[0], *(step[0][0].high for step in moved)]
    updates = [np.abs(b - a).max() / probe.hyper["lr"] for a, b in pairwise(path)]
    assert max(updates) > at_least


def test_a_long_array_is_longer_than_a_block() -> None:
    probe = PROBES["STEP.1/long"]
    assert [np.size(p) for p in probe.params] == [1025, 4097]
    for block in (2**k for k in range(4, 13)):
        for i, p in enumerate(probe.params):
            moved: list[FloatArray | None] = [s.grads[i] for s in probe.steps]
            if block < p.size:
                assert all(g is not None and (g[block:] != g[: p.size - block]).all() for g in moved)


def mixed() -> Probe:
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
    return Probe("X.1/mixed", "", params, steps, FINGERPRINT.hyper)


@pytest.mark.parametrize("complexity", ["componentwise", "modulus"])
def test_a_condensed_probe_has_the_same_answers_and_bounds(complexity: Any, monkeypatch: Any) -> None:
    whole = mixed()
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


def test_given_states_are_condensed_too() -> None:
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


def test_the_fingerprint_runs_first_and_last() -> None:
    names = list(PROBES)
    assert (names[0], names[-1]) == (FINGERPRINT.name, "STATE.3/again")
    assert PROBES["STATE.3/again"].twin == FINGERPRINT.name
    assert PROBES["STATE.3/again"].steps is FINGERPRINT.steps


class Wears(Good):
    """Rounds otherwise once the class has been used."""

    used = False

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        if type(self).used:
            self.p = [np.nextafter(p, np.inf, dtype=p.dtype) for p in self.p]
        return super().step(grads)


def test_what_others_left_behind_shows_bit_for_bit() -> None:
    first = judged(Wears, FINGERPRINT.name)[1]
    Wears.used = True
    probe, run, result = judged(Wears, "STATE.3/again")
    assert result.status == "passed"
    assert judge_twin(result, probe, run, first).status == "failed"
    Wears.used = False
    probe, run, result = judged(Wears, "STATE.3/again")
    assert judge_twin(result, probe, run, first).status == "passed"


class Float32Counts(Good):
    """Counts in float32, as it takes up a state."""

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        self.t = [min(t, 2**24 - 1) for t in self.t]
        return super().step(grads)

    def get_state(self) -> dict[str, Any]:
        return {name: x for name, x in super().get_state().items() if name != "t"}


def test_a_float32_clock_shows_in_float64() -> None:
    name = "CLK.3/odd-beyond-2**24"
    assert PROBES[name].level == "must"
    assert judged(Good, name, "float64")[2].status == "passed"
    assert judged(Float32Counts, name, "float64")[2].status == "failed"


def test_a_clock_that_cannot_begin_there_is_skipped() -> None:
    pytest.importorskip("torch")
    from adamcore.conformance.candidates import load_candidates

    [candidate] = load_candidates("torch.optim:AdamW", [None], {}, None)
    run = candidate.run(PROBES["CLK.3/odd-beyond-2**24"], "float64")
    assert run.unsupported == "its clock is a torch.float32, which does not hold 16777217"
    assert candidate.run(PROBES["CLK.3/beyond-2**24"], "float64").unsupported is None


class Spreads(Good):
    """One NaN among the gradients changes all by a bit."""

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        after = super().step(grads)
        if any(g is not None and not np.isfinite(g).all() for g in grads):
            after = self.p = [np.nextafter(p, np.float32(np.inf), dtype=p.dtype) for p in self.p]
        return [p.copy() for p in after]


def test_the_neighbours_of_a_nan_are_bit_for_bit_what_they_were() -> None:
    for cls, status in ((Good, "passed"), (Spreads, "failed")):
        with np.errstate(all="ignore"):
            probe, run, result = judged(cls, "NF.1/nan")
            twin = judged(cls, "STEP.1/finite")[1]
        assert result.status == "passed"
        assert judge_twin(result, probe, run, twin).status == status


def test_the_probe_of_nan_is_like_one_without() -> None:
    spoiled, finite = PROBES["NF.1/nan"], PROBES["STEP.1/finite"]
    assert spoiled.params is finite.params
    assert spoiled.hyper == finite.hyper
    changed = [
        (s, i, int(k))
        for s, (a, b) in enumerate(zip(spoiled.steps, finite.steps, strict=True))
        for i, (g, h) in enumerate(zip(a.grads, b.grads, strict=True))
        for k in np.flatnonzero(np.asarray(g) != np.asarray(h))
    ]
    assert changed == [(1, 0, 1), (1, 0, 3)]
    result = judge(Adam(), finite, "float64", judged(Good, "STEP.1/finite", "float64")[1])
    assert result.status in ("passed", "failed")


def test_long_arrays_are_in_no_edition_of_vectors() -> None:
    from adamcore.conformance.vectors.inputs import long_inputs

    names = {item.probe.name for item in long_inputs()}
    assert "STEP.1/long" not in names
    assert {"MOM.2/large", "NUM.4/decimals", "STEP.1/late-burst"} <= names

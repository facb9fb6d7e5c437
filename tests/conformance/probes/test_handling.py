"""State, memory and neighbours: array candidates that get one of them wrong, and are told so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from array_adam import Good, judged

from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.handling import FINGERPRINT
from adamcore.conformance.verdict.judge import judge_twin


class Shared(Good):
    """Moments in a dictionary of the class: two optimizers write to one."""

    store: dict[int, np.ndarray] = {}  # noqa: RUF012 - the mistake it is here to make

    def init(self, params: list[np.ndarray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.store.clear()

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        self.m = [self.store.get(i, m) for i, m in enumerate(self.m)]
        after = super().step(grads)
        self.store.update(enumerate(self.m))
        return after


class Forgets(Good):
    """A resume that starts the clock again."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.t = [0] * len(self.t)


class Float32Clock(Good):
    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        before = list(self.t)
        after = super().step(grads)
        self.t = [int(np.float32(t) + np.float32(1)) for t in before]
        return after


class Writes(Good):
    """Clips its gradients in place."""

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        for g in grads:
            if g is not None:
                g *= 1
        return super().step(grads)


class Ravels(Good):
    """Takes the memory order for the order of the elements."""

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        return super().step([g if g is None else np.ravel(g, order="K").reshape(g.shape) for g in grads])


class FirstClock(Good):
    """A resume that gives every parameter the clock of the first."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.t = [self.t[0]] * len(self.t)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_resume_has_the_clock_of_each_parameter(dtype: str) -> None:
    assert judged(Good, "STATE.4/resumed-apart", dtype)[2].status == "passed"
    assert judged(FirstClock, "STATE.4/resumed-apart", dtype)[2].status == "failed"


class StateOfPast(Good):
    """A resume knows only the parameters that had a gradient before it."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.known = {i for i, t in enumerate(self.t) if t}

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        for i, g in enumerate(grads):
            if g is not None and i not in getattr(self, "known", {i}):
                raise KeyError(i)
        return super().step(grads)


class SavedByStep(Good):
    """Saving counts a step."""

    def get_state(self) -> dict[str, Any]:
        self.t = [max(t, 1) for t in self.t]
        return super().get_state()


@pytest.mark.parametrize(
    ("cls", "name"), [(StateOfPast, "STATE.4/resumed-apart"), (SavedByStep, "STATE.4/resumed-first")]
)
def test_a_resume_before_the_first_update(cls: type, name: str) -> None:
    assert judged(Good, name)[2].status == "passed"
    assert judged(cls, "STATE.4/resumed")[2].status == "passed"
    assert judged(cls, name)[2].status == "failed"


class LoadedAtFirstRate(Good):
    """Loading a state sets the first rate again, and no later step sets another one."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.was_loaded = True

    def set_lr(self, lr: float) -> None:
        if not getattr(self, "was_loaded", False):
            super().set_lr(lr)


def test_a_resume_has_the_rate_that_was_set_before() -> None:
    assert judged(Good, "STATE.4/resumed-rate")[2].status == "passed"
    assert judged(LoadedAtFirstRate, "STATE.4/resumed")[2].status == "passed"
    assert judged(LoadedAtFirstRate, "STATE.4/resumed-rate")[2].status == "failed"


class SharedByClones(Good):
    """What was made for equal parameters has the moments and clocks of who came first."""

    made: list[SharedByClones] = []  # noqa: RUF012 - the mistake it is here to make

    def init(self, params: list[np.ndarray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        for other in self.made[-1:]:
            if all(map(np.array_equal, other.p, self.p)):
                self.t, self.m, self.v = other.t, other.m, other.v
        self.made.append(self)


def test_clones_have_each_their_own_state() -> None:
    assert judged(SharedByClones, "STATE.4/uninterrupted")[2].status == "passed"
    SharedByClones.made.clear()
    assert judged(SharedByClones, "STATE.3/beside")[2].status == "failed"


HANDLING = [
    "BC.1/t10", "BC.1/t300", "BC.1/t1e6", "CLK.3/beyond-2**24", "STATE.4/resumed", "STATE.3/beside",
    "STEP.1/fortran", "STEP.1/strided", "STATE.2/read-only", "STEP.1/scaled",
]  # fmt: skip


@pytest.mark.parametrize("name", HANDLING)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_good_candidate_passes(name: str, dtype: str) -> None:
    probe, run, result = judged(Good, name, dtype)
    if probe.twin:
        result = judge_twin(result, probe, run, judged(Good, probe.twin, dtype)[1])
    assert (result.status, result.reason) == ("passed", "")


@pytest.mark.parametrize(
    ("cls", "name", "reason"),
    [
        (Shared, "STATE.3/beside", "leaves the bound"),
        (Forgets, "STATE.4/resumed", "leaves the bound"),
        (Forgets, "BC.1/t300", "leaves the bound"),
        (Float32Clock, "CLK.3/beyond-2**24", "clocks stand at [16777216]"),
        (Writes, "STATE.2/read-only", "read-only"),
        (Ravels, "STEP.1/fortran", "leaves the bound"),
    ],
)
def test_a_bad_one_fails_where_it_is_bad(cls: type, name: str, reason: str) -> None:
    _, _, result = judged(cls, name)
    assert result.status == "failed"
    assert reason in result.reason


def test_what_a_candidate_cannot_do_is_skipped() -> None:
    class Bare:
        init, step, hypers = Good.init, Good.step, Good.hypers

    for name in ("STATE.4/resumed", "BC.1/t300"):
        _, _, result = judged(Bare, name)
        assert result.status == "skipped"


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


def test_a_maximum_is_above_its_v_where_a_run_is_resumed() -> None:
    plain = PROBES["STATE.4/uninterrupted"]
    b2, v, sizes = plain.hyper["b2"], np.zeros(5), []
    for step in plain.steps[: len(plain.steps) // 2]:
        g = np.asarray(step.grads[0])
        v = b2 * v + (1 - b2) * g * g
        sizes.append(v)
    assert np.all(sizes[-1] < np.max(sizes, axis=0))

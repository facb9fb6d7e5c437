"""The probes of changed hyperparameters and of groups fail Adams that do not read them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from array_adam import Good, judged
from certificate import ENOUGH, separation

from adamcore import Adam
from adamcore.conformance.candidates import served_probe
from adamcore.conformance.faults import FAULTS
from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.settings import PROBES as SETTINGS

CHANGED = ["BC.4/betas-changed", "LR.3/eps-changed", "LR.3/decay-changed", "LR.5/decay-schedule"]
GROUPED = [f"LR.4/groups-{what}" for what in ("lr", "zero", "betas", "eps", "decay", "schedule", "empty")]
GROUPED += ["STATE.4/resumed-groups"]
ABSENT = "LR.4/groups-absent"
FUNCTIONS = ("LR.1/function", "LR.5/function")


class ReadsOnce(Good):
    """Reads its hyperparameters in init alone."""

    def set_hyper(self, hyper: dict[str, float]) -> None:
        pass


class Refuses(Good):
    def set_hyper(self, hyper: dict[str, float]) -> None:
        raise ValueError("hyperparameters are fixed")


class FirstGroup(Good):
    """Steps every parameter with the first one's hyperparameters."""

    def init_groups(self, params: list[np.ndarray], hypers: list[dict[str, float]]) -> None:
        self.init(params, hypers[0])


class StepsZero(Good):
    """A parameter whose lr is 0 is stepped with the first one's."""

    def init_groups(self, params: list[np.ndarray], hypers: list[dict[str, float]]) -> None:
        super().init_groups(params, [{**hyper, "lr": hyper["lr"] or hypers[0]["lr"]} for hyper in hypers])


class FirstScheduled(Good):
    """A new lr reaches the first parameter alone."""

    def set_lr(self, lr: float) -> None:
        first, *others = self.hypers
        self.hypers = [{**first, "lr": lr}, *others]


class EndsAtAbsentGroup(Good):
    """A step ends at a group in which no gradient is there."""

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        groups = [[i for i, h in enumerate(self.hypers) if h == hyper] for hyper in self.hypers]
        ended = (i for i, group in enumerate(groups) if all(grads[k] is None for k in group))
        first = next(ended, len(grads))
        return super().step([*grads[:first], *[None] * (len(grads) - first)])


class ForgetsGroups(Good):
    """A resume that gives every parameter the first one's hyperparameters."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.hypers = self.hypers[:1] * len(self.hypers)


class TakesNoZero(Good):
    """A new hyperparameter of 0 is taken for none."""

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper({name: value for name, value in hyper.items() if value})


class Bare:
    init, step = Good.init, Good.step
    hypers: list[Any] = []  # noqa: RUF012 - nobody changes it


def test_there_is_a_probe_for_each_setting() -> None:
    assert {probe.name for probe in SETTINGS} == {
        *CHANGED,
        *GROUPED,
        ABSENT,
        "STEP.2/groups",
        "LR.4/joining",
        "LR.3/replaced",
        "STATE.4/resumed-vacant",
        *FUNCTIONS,
    }


@pytest.mark.parametrize("name", [*CHANGED, *GROUPED, ABSENT])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_right_adam_passes(name: str, dtype: str) -> None:
    assert judged(Good, name, dtype)[2].status == "passed"


@pytest.mark.parametrize("name", CHANGED)
def test_one_that_reads_its_settings_once_fails(name: str) -> None:
    assert judged(ReadsOnce, name)[2].status == "failed"


@pytest.mark.parametrize("name", GROUPED)
def test_one_that_reads_the_first_group_alone_fails(name: str) -> None:
    assert judged(FirstGroup, name)[2].status == "failed"


def test_one_that_steps_a_group_whose_lr_is_0_fails() -> None:
    assert judged(StepsZero, "LR.4/groups-zero")[2].status == "failed"


def test_a_new_lr_that_reaches_the_first_group_alone_fails() -> None:
    assert judged(FirstScheduled, "LR.4/groups-schedule")[2].status == "failed"


def test_a_step_that_ends_at_a_group_without_gradients_fails() -> None:
    assert judged(EndsAtAbsentGroup, ABSENT)[2].status == "failed"


class LoadedByGroups(Good):
    """States are paired with parameters in the order of the groups."""

    def set_state(self, state: dict[str, Any]) -> None:
        order = sorted(range(len(self.hypers)), key=lambda i: self.hypers.index(self.hypers[i]))
        places = [order.index(i) for i in range(len(order))]
        super().set_state({name: [kept[k] for k in places] for name, kept in state.items()})


def test_a_resume_that_forgets_groups_fails() -> None:
    assert judged(LoadedByGroups, "STATE.4/resumed-groups")[2].status == "failed"
    assert judged(ForgetsGroups, "STATE.4/resumed-groups")[2].status == "failed"


@pytest.mark.parametrize("name", ["BC.4/betas-changed", "LR.5/decay-schedule"])
def test_a_new_value_of_0_is_a_value(name: str) -> None:
    assert judged(TakesNoZero, name)[2].status == "failed"


@pytest.mark.parametrize("name", [*CHANGED, *GROUPED])
def test_what_is_not_served_is_skipped(name: str) -> None:
    _, run, result = judged(Bare, name)
    assert result.status == "skipped"
    assert run.unsupported in (
        "its learning rate cannot be changed between steps",
        "its hyperparameters cannot be changed between steps",
        "its parameters have no groups",
    )


def test_a_change_may_be_refused() -> None:
    _, run, result = judged(Refuses, "LR.3/eps-changed")
    assert result.status == "skipped"
    assert run.unsupported == "it refuses other eps: ValueError: hyperparameters are fixed"


@pytest.mark.parametrize("name", [*CHANGED, *GROUPED])
@pytest.mark.parametrize("claim", [Adam(), Adam(decay="decoupled"), Adam(nesterov="dozat")], ids=range(3))
def test_ignored_settings_lie_far_from_read_ones(name: str, claim: Adam) -> None:
    """Settings without effect would show nothing; each fault of them is ten bounds away at the least."""
    probe = PROBES[name]
    for fault in FAULTS:
        if fault.rule not in ("LR.3", "LR.4") or fault.probe is None:
            continue
        try:
            other = fault.probe(probe)
        except ValueError:  # it has no meaning on this probe
            continue
        assert separation(probe, other, "float32", claim) >= ENOUGH, fault.name


def test_what_a_candidate_does_not_take_it_is_not_asked_for() -> None:
    probe = served_probe(PROBES["LR.4/groups-betas"], (), {"b1": 0.5})
    assert [sorted(group) for group in probe.groups] == [["b2"], ["b2"], [], ["b2"]]
    assert served_probe(PROBES["LR.4/groups-decay"], ("weight_decay",), {}).groups == ()
    assert all(s.changes is None for s in served_probe(PROBES["LR.3/eps-changed"], ("eps",), {}).steps)


def test_a_group_has_the_answer_of_an_optimizer_of_its_own() -> None:
    from dataclasses import replace

    probe = PROBES["LR.4/groups-betas"]
    both = exact(Adam(), probe)
    for i, group in enumerate(probe.groups):
        steps = tuple(replace(s, grads=(s.grads[i],)) for s in probe.steps)
        alone = replace(probe, params=(probe.params[i],), steps=steps, groups=()).with_hyper(**group)
        for step, want in zip(both.steps, exact(Adam(), alone).steps, strict=True):
            np.testing.assert_array_equal(step[i][0].high, want[0][0].high)

"""A quick check has the short probes of every part of the specification."""

from __future__ import annotations

import pytest

from adamcore.conformance.checking.selection import is_quick, select_probes
from adamcore.conformance.errors import UsageError
from adamcore.conformance.probes import PROBES
from adamcore.conformance.settings import HISTORIES, QUICK


def test_quick_has_the_short_probes_of_every_part() -> None:
    quick = select_probes((), quick=True)
    assert all(len(p.steps) * len(p.params) <= QUICK for p in quick)
    assert {p.name for p in quick} == {p.name for p in PROBES.values() if is_quick(p)}
    work = [sum(len(p.steps) * len(p.params) for p in some) for some in (quick, PROBES.values())]
    assert work[0] < 0.4 * work[1]
    parts = {p.rule.split(".")[0] for p in PROBES.values()}
    assert parts - {p.rule.split(".")[0] for p in quick} == {"F5"}  # which takes many steps
    axes = {axis for p in PROBES.values() for axis in p.tells}
    assert {axis for p in quick for axis in p.tells} == axes
    assert not {p.twin for p in quick if p.twin} - {p.name for p in quick}
    with pytest.raises(UsageError, match="--quick leaves none of these probes"):
        select_probes(["MOM.2/long"], quick=True)


def test_histories_are_as_many_as_asked_for() -> None:
    for count in (0, 3, HISTORIES, HISTORIES + 2):
        drawn = [p.name for p in select_probes((), histories=count) if p.drawn]
        assert drawn == [f"STEP.1/history-{seed}" for seed in range(count)]
    assert {p.name for p in select_probes(())} == set(PROBES)


def test_a_history_is_selected_by_its_name() -> None:
    [found] = select_probes(["STEP.1/history-9431"])
    assert found.name == "STEP.1/history-9431"
    with pytest.raises(UsageError, match=r"no probe 'STEP\.1/history-x'"):
        select_probes(["STEP.1/history-x"])

"""The contenders: each has a name of its own, and a baseline in its framework."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from adamcore.conformance.bench import contenders  # noqa: E402
from adamcore.conformance.bench.contenders import CONTENDERS, FRAMEWORKS, Contender, fits  # noqa: E402
from adamcore.conformance.bench.step import Step  # noqa: E402
from adamcore.conformance.cli import bench as cli  # noqa: E402


def test_no_contender_is_named_twice() -> None:
    names = [(each.framework, each.name) for each in CONTENDERS]
    assert len(set(names)) == len(names)
    assert set(FRAMEWORKS) == {framework for framework, _ in names} == set(cli.FRAMEWORKS)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_each_framework_has_one_baseline_which_is_not_ours(framework: str) -> None:
    [baseline] = [each for each in CONTENDERS if each.framework == framework and each.baseline]
    assert not baseline.ours


def test_only_where_there_is_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    for there in (False, True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert any(contenders.installed("torch:cuda")) == there
        assert ("torch:cuda" in {each.framework for each in contenders.installed()}) == there
    assert sum(each.baseline for each in contenders.installed("torch:cuda")) == 1


def test_slow_ones_are_left_out_of_large_workloads() -> None:
    slow = Contender("numpy", "slow", lambda shapes: Step(lambda: None), most=100, many=False, single=False)
    assert not fits(slow, ((50,),))
    assert fits(slow, ((50,), (50,)))
    assert not fits(slow, ((50,), (51,)))
    assert not fits(slow, ((0,),) * 201)

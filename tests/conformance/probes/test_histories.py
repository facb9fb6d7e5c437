"""Histories: right candidates pass them, and they have what their kind says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from array_adam import CLAIM, Good
from check_candidates import one
from meeting_adams import LateRate, ScalarsForgotten

from adamcore.conformance.candidates.array import ArrayCandidate
from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.factors import parts, same
from adamcore.conformance.probes.histories import KINDS, history
from adamcore.conformance.settings import HISTORIES
from adamcore.conformance.types import Probe, Result
from adamcore.conformance.verdict.judge import judge

MANY = 4 * HISTORIES


def judged(cls: type, probe: Probe, dtype: str = "float64") -> Result:
    """Return how an array candidate does on a probe."""
    return judge(CLAIM, probe, dtype, ArrayCandidate(cls, {}).run(probe, dtype))


@pytest.mark.parametrize("seed", range(MANY))
def test_a_good_candidate_passes(seed: int) -> None:
    with np.errstate(all="ignore"):
        result = judged(Good, history(seed))
    assert result.status in ("passed", "skipped"), result.reason


@pytest.mark.parametrize("target", ["torch.optim:AdamW", "optax:adamw"])
def test_a_good_optimizer_passes(target: str) -> None:
    pytest.importorskip(target.split(".")[0].split(":")[0])
    entry = one(target, probes=["STEP.1/fingerprint", "STEP.1/history-*"])
    assert entry.verdict == "conforms"
    assert sum(r.status == "passed" for r in entry.results) >= 4


@pytest.mark.parametrize("cls", [LateRate, ScalarsForgotten])
def test_what_meets_by_chance_shows(cls: type) -> None:
    assert any(judged(cls, history(seed)).status == "failed" for seed in range(HISTORIES))


def test_a_seed_has_one_history() -> None:
    assert all(same(parts(history(seed)), parts(history(seed))) for seed in range(MANY))
    assert not any(same(parts(history(seed)), parts(history(seed + 1))) for seed in range(MANY))
    assert same(parts(history(3)), parts(PROBES["STEP.1/history-3"]))


def test_kinds_have_what_they_say() -> None:
    kinds = {what: [history(seed) for seed in range(MANY) if seed // 2 % len(KINDS) == k]
             for k, (what, _) in enumerate(KINDS)}  # fmt: skip
    assert all(any(probe.groups) for probe in kinds["groups"])
    assert all(any(s.changes for s in probe.steps) for probe in kinds["new hyperparameters"])
    assert all(probe.is_scaled for probe in kinds["a loss scale"])
    assert all(probe.layout != "C" for probe in kinds["another layout and numbers that are not finite"])
    assert all(probe.manner == "closure" for probe in kinds["closures"])
    later = [probe.manner for probe in kinds["parameters that are added or thawed later"]]
    assert later == ["joining", "frozen"] * (len(later) // 2)
    plain = [replace(probe, groups=(), manner="plain") for probe in kinds[""]]
    assert not any(probe.is_scaled or any(s.changes for s in probe.steps) for probe in plain)


def test_together_they_have_everything() -> None:
    steps = [step for seed in range(HISTORIES) for step in history(seed).steps]
    assert any(step.resumed for step in steps)
    assert any(step.lr == 0 for step in steps)
    assert any(step.found_inf for step in steps)
    assert any(all(g is None for g in step.grads) for step in steps)
    assert any(g is not None and g.size and not g.any() for step in steps for g in step.grads)
    assert {history(seed).manner for seed in range(8 * MANY)} == {
        "plain", "beside", "alike", "fresh", "closure", "joining", "frozen", "used",
    }  # fmt: skip


def test_absent_gradients_are_in_every_second_one() -> None:
    absent = [any(g is None for step in history(seed).steps for g in step.grads) for seed in range(MANY)]
    assert all(absent[1::2])
    added = [history(seed).manner == "joining" for seed in range(MANY)]
    assert not any(gone and not late for gone, late in zip(absent[::2], added[::2], strict=True))

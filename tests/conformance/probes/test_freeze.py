"""The probes of F1 to F6 fail Adams that treat an absent gradient in another way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from array_adam import CLAIM, Good, judged

from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.probes import PROBES
from adamcore.conformance.verdict.judge import REFUSED, judge


class ZeroForAbsent(Good):
    """Takes an absent gradient for a zero one."""

    def step(self, grads: list[Any]) -> list[Any]:
        return super().step(
            [np.zeros_like(p) if g is None else g for g, p in zip(grads, self.p, strict=True)]
        )


class OneClock(Good):
    """Counts steps, not each parameter's updates."""

    def step(self, grads: list[Any]) -> list[Any]:
        self.t = [max(self.t)] * len(self.t)
        return super().step(grads)


class SkipsZeros(Good):
    """Leaves a parameter alone whose gradient is zero."""

    def step(self, grads: list[Any]) -> list[Any]:
        return super().step([None if g is not None and not g.any() else g for g in grads])


class SkipsRows(Good):
    """Leaves the rows of a matrix alone whose gradients are zero."""

    def step(self, grads: list[Any]) -> list[Any]:
        kept = [[a.copy() for a in arrays] for arrays in (self.p, self.m, self.v)]
        super().step(grads)
        for i, g in enumerate(grads):
            still = (np.asarray(g) == 0).all(axis=-1) if g is not None and g.ndim > 1 else np.zeros(0, bool)
            for arrays, old in zip((self.p, self.m, self.v), kept, strict=True):
                if still.any():
                    arrays[i] = np.where(still[..., None], old[i], arrays[i])
        return list(self.p)


class NeedsARow(Good):
    """A matrix of zeros has no row that a step could take."""

    def step(self, grads: list[Any]) -> list[Any]:
        if any(g is not None and g.ndim > 1 and not g.any() for g in grads):
            raise ValueError("no rows")
        return super().step(grads)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_of_zeros_are_stepped(dtype: str) -> None:
    assert judged(NeedsARow, "F2/zero-row", dtype)[1].error == "ValueError: no rows"
    assert judged(Good, "F2/zero-row", dtype)[2].status == "passed"
    assert judged(SkipsRows, "F2/zero-row", dtype)[2].status == "failed"


class Refuses(Good):
    """Takes an absent gradient for an error, before anything else."""

    def step(self, grads: list[Any]) -> list[Any]:
        if any(g is None for g in grads):
            raise ValueError("a gradient is None")
        return super().step(grads)


class RefusesHalfWay(Good):
    """Takes an absent gradient for an error once its turn comes."""

    def step(self, grads: list[Any]) -> list[Any]:
        for i, g in enumerate(grads):
            if g is None:
                raise ValueError("a gradient is None")
            super().step([g if k == i else None for k in range(len(grads))])
        return [p.copy() for p in self.p]


@pytest.mark.parametrize("name", ["F1/absent-middle", "F1/absent-alternating"])
def test_what_is_refused_leaves_all_as_it_was(name: str) -> None:
    claim, probe = replace(CLAIM, missing="error"), PROBES[name]
    runs = {cls: judged(cls, name)[1] for cls in (Refuses, RefusesHalfWay, Good)}
    results = {cls: judge(claim, probe, "float32", run) for cls, run in runs.items()}
    assert results[Refuses].status == "passed"
    assert results[RefusesHalfWay].status == "failed"
    assert results[RefusesHalfWay].reason.endswith(REFUSED)
    assert "must raise" in results[Good].reason
    assert runs[Refuses].after_error
    assert not runs[Good].after_error


ABSENT = [
    "F1/absent-first",
    "F1/absent-middle",
    "F1/absent-alternating",
    "F1/absent-first-of-several",
    "F5/thaw",
]


@pytest.mark.parametrize("name", [*ABSENT, "F1/absent-last", "F2/zero-gradient", "F6/all-absent"])
def test_a_right_adam_passes(name: str) -> None:
    assert judged(Good, name)[2].status == "passed"


@pytest.mark.parametrize("cls", [ZeroForAbsent, OneClock])
@pytest.mark.parametrize("name", ABSENT)
def test_a_wrong_reading_of_an_absent_gradient_fails(name: str, cls: type) -> None:
    assert judged(cls, name)[2].status == "failed"


@pytest.mark.parametrize("name", ["F2/zero-gradient"])
def test_a_zero_gradient_is_not_an_absent_one(name: str) -> None:
    assert judged(SkipsZeros, name)[2].status == "failed"


@pytest.mark.parametrize("name", ["F3/flag", "F3/mask"])
def test_nan_under_a_flag_or_mask_is_never_seen(name: str) -> None:
    probe = PROBES[name]
    given = [g for step in probe.steps for g in step.grads if g is not None]
    assert any(np.isnan(g).any() for g in given)
    for step in exact(CLAIM, probe).steps:
        assert all(np.isfinite(x.high).all() for parts in step for x in parts)

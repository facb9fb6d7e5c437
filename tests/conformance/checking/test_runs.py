"""Which probes are run in a dtype, how runs are judged, and what all runs of a candidate say."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_adam import CLAIM, Good

from adamcore.conformance.candidates.array import ArrayCandidate
from adamcore.conformance.checking.runs import error_of_all, is_for, is_ordinary, judge_run
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import FloatArray, Run


def test_which_probes_are_run() -> None:
    assert not any(is_for(p, "bfloat16") for p in PROBES.values() if p.is_complex)
    far = [p for p in PROBES.values() if p.rule == "NUM.3"]
    assert far
    assert not any(is_for(p, "float16") for p in far)
    elsewhere = [
        "MOM.4/kept",
        "NUM.1/two-dtypes",
        "NUM.1/digits",
        "STORE.1/short-steps",
        "STORE.16/random",
        "STORE.6/random",
    ]
    assert [name for name, p in PROBES.items() if not is_for(p, "float32")] == elsewhere


def test_an_error_counts_only_if_an_ordinary_probe_raised_it_too() -> None:
    plain, absent = PROBES["STEP.1/fingerprint"], PROBES["F1/absent-middle"]
    assert is_ordinary(plain)
    assert not is_ordinary(absent)
    raised = Run(error="ValueError: no")
    runs = {(absent.name, "float32"): raised}
    assert error_of_all(runs, [plain, absent]) is None
    runs[plain.name, "float32"] = raised
    assert error_of_all(runs, [plain, absent]) == "ValueError: no"
    runs[plain.name, "float64"] = Run(unsupported="it has no float64")
    assert error_of_all(runs, [plain, absent]) == "ValueError: no"
    runs[plain.name, "float64"] = Run()
    assert error_of_all(runs, [plain, absent]) is None


class Flushes(Good):
    """Gradients, moments and parameters below the smallest normal number are 0."""

    def step(self, grads: list[Any]) -> list[Any]:
        super().step([None if g is None else flushed(g) for g in grads])
        self.p, self.m, self.v = ([flushed(a) for a in kept] for kept in (self.p, self.m, self.v))
        return [p.copy() for p in self.p]


def flushed(a: FloatArray) -> FloatArray:
    return np.where(np.abs(a) < np.finfo(a.dtype).tiny, 0 * a, a)


def test_subnormal_numbers_that_are_taken_for_0_are_told_as_such() -> None:
    probe = PROBES["NUM.2/subnormal"]
    run = ArrayCandidate(Flushes, {}).run(probe, "float32")
    unclaimed, claimed = (
        judge_run(CLAIM, probe, "float32", run, flushes=flushes) for flushes in (False, True)
    )
    assert (unclaimed.status, claimed.status) == ("failed", "passed")
    assert unclaimed.reason.startswith(
        "its arithmetic takes subnormal numbers for 0, and it does not claim so"
    )

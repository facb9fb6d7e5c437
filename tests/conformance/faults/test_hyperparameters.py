"""Faults of hyperparameters and schedules: Adams of the corpus follow the models."""

from __future__ import annotations

import pytest
from array_adam import CLAIM as ADAMW
from array_adam import Good
from corpus_runs import assert_follows, fault
from measured_adams import CLAIM, LrVariable

from adamcore.conformance.candidates.array import ArrayCandidate
from adamcore.conformance.probes import PROBES
from adamcore.conformance.verdict.diagnose import diagnose
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.verdict.match import is_proved

CASES = [
    ("BetasInBfloat16", "b1-b2-bfloat16", "NUM.4/decimals"),
    ("EpsilonInFloat16", "eps-float16", "NUM.4/decimals"),
    ("FirstBetaConstant", "b1-is-0.9", "DEC.1/coupling"),
    ("SecondBetaZeroIsNone", "b2-or-0.999", "MOM.2/b2-zero"),
    ("LrCapped", "lr-capped-0.1", "DEC.1/coupling"),
    ("ScheduleIgnored", "lr-kept", "DEC.2/lr-changed"),
    ("ScheduleLate", "lr-late", "DEC.2/lr-changed"),
    ("ScheduleOnce", "lr-once", "LR.1/odd-values"),
    ("ScheduleMultiplies", "lr-multiplied", "LR.1/odd-values"),
    ("ScheduleForgets", "lr-forgets", "DEC.2/lr-changed"),
    ("ZeroLrSkips", "lr-zero-skips", "LR.2/zero"),
    ("ZeroLrIsNone", "lr-zero-none", "LR.2/zero"),
]
"""Adam, fault, and a probe that shows it."""


@pytest.mark.parametrize(("adam", "fault", "probe"), CASES)
def test_an_adam_of_the_corpus_follows_the_model(adam: str, fault: str, probe: str) -> None:
    assert_follows(adam, fault, probe)


NAMES = (
    "STEP.1/fingerprint",
    "LR.1/odd-values",
    "LR.1/all-bits",
    "DEC.1/coupling",
    "NUM.4/near-one",
    "MOM.2/b2-zero",
)


def test_an_lr_of_float32_is_not_said_to_step_float64_in_float32() -> None:
    candidate = ArrayCandidate(LrVariable, {})
    runs = {(name, "float64"): candidate.run(PROBES[name], "float64") for name in NAMES}
    results = [judge(CLAIM, PROBES[name], dtype, run) for (name, dtype), run in runs.items()]
    assert any(result.status == "failed" for result in results)
    [found] = [f for f in diagnose(CLAIM, runs, results) if f.level == "error"]
    assert (found.area, found.observed) == (
        "hyperparameters", "lr is kept in float32, and 1 - lr*weight_decay is formed in it"
    )  # fmt: skip
    for name in NAMES:
        run = runs[name, "float64"]
        assert is_proved(CLAIM, PROBES[name], "float64", run, fault=fault("lr-kept-in-float32"))


class FirstValuesAlone(Good):
    """An optimizer that steps with a copy of its settings, which no change reaches."""

    def set_lr(self, lr: float) -> None:
        pass

    def set_hyper(self, hyper: dict[str, float]) -> None:
        pass


def test_settings_that_no_change_reaches_are_one_finding() -> None:
    names = ("STEP.1/fingerprint", "LR.1/odd-values", "LR.3/eps-changed", "LR.3/decay-changed", "LR.2/zero")
    candidate = ArrayCandidate(FirstValuesAlone, {})
    runs = {(name, "float64"): candidate.run(PROBES[name], "float64") for name in names}
    results = [judge(ADAMW, PROBES[name], dtype, run) for (name, dtype), run in runs.items()]
    [found] = [f for f in diagnose(ADAMW, runs, results) if f.level == "error"]
    assert (found.area, found.observed) == (
        "schedule",
        "a change of lr or of another hyperparameter is ignored",
    )

"""The judgement of runs that were edited by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from array_adam import Good
from array_adam import judged as judged_adam
from plain_adam import ADAMW, run, runs_and_results

from adamcore import Adam
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Result, Run
from adamcore.conformance.verdict.judge import judge, judge_twin


def test_a_right_adam_passes_everything() -> None:
    _, results = runs_and_results(ADAMW)
    assert {r.status for r in results} == {"passed"}
    assert max(r.worst_ratio for r in results) < 1


def judged(probe: str, edit: Callable[[Run], None], claim: Adam = ADAMW) -> Result:
    done = run(PROBES[probe], "float32", {})
    edit(done)
    return judge(claim, PROBES[probe], "float32", done)


def test_first_divergence_is_the_first() -> None:
    def edit(done: Run) -> None:
        done.params[3][0][1] *= np.float32(1 + 2e-4)
        done.params[4][0][0] *= 2

    result = judged("DEC.1/coupling", edit)
    assert result.evidence is not None
    assert (result.evidence.step, result.evidence.element) == (4, "0[1]")
    assert result.evidence.ulp > result.evidence.bound_ulp
    assert float.fromhex(result.evidence.got) != float.fromhex(result.evidence.want)


def test_standing_still_is_bit_for_bit() -> None:
    def edit(done: Run) -> None:
        done.params[3][1] = np.nextafter(done.params[3][1], np.float32(9))

    result = judged("F1/absent-middle", edit)
    assert result.status == "failed"
    assert result.evidence is not None
    assert result.evidence.step == 4
    assert result.evidence.bound_ulp == 0


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda r: r.params.pop(), "made 5 steps of 6"),
        (lambda r: r.params[0].__setitem__(0, r.params[0][0][:2]), "shape"),
        (lambda r: r.params[0].__setitem__(0, r.params[0][0].astype(np.float64)), "float64"),
        (lambda r: r.written.append("gradient 0 in step 1"), "wrote to"),
        (lambda r: setattr(r, "error", "ValueError: no"), "raised"),
    ],
)
def test_what_is_not_a_number_fails_too(edit: Callable[[Run], None], reason: str) -> None:
    result = judged("DEC.1/coupling", edit)
    assert result.status == "failed"
    assert reason in result.reason


def test_values_are_judged_before_their_precision() -> None:
    def promote(done: Run) -> None:
        done.params = [[p.astype(np.float64) for p in step] for step in done.params]

    def promote_and_spoil(done: Run) -> None:
        promote(done)
        done.params[3][0][1] *= 1 + 2e-4

    right = judged("DEC.1/coupling", promote)
    assert (right.status, right.evidence) == ("failed", None)
    assert right.reason == "parameter 0 after step 1: came back as float64, expected float32"
    wrong = judged("DEC.1/coupling", promote_and_spoil)
    assert wrong.evidence is not None
    assert wrong.reason == "parameter 0[1] leaves the bound in step 4"


def test_a_claim_that_must_raise() -> None:
    claim = replace(ADAMW, missing="error")
    assert (
        judge(claim, PROBES["F1/absent-last"], "float32", run(PROBES["F1/absent-last"], "float32", {})).status
        == "failed"
    )
    raised = run(PROBES["F1/absent-last"], "float32", {})
    del raised.params[5:]
    raised.error = "ValueError: no gradient"
    assert judge(claim, PROBES["F1/absent-last"], "float32", raised).status == "passed"


def test_skipped_says_why() -> None:
    result = judge(ADAMW, PROBES["F3/mask"], "float32", Run(unsupported="takes no masks"))
    assert (result.status, result.reason) == ("skipped", "takes no masks")


def test_too_wide_a_bound_is_undecided_and_never_passed() -> None:
    tiny = replace(PROBES["DEC.1/coupling"], hyper={**PROBES["DEC.1/coupling"].hyper, "lr": 1e-7})
    result = judge(ADAMW, tiny, "float32", run(tiny, "float32", {}))
    assert result.status == "undecided"
    assert result.undecided > 0


def test_a_twin_must_agree_bit_for_bit() -> None:
    probe, run, result = judged_adam(Good, "STATE.4/resumed")
    _, twin, _ = judged_adam(Good, "STATE.4/uninterrupted")
    run.params[-1][0][0] = np.nextafter(run.params[-1][0][0], np.float32(9))
    again = judge_twin(result, probe, run, twin)
    assert again.status == "failed"
    assert "bit for bit" in again.reason
    assert judge_twin(result, probe, replace(run, eager=True), twin) is result  # compiled, and not

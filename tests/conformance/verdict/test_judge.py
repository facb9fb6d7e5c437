"""Judgement, identification and diagnosis of array Adams written here, right and wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import FloatArray, Probe, Result, Run
from adamcore.conformance.verdict.diagnose import diagnose
from adamcore.conformance.verdict.identify import identify
from adamcore.conformance.verdict.judge import judge

FEW = [
    "STEP.1/fingerprint", "EPS.1/beside-small-root", "DEC.1/coupling", "DEC.5/order", "AMS.1/shrinking",
    "F1/absent-middle", "F6/all-absent", "NUM.4/near-one", "NF.1/nan", "MOM.1/b1-zero",
]  # fmt: skip

Change = dict[str, Any]


class Plain:
    """AdamW or Adam as people write it, with switches to do it wrong."""

    def __init__(self, probe: Probe, dtype: str, change: Change) -> None:
        self.f, self.h, self.change = np.dtype(dtype).type, probe.hyper, change
        self.p = [p.astype(dtype) for p in probe.params]
        self.m = [np.zeros_like(p) for p in self.p]
        self.v = [np.zeros_like(p) for p in self.p]
        self.t = [0] * len(self.p)
        self.lr = self.h["lr"]

    def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
        f, h, change = self.f, self.h, self.change
        for i, g in enumerate(grads):
            if g is None and change.get("absent") != "zero":
                continue
            self.t[i] += 1
            t = max(self.t) if change.get("clock") == "global" else self.t[i]
            p, g = self.p[i], np.zeros_like(self.p[i]) if g is None else g.astype(f)
            if change.get("nan") == "replaced":
                g = np.nan_to_num(g)
            wd = self.lr * h["weight_decay"]
            if change.get("decay") == "l2":
                g = g + f(h["weight_decay"]) * p
            elif not change.get("after"):
                p = p * f(1 - wd)
            self.m[i] = f(h["b1"]) * self.m[i] + f(1 - h["b1"]) * g
            self.v[i] = f(h["b2"]) * self.v[i] + (f(1 - h["b2"]) * g) * g
            c1, c2 = f(1 - h["b1"] ** t), f(1 - h["b2"] ** t)
            if change.get("eps") == "inside":
                root = np.sqrt(self.v[i] / c2 + f(h["eps"]))
            else:
                root = np.sqrt(self.v[i]) / np.sqrt(c2) + f(h["eps"])
            p = p - f(self.lr) * (self.m[i] / c1) / root
            if change.get("after"):
                p = p * f(1 - wd)
            self.p[i] = np.asarray(p)
        return [p.copy() for p in self.p]


def run(probe: Probe, dtype: str, change: Change) -> Run:
    candidate, done = Plain(probe, dtype, change), Run()
    with np.errstate(all="ignore"):
        for step in probe.steps:
            done.params.append(candidate.step(list(step.grads)))
    return done


def check(claim: Adam, **change: Any) -> tuple[dict[tuple[str, str], Run], list[Result]]:
    runs = {(n, d): run(PROBES[n], d, change) for n in FEW for d in ("float32", "float64")}
    return runs, [judge(claim, PROBES[n], d, r) for (n, d), r in runs.items()]


ADAMW = Adam(decay="decoupled")


def test_a_right_adam_passes_everything() -> None:
    runs, results = check(ADAMW)
    assert {r.status for r in results} == {"passed"}
    assert max(r.worst_ratio for r in results) < 1
    assert diagnose(ADAMW, runs, results) == []
    seen = identify(runs, prefer="torch.AdamW")
    assert seen.dialect == "torch.AdamW"
    assert seen.axes["epsilon"] == ["outside-corrected"]
    assert seen.axes["clock"] == ["per-parameter"]


@pytest.mark.parametrize(
    ("change", "area", "rule", "observed"),
    [
        ({"eps": "inside"}, "epsilon", "EPS.1", "epsilon=inside-corrected"),
        ({"decay": "l2"}, "decay", "DEC.2", "decay=l2"),
        ({"after": True}, "decay", "DEC.5", "decay_order=after"),
        ({"absent": "zero"}, "missing", "F1", "missing=zero"),
        ({"nan": "replaced"}, "nonfinite", "NF.1", "leaves the bound"),
    ],
)
def test_a_wrong_adam_is_told_what_is_wrong(change: Change, area: str, rule: str, observed: str) -> None:
    runs, results = check(ADAMW, **change)
    first = diagnose(ADAMW, runs, results)[0]
    assert (first.area, first.rule, first.level) == (area, rule, "error")
    assert observed in first.observed
    assert first.evidence is not None


def test_two_things_wrong_are_both_named() -> None:
    runs, results = check(ADAMW, eps="inside", after=True)
    found = diagnose(ADAMW, runs, results)
    assert [f.area for f in found if f.level == "error"] == ["epsilon", "decay"]


def test_what_is_no_adam_is_not_forced_into_one() -> None:
    runs = {("STEP.1/fingerprint", "float64"): run(PROBES["STEP.1/fingerprint"], "float64", {})}
    runs["STEP.1/fingerprint", "float64"].params[2][0] += 0.01
    assert all(values == [] for values in identify(runs).axes.values())


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

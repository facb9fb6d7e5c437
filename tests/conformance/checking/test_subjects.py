"""Subjects: what is judged of a candidate, its verdict, and what is left of one that broke."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from check_candidates import ADAM, FEW, RIGHT, WRONG, one, write

from adamcore.conformance import check
from adamcore.conformance.candidates import CandidateInfo
from adamcore.conformance.checking import third_party
from adamcore.conformance.checking.third_party import ThirdParty
from adamcore.conformance.claims import claim_of_dialect
from adamcore.conformance.oracle.sharing import equivalent_claim
from adamcore.conformance.probes import PROBES
from adamcore.conformance.settings import Ranks
from adamcore.conformance.types import Result, Run


def test_reduced_claims_differ_where_the_probe_sees_them() -> None:
    adamw, adam = claim_of_dialect("torch.AdamW").adam, claim_of_dialect("torch.Adam").adam
    assert equivalent_claim(adamw, PROBES["BC.1/first-steps"]) == equivalent_claim(
        adam, PROBES["BC.1/first-steps"]
    )
    assert equivalent_claim(adamw, PROBES["DEC.1/coupling"]) != equivalent_claim(
        adam, PROBES["DEC.1/coupling"]
    )
    keras, hat = claim_of_dialect("tf_keras.legacy.Adam").adam, claim_of_dialect("paper.eps-hat").adam
    for name, same in (("STEP.1/fingerprint", True), ("F1/absent-middle", False)):
        probe = PROBES[name]
        assert (
            equivalent_claim(keras, probe, exact=True) == equivalent_claim(hat, probe, exact=True)
        ) is same
        assert equivalent_claim(keras, probe) != equivalent_claim(hat, probe)


def test_bits_of_a_resumed_run_are_compared_where_it_rounds_alike() -> None:
    """On JAX' devices parts of other sizes are other programs; the exact answer holds for both."""
    probes = [PROBES[name] for name in ("STATE.4/uninterrupted", "STATE.4/resumed", "STATE.2/fresh")]
    subject = ThirdParty("optax:adamw", None, {}, None, probes, ["float32"], ranks=Ranks(4))
    claim = claim_of_dialect("optax.adamw")
    runs = {(p.name, "float32"): Run(params=[[np.array([float(k)])]]) for k, p in enumerate(probes)}

    def statuses(rounds_alike: bool) -> list[str]:
        subject.info = CandidateInfo("optax factory", rounds_alike=rounds_alike)
        results = [Result(p.name, "float32", "passed") for p in probes]
        return [r.status for r in subject.with_twins(claim, results, runs)]

    assert statuses(True) == ["passed", "failed", "failed"]
    assert statuses(False) == ["passed", "passed", "failed"]


@pytest.mark.parametrize(
    ("info", "status"),
    [
        (CandidateInfo("array candidate"), "failed"),
        (CandidateInfo("array candidate", fixed={"eps": 1e-8}), "passed"),
        (CandidateInfo("array candidate", fixed={"eps": 0.0}), "failed"),
        (CandidateInfo("array candidate", lacks=("eps",)), "passed"),
    ],
)
def test_a_constant_that_is_not_scaled_leaves_no_twin(info: CandidateInfo, status: str) -> None:
    """Eps times 2**20 is the same trajectory only for who takes eps, or has 0."""
    probes = [PROBES["STEP.1/unscaled"], PROBES["STEP.1/scaled"]]
    subject = ThirdParty("m:f", "paper", {}, None, probes, ["float32"])
    subject.info = info
    shape = probes[1].params[0].shape
    runs = {(p.name, "float32"): Run(params=[[np.full(shape, float(k))]]) for k, p in enumerate(probes)}
    results = [Result(p.name, "float32", "passed") for p in probes]
    assert subject.with_twins(claim_of_dialect("paper"), results, runs)[1].status == status


def test_nothing_judged_is_not_conforming(tmp_path: Path) -> None:
    entry = one(write(tmp_path), probes=["F3/mask"])
    assert entry.verdict == "broken"
    assert entry.reason == "no probe could be judged: it has no masks of presence"


def test_broken_halfway_keeps_what_was_judged(tmp_path: Path) -> None:
    path = tmp_path / "halfway.py"
    source = ADAM.format(denominator=RIGHT, attributes="pass")
    path.write_text(
        source.replace("h = self.h\n", "h = self.h\n        if h['b1'] == 0.75: import os; os._exit(5)\n")
    )
    report = check(f"{path}:Adam", probes=FEW, dtypes=["float32"])
    assert report.exit_code == 3
    [entry] = report.entries
    assert entry.verdict == "broken"
    assert "exited with status 5 at probe" in entry.reason
    assert any(r.status == "passed" for r in entry.results)


def test_what_raises_is_seen_again_by_a_probe_in_which_it_does(tmp_path: Path) -> None:
    target = write(tmp_path, attributes="absent = True")
    path = tmp_path / "mine.py"
    path.write_text(path.read_text().replace("continue", "raise TypeError"))
    [found] = one(target, probes=["STEP.1/fingerprint", "F1/*"]).findings
    assert (found.rule, found.evidence) == ("F1", None)
    assert found.repro == f"adamcore check {target} --probe F1/absent-first"


def test_a_fault_of_the_judge_costs_no_other_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is it lost from the JSON, nor is its exit status that of a deviation."""

    def fails(*_: object, **__: object) -> None:
        raise KeyError("weight_decay")

    right, wrong = write(tmp_path), write(tmp_path, WRONG, name="wrong")
    monkeypatch.setattr("adamcore.conformance.verdict.diagnose.best_cause", fails)
    report = check(wrong, right, probes=FEW, dtypes=["float32"])
    assert [entry.verdict for entry in report.entries] == ["broken", "conforms"]
    assert report.exit_code == 3
    entry = report.entries[0]
    assert entry.reason == (
        "the check itself failed: KeyError: 'weight_decay'; a fault of adamcore, not of the candidate"
    )
    assert "EPS.1" in [found.rule for found in entry.findings], "what was judged is still there"
    monkeypatch.setattr(third_party, "judge_run", fails)
    report = check(wrong, right, probes=FEW, dtypes=["float32"])
    assert [entry.verdict for entry in report.entries] == ["broken", "broken"]
    assert "at probe STEP.1/fingerprint in float32 the check itself failed" in report.entries[0].reason
    assert len(report.as_dict()["candidates"]) == 2


def test_a_candidate_that_raises_in_every_probe_is_broken(tmp_path: Path) -> None:
    raises = "(1 / 0)"
    entry = one(write(tmp_path, raises))
    assert entry.verdict == "broken"
    assert entry.reason == "it raised in every probe: ZeroDivisionError: division by zero"
    absent = write(tmp_path, name="absent", attributes="absent = True")
    path = tmp_path / "absent.py"
    path.write_text(path.read_text().replace("continue", "raise ValueError('no gradient')"))
    assert one(absent, probes=["F1/absent-middle"]).verdict == "deviates", "its input is out of the ordinary"
    path.write_text(path.read_text().replace("absent = True", "pass"))
    entry = one(absent, probes=["F1/absent-middle"])
    assert (entry.verdict, entry.reason) == (
        "broken",
        "no probe could be judged: raised in step 3: ValueError: no gradient",
    )

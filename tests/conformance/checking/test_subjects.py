"""Subjects: the claim of a candidate, what it lacks, and what is left of one that broke."""

from __future__ import annotations

from pathlib import Path

from check_candidates import ADAM, FEW, RIGHT, one, write

from adamcore.conformance import check
from adamcore.conformance.claims import all_claims, claim_for, claim_of_dialect
from adamcore.conformance.oracle.sharing import equivalent_claim
from adamcore.conformance.probes import PROBES


def test_claim_of_a_candidate(tmp_path: Path) -> None:
    told = write(tmp_path, attributes="dialect = 'torch.AdamW'", name="told")
    assert one(told).verdict == "deviates"
    assert one(told).claimed == "torch.AdamW"
    assert one(told, dialect="torch.Adam").verdict == "conforms"
    lost = one(write(tmp_path, attributes="dialect = 'torch.AdamV'", name="lost"))
    assert lost.verdict == "broken"
    assert "its attribute dialect: no dialect 'torch.AdamV'; nearest: torch.Adam" in lost.reason


def test_claims_follow_options() -> None:
    assert claim_for("torch.optim:Adam", None).name == "torch.Adam"
    assert claim_for("nobody:Adam", None, "optax.adam").name == "optax.adam"
    assert claim_for("optax:adam", "keras.Adam", "optax.adam").name == "keras.Adam"
    claim = claim_of_dialect("torch.AdamW", {"amsgrad": "True", "foreach": "True"})
    assert claim.name == "torch.AdamW(amsgrad=True)"
    assert (claim.adam.amsgrad, claim.adam.decay) == ("uncorrected", "decoupled")


def test_hyperparameter_that_a_candidate_lacks_is_zero(tmp_path: Path) -> None:
    path = tmp_path / "without.py"
    path.write_text(ADAM.format(denominator=RIGHT, attributes="hyper = ('lr', 'b1', 'b2', 'eps')"))
    assert one(f"{path}:Adam").verdict == "conforms"


def test_constant_that_set_gives_is_judged(tmp_path: Path) -> None:
    target = write(tmp_path, "np.sqrt(v_hat) + f(0.25)")
    assert one(target).verdict == "deviates"
    assert one(target, settings={"eps": "0.25"}).verdict == "conforms"


def test_own_backend_under_every_dialect() -> None:
    report = check("numpy", probes=("STEP.1/fingerprint", "F1/absent-middle"), dtypes=["float32"])
    assert report.exit_code == 0, [(e.claimed, e.findings) for e in report.entries if e.verdict != "conforms"]
    assert [e.claimed for e in report.entries] == [claim.name for claim in all_claims()]
    assert {len(e.results) for e in report.entries} == {2}
    distinct = {id(r) for e in report.entries for r in e.results}
    assert 10 < len(distinct) < len(report.entries)
    torch = next(e for e in report.entries if e.claimed == "optax.adamw")
    assert torch.axes["coefficients"] == ["double"]


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

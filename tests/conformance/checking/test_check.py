"""Whole checks, in real processes: who conforms, who deviates, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adamcore.conformance import check
from adamcore.conformance.claims import all_claims, claim_for, claim_of_dialect
from adamcore.conformance.errors import UsageError
from adamcore.conformance.oracle.sharing import equivalent_claim
from adamcore.conformance.probes import PROBES
from adamcore.conformance.report.report import Entry
from adamcore.conformance.settings import OWN_TARGETS
from adamcore.errors import DialectError

FEW = ("STEP.1/fingerprint", "EPS.*", "DEC.1/coupling", "F1/absent-middle", "F3/mask", "NUM.4/near-one")

ADAM = """
import numpy as np

class Adam:
    {attributes}

    def init(self, params, hyper):
        self.p = params
        self.m = [np.zeros_like(p) for p in params]
        self.v = [np.zeros_like(p) for p in params]
        self.t = [0] * len(params)
        self.h = hyper

    def step(self, grads):
        h = self.h
        for i, g in enumerate(grads):
            if g is None:
                continue
            self.t[i] += 1
            f = g.real.dtype.type
            g = g + f(h["weight_decay"]) * self.p[i]
            self.m[i] = self.m[i] + f(1 - h["b1"]) * (g - self.m[i])
            self.v[i] = self.v[i] + f(1 - h["b2"]) * (g * g - self.v[i])
            m_hat = self.m[i] / f(1 - h["b1"] ** self.t[i])
            v_hat = self.v[i] / f(1 - h["b2"] ** self.t[i])
            eps = f(h["eps"])
            self.p[i] = self.p[i] - f(h["lr"]) * m_hat / ({denominator})
        return self.p
"""
RIGHT, WRONG = "np.sqrt(v_hat) + eps", "np.sqrt(v_hat + eps)"


def write(folder: Path, denominator: str = RIGHT, attributes: str = "pass", name: str = "mine") -> str:
    path = folder / f"{name}.py"
    path.write_text(ADAM.format(denominator=denominator, attributes=attributes))
    return f"{path}:Adam"


def one(target: str, **options: Any) -> Entry:
    [entry] = check(target, **({"probes": FEW, "dtypes": ["float32"]} | options)).entries
    return entry


def test_right_array_candidate_conforms(tmp_path: Path) -> None:
    entry = one(write(tmp_path), dtypes=["float32", "float64"])
    assert (entry.verdict, entry.claimed, entry.findings) == ("conforms", "paper", [])
    assert {r.dtype for r in entry.results} == {"float32", "float64"}
    assert {r.probe: r.status for r in entry.results}["F3/mask"] == "skipped"
    assert entry.axes["epsilon"] == ["outside-corrected"]


def test_epsilon_inside_the_root_is_named(tmp_path: Path) -> None:
    report = check(write(tmp_path, WRONG), probes=FEW)
    assert report.exit_code == 1
    [entry] = report.entries
    first = entry.findings[0]
    assert (entry.verdict, first.area, first.level, first.rule) == ("deviates", "epsilon", "error", "EPS.1")
    assert first.evidence is not None
    assert first.evidence.ulp > 10 * first.evidence.bound_ulp
    assert first.repro is not None
    assert first.repro.startswith("import numpy")
    assert entry.axes["epsilon"] == ["inside-corrected"]


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


def test_real_optimizers_conform_to_their_dialects() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("optax")
    report = check("torch.optim:Adam", "torch.optim:AdamW", "optax:adamw", probes=FEW)
    assert report.exit_code == 0
    entries = {entry.target: entry for entry in report.entries}
    assert {target: e.claimed for target, e in entries.items()} == {
        "torch.optim:Adam": "torch.Adam", "torch.optim:AdamW": "torch.AdamW", "optax:adamw": "optax.adamw",
    }  # fmt: skip
    assert [e.identified for e in entries.values()] == ["torch.Adam", "torch.AdamW", "optax.adamw"]
    [note] = entries["optax:adamw"].findings
    assert (note.area, note.level) == ("coefficients", "note")
    assert note.evidence is not None
    assert note.evidence.ulp > note.evidence.bound_ulp


def test_optax_is_not_torch() -> None:
    pytest.importorskip("optax")
    entry = one("optax:adamw", dialect="torch.AdamW")
    assert entry.verdict == "deviates"
    assert "coefficients" in [f.area for f in entry.findings if f.level == "error"]


def test_options_of_torch() -> None:
    pytest.importorskip("torch")
    settings = {"amsgrad": "True", "maximize": "True", "foreach": "True"}
    entry = one("torch.optim:AdamW", settings=settings, probes=("STEP.1/fingerprint", "AMS.*", "MAX.*"))
    assert (entry.verdict, entry.claimed) == ("conforms", "torch.AdamW(amsgrad=True, maximize=True)")
    entry = one(
        "torch.optim:AdamW", settings=settings, dialect="torch.Adam", probes=("AMS.*", "DEC.1/coupling")
    )
    assert entry.verdict == "deviates"


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


def test_backends_that_are_not_here_are_named() -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    entry = check("torch:cuda", dialect="paper", probes=["STEP.1/fingerprint"]).entries[0]
    assert (entry.verdict, entry.asked) == ("unavailable", True)
    assert "has no device 'cuda'" in entry.reason


def test_no_target_means_every_backend() -> None:
    report = check(dialect="paper", probes=["STEP.1/fingerprint"], dtypes=["float32"])
    assert [e.target for e in report.entries][: len(OWN_TARGETS)] == list(OWN_TARGETS)
    assert report.exit_code == 0
    assert all(e.verdict in ("conforms", "unavailable") for e in report.entries)
    assert not any(e.asked for e in report.entries)


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


@pytest.mark.parametrize(
    ("target", "options", "error", "message"),
    [
        ("nunpy", {}, UsageError, "unknown target 'nunpy'.*nearest: numpy"),
        ("torch.AdamW", {}, UsageError, "nearest: torch.optim:AdamW"),
        ("numpy", {"dialect": "torch.adamw"}, DialectError, "nearest: torch.AdamW"),
        ("numpy", {"probes": ["EPS.1/besides"]}, UsageError, "nearest: EPS.1/beside"),
        (
            "numpy",
            {"dtypes": ["float16"]},
            UsageError,
            "unknown dtype 'float16'; expected float32 or float64",
        ),
    ],
)
def test_usage(target: str, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        check(target, **options)


def test_progress_reaches_its_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    check(write(tmp_path), probes=FEW, progress=lambda _, done, total: seen.append((done, total)))
    assert seen[0][0] == 0
    assert seen[-1][0] == seen[-1][1] > 0
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)

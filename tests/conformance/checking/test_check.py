"""Whole checks, in real processes: which candidate conforms, which deviates, and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from check_candidates import FEW, WRONG, one, write

from adamcore.conformance import check
from adamcore.conformance.checking.check import EXPLAINING, STAGES, explaining
from adamcore.conformance.settings import OWN_TARGETS


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


def test_real_optimizers_conform_to_their_dialects() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("optax")
    targets = ("torch.optim:Adam", "torch.optim:AdamW", "optax:adamw")
    report = check(*targets, probes=FEW, dtypes=["float32"])
    assert report.exit_code == 0
    entries = {entry.target: entry for entry in report.entries}
    assert {target: e.claimed for target, e in entries.items()} == {
        "torch.optim:Adam": "torch.Adam",
        "torch.optim:AdamW": "torch.AdamW",
        "optax:adamw": "optax.adamw",
    }
    assert [e.identified for e in entries.values()] == ["torch.Adam", "torch.AdamW", "optax.adamw"]
    [note] = entries["optax:adamw"].findings
    assert (note.area, note.level) == ("coefficients", "note")
    assert note.evidence is not None
    assert note.evidence.ulp > note.evidence.bound_ulp


@pytest.mark.slow  # the default tests see the same in a note, above
def test_optax_is_not_torch() -> None:
    pytest.importorskip("optax")
    entry = one("optax:adamw", dialect="torch.AdamW")
    assert entry.verdict == "deviates"
    assert "coefficients" in [f.area for f in entry.findings if f.level == "error"]


OPTIONS = {"amsgrad": "True", "maximize": "True", "foreach": "True"}


def test_options_of_torch() -> None:
    pytest.importorskip("torch")
    entry = one("torch.optim:AdamW", settings=OPTIONS, probes=("STEP.1/fingerprint", "AMS.*", "MAX.*"))
    assert (entry.verdict, entry.claimed) == ("conforms", "torch.AdamW(amsgrad=True, maximize=True)")


@pytest.mark.slow
def test_options_of_torch_under_the_name_of_another() -> None:
    pytest.importorskip("torch")
    probes = ("AMS.*", "DEC.1/coupling")
    assert (
        one("torch.optim:AdamW", settings=OPTIONS, dialect="torch.Adam", probes=probes).verdict == "deviates"
    )


@pytest.mark.slow
@pytest.mark.parametrize("library", ["bitsandbytes", "torchao"])
def test_adams_of_others_with_moments_in_8_bits(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Needs the library, which the tests do not install: all that fails is a matter of codes."""
    pytest.importorskip(f"{library}.optim")
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")  # to compile would take longer than all else
    [entry] = check(f"{library}.optim:AdamW8bit", dtypes=["float32"]).entries
    found = [f for f in entry.findings if f.level == "error"]
    assert (entry.verdict, found[0].rule) == ("deviates", "STORE.15")
    assert {f.area for f in found} == {"storage"}
    assert {r.status for r in entry.results} == {"passed", "failed", "skipped"}


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


def test_progress_reaches_its_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    texts: list[str] = []

    def progress(what: str, done: int, total: int) -> None:
        texts.append(what)
        seen.append((done, total))

    check(write(tmp_path), probes=FEW, progress=progress)
    assert seen[0][0] == 0
    assert seen[-1][0] == seen[-1][1] > 0
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)
    assert len({total for _, total in seen}) == 1
    begun = next(k for k, text in enumerate(texts) if text.endswith(": its parts"))
    assert seen[begun][0] == seen[-1][0] - EXPLAINING  # the bar has not ended before the runs are explained


def test_progress_moves_while_runs_are_explained() -> None:
    seen: list[tuple[str, int, int]] = []
    watcher = explaining("m:A", [], 0, lambda *told: seen.append(told))
    for what in STAGES:
        for k in range(10):
            watcher(what, k / 10)
    watcher("which Adam it is", 0.0)  # asked again: what is done stays done
    done = [done for _, done, _ in seen]
    assert done == sorted(done)
    assert len(set(done)) > 15
    assert (done[0], seen[-1][0]) == (0, "m:A: which Adam it is")

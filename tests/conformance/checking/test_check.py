"""Whole checks, in real processes: which candidate conforms, which deviates, and why."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from check_candidates import FEW, WRONG, one, write

from adamcore.conformance import check
from adamcore.conformance.checking.check import EXPLAINING, STAGES, explaining, run_subjects
from adamcore.conformance.checking.subjects import Subject
from adamcore.conformance.settings import OWN_TARGETS
from adamcore.conformance.types import Probe, Run, Step
from adamcore.conformance.workers.pool import EndEvent, Event, RunEvent, WorkerJob

module = importlib.import_module("adamcore.conformance.checking.check")  # its package has a function check


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


ZERO_RATE = """
import torch


class AdamW(torch.optim.AdamW):
    def step(self):
        lrs = [group["lr"] for group in self.param_groups]
        for group in self.param_groups:
            group["lr"] = group["lr"] or lrs[0]
        super().step()
        for group, lr in zip(self.param_groups, lrs):
            group["lr"] = lr
"""


def test_a_group_that_moves_though_its_lr_is_0_is_named(tmp_path: Path) -> None:
    """As in Prodigy, where a group that is frozen so is stepped with the others' rate."""
    pytest.importorskip("torch")
    path = tmp_path / "candidate.py"
    path.write_text(ZERO_RATE)
    probes = [*FEW, "LR.2/zero", "LR.4/groups-lr", "LR.4/groups-zero"]
    report = check(f"{path}:AdamW", dialect="torch.AdamW", probes=probes, dtypes=["float32"])
    [entry] = report.entries
    first = entry.findings[0]
    assert (entry.verdict, first.area, first.rule) == ("deviates", "groups", "LR.4")
    assert first.observed == "a group whose lr is 0 is stepped with the first group's lr"
    assert [r.probe for r in entry.results if r.status == "failed"] == ["LR.4/groups-zero"]


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


@pytest.mark.parametrize(
    ("processors", "arrays", "is_held"), [(2, 300, True), (4, 300, False), (2, 2, False)]
)
def test_runs_wait_while_a_step_of_many_arrays_would_lose_its_processor(
    processors: int, arrays: int, is_held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many = (
        Probe("STEP.1/arrays", "", (np.ones(1),) * n, (Step((np.ones(1),) * n),), {}) for n in (1, arrays)
    )
    a = WorkerJob("target", "float32", [None], [few, many], [(0, 0), (0, 1)])
    b = WorkerJob("target", "float64", [None], [few], [(0, 0), (0, 0)])
    now, judged = "", []

    def events(*_: object, **__: object) -> Iterator[Event]:
        nonlocal now
        for name, event in (
            ("a begins", RunEvent(a, 0, Run())),
            ("b begins", RunEvent(b, 0, Run())),
            ("b goes on", RunEvent(b, 1, Run())),
            ("b is done", EndEvent(b)),
            ("a goes on", RunEvent(a, 1, Run())),
            ("a is done", EndEvent(a)),
        ):
            now = name
            yield event

    subject = SimpleNamespace(
        target="target", jobs=[a, b], on_run=lambda *_: judged.append(now), on_end=lambda *_: None
    )
    monkeypatch.setattr(module, "run_jobs", events)
    monkeypatch.setattr(module, "PROCESSORS", processors)
    run_subjects([cast(Subject, subject)], 1.0, 2, 1e3, None)
    assert judged == (["b is done"] * 3 if is_held else ["a begins", "b begins", "b goes on"]) + ["a goes on"]

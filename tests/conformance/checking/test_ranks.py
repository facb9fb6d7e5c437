"""A fault of sharding is named as one: what fails on several processes alone."""

from __future__ import annotations

import sys

import numpy as np
import pytest

pytest.importorskip("torch")

from paths import ROOT

from adamcore.conformance import check
from adamcore.conformance.candidates import CandidateInfo
from adamcore.conformance.checking import ranks as checking_ranks
from adamcore.conformance.checking.ranks import blame_ranks
from adamcore.conformance.checking.third_party import ThirdParty
from adamcore.conformance.probes import PROBES as PROBES_BY_NAME
from adamcore.conformance.report.report import Entry
from adamcore.conformance.settings import LAYOUTS, Ranks
from adamcore.conformance.types import Finding, Result, Run
from adamcore.conformance.workers.pool import Event, RunEvent, WorkerJob

sys.path.append(str(ROOT / "tests" / "corpus"))

from sharded_torch import SHARDED

PROBES = [
    "STEP.1/shapes",
    "STEP.1/fingerprint",
    "LR.1/every-array",
    "F2/zero-row",
    "LR.4/groups-decay",
    "DEC.2/lr-changed",
    "STATE.4/resumed",
]
OURS = "adamcore.backends.jax:adamw"
WRONG = [each for each in SHARDED.values() if each.says is not None]


@pytest.mark.slow
@pytest.mark.parametrize("name", [each.cls.__name__ for each in WRONG])
def test_the_finding_says_sharding(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    each = SHARDED[name]
    assert each.says is not None
    report = check(each.target, ranks=2, layout=each.layout, dtypes=["float32"], probes=PROBES)
    [entry] = report.entries
    if entry.verdict == "broken":  # it raised in every probe
        assert each.says in entry.reason, entry.reason
        return
    assert entry.verdict == "deviates"
    first = entry.findings[0]
    assert first.area == "sharding", (first.area, first.observed)
    assert each.says in first.observed, first.observed
    assert f"--ranks 2 --layout {each.layout}" in (first.repro or "")


def third_party() -> ThirdParty:
    chosen = [PROBES_BY_NAME[name] for name in ("STATE.4/resumed", "LR.1/every-array")]
    subject = ThirdParty("my:Adam", None, {}, None, chosen, ["float32"], ranks=Ranks(2, "tp"))
    subject.on_ready(CandidateInfo("torch optimizer"))
    return subject


@pytest.mark.parametrize(
    ("probe", "reason", "said"),
    [
        ("STATE.4/resumed", "p is off", "a state that is saved and loaded is not the one that was saved"),
        ("LR.1/every-array", "the clocks stand at [0], expected [1]", "a clock is not where it should be"),
        ("LR.1/every-array", "raised: p has other bits on rank 1 than on rank 0", "other bits on rank 1"),
        (
            "LR.1/every-array",
            "raised in step 1: RankError: rank 1 raised X",
            "(tp) raised in step 1: RankError",
        ),
        ("LR.1/every-array", "p is off", "on 2 ranks (tp) p is off; on one it passes the same probes"),
    ],
)
def test_what_is_said_of_a_fault_of_sharding(
    probe: str, reason: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run on one process passes here, so that only the processes can be at fault."""
    passed = Result(probe, "float32", "passed")
    monkeypatch.setattr(checking_ranks, "judge_run", lambda *_, **__: passed)
    subject, entry = third_party(), Entry("my:Adam", "torch.AdamW", {})
    entry.results = [Result(probe, "float32", "failed", reason=reason)]
    asked: list[WorkerJob] = []

    def run(job: WorkerJob) -> list[Event]:
        asked.append(job)
        return [RunEvent(job, 0, Run())]

    blame_ranks(subject, entry, run)
    assert [job.ranks for job in asked] == [None]
    [found] = entry.findings
    assert found.area == "sharding"
    assert said in found.observed
    assert found.repro is not None
    assert found.repro.endswith("--ranks 2 --layout tp")


def test_the_ranks_on_which_parameters_differ_are_named() -> None:
    """On 2 ranks, vectors of 3 elements are cut as 2 and 1."""
    subject = third_party()
    subject.ranks = Ranks(2, "fsdp")
    key = ("LR.1/every-array", "float32")
    right = [np.arange(3.0), np.ones((2, 2)), np.arange(3.0)]

    def said(*places: tuple[int, int]) -> str:
        after = [x.copy() for x in right]
        for k, i in places:
            after[k].flat[i] += 0.5
        subject.runs[key] = Run(params=[right, after])
        return checking_ranks.places(subject, {key: Run(params=[right, right])})

    assert said() == ""
    assert said((0, 2)) == said((0, 2), (1, 3)) == ", in the parts of rank 1 alone"
    assert said((0, 1)) == ", in the parts of rank 0 alone"
    assert said((0, 1), (2, 2)) == ""  # on all


def test_gradients_that_are_divided_by_the_number_of_ranks_are_named() -> None:
    measured = "eps counts 2, 2, 2, ..., 2 times as claimed in steps 1, 2, ..."
    found = Finding("epsilon", "EPS.1", "", "eps is added twice", measured=measured)
    failed = [Result("LR.1/every-array", "float32", "failed", reason="p is off")]
    said = checking_ranks.finding(third_party(), failed, [found], ", in the parts of rank 1 alone")
    assert "a gradient counts 1/2, as if it were divided by the number of ranks" in said.observed
    assert "in the parts of rank 1 alone; on one it passes" in said.observed


@pytest.mark.slow
def test_a_fault_that_one_process_has_too_is_no_fault_of_sharding() -> None:
    report = check("torch.optim:Adam", ranks=2, dtypes=["float32"], probes=PROBES, dialect="torch.AdamW")
    [entry] = report.entries
    assert entry.verdict == "deviates"
    assert all(found.area != "sharding" for found in entry.findings)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["fsdp", "tp", "2d", "ddp", "zero"])
@pytest.mark.parametrize("target", ["torch.optim:AdamW", "adamcore.backends.torch:AdamW"])
def test_right_ones_conform(target: str, layout: str) -> None:
    """PyTorch's own does not step complex parts of different sizes (findings).

    Where there is no state a save makes a first step (findings), and a group without parameters comes back
    without its hyperparameters.
    """
    [entry] = check(target, ranks=2, layout=layout).entries
    cut = target == "torch.optim:AdamW" and layout in ("fsdp", "tp", "2d")
    failed = {r.probe for r in entry.results if entry.failed(r)}
    known = {"CPX.1/complex", "CPX.1/decay", "CPX.1/meetings"}
    known |= {"STATE.4/resumed-first", "STEP.1/history-5", "STATE.4/resumed-vacant"}
    assert failed == (known if cut else set()), entry.findings
    assert entry.verdict == ("deviates" if cut else "conforms")


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("target", ["torch", "jax", "jax:jit", "jax:native", "optax:adamw", OURS])
def test_backends_conform(target: str, layout: str) -> None:
    pytest.importorskip("optax")
    if layout == "shard_map" and target in ("torch", "jax"):
        pytest.skip("a layout of JAX, under jit")
    claim = "torch.AdamW" if target == "torch" else "optax.adamw"
    [entry] = check(target, ranks=4, layout=layout, dialect=claim).entries
    assert entry.verdict == "conforms", entry.findings

"""Cases of :mod:`ranks`: the adapter of ``adamcore check --ranks``, and the corpus of sharded Adams."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from ranks import only_on

from adamcore.backends.torch import AdamW
from adamcore.conformance.candidates.own import OwnCandidate
from adamcore.conformance.candidates.sharded.own_torch import TorchOnRanks
from adamcore.conformance.candidates.sharded.torch import Group, ShardedTorchCandidate
from adamcore.conformance.candidates.torch.candidate import TorchCandidate
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Result
from adamcore.conformance.verdict.judge import judge
from adamcore.dialects import dialect

LAYOUTS = ("fsdp", "tp", "2d", "ddp", "zero")
sys.path.append(str(Path(__file__).resolve().parents[1] / "corpus"))

FEW = (
    "STEP.1/shapes",
    "LR.1/every-array",
    "F2/zero-row",
    "LR.4/groups-decay",
    "DEC.2/lr-changed",
    "STATE.4/resumed",
)
ODD = ("CPX.1/complex", "STEP.1/fortran", "STEP.1/strided", "STEP.1/offset", "STEP.1/broadcast")
SOME = ("FirstStepAtTwo", "NoClockWhereEmpty", "MomentsOfOneRank", "NormOfTheShard", "RanksDrift")


@cache
def adam() -> Any:
    return dialect("torch.AdamW").adam()


@cache
def group(layout: str) -> Group:
    return Group(layout)


def results_of(cls: Any, layout: str, names: Sequence[str] = FEW) -> list[Result]:
    """Return what the judge says of an optimizer's runs on all processes."""
    candidate = ShardedTorchCandidate(TorchCandidate(cls, {}, None, None), group(layout))
    runs = [(PROBES[name], candidate.run(PROBES[name], "float32")) for name in names]
    return [judge(adam(), probe, "float32", run, flushes=False) for probe, run in runs]


def check_ours(layout: str, names: Sequence[str] = FEW) -> None:
    """Our backend, which steps DTensors as a tree of arrays."""
    candidate = OwnCandidate(TorchOnRanks("cpu", group(layout)), adam())
    for name in names:
        run = candidate.run(PROBES[name], "float32")
        result = judge(adam(), PROBES[name], "float32", run, flushes=False)
        assert result.status == ("skipped" if PROBES[name].groups else "passed"), (
            layout,
            name,
            result.reason,
        )


def check_right(cls: Any, layout: str, names: Sequence[str] = FEW) -> None:
    for result in results_of(cls, layout, names):
        assert result.status == "passed", (cls, layout, result.probe, result.reason, result.status)


def check_wrong(names: Sequence[str]) -> None:
    from sharded_torch import SHARDED

    for each in (SHARDED[name] for name in names):
        failed = [r for r in results_of(each.cls, each.layout) if r.status == "failed"]
        if dist.get_rank() == 0:
            assert failed, each.cls


@only_on(2)
def case_right_ones_conform(folder: Path) -> None:
    for layout in LAYOUTS:
        check_right(AdamW, layout)
    check_right(torch.optim.AdamW, "fsdp")
    check_right(AdamW, "zero", ["STEP.1/late-burst"])  # a state that is set, and a rank without parameters
    assert [found.status for found in results_of(AdamW, "zero", ["STEP.1/strided"])] == ["skipped"]


@only_on(2)
def case_our_backend_conforms(folder: Path) -> None:
    check_ours("fsdp")
    check_ours("2d")


@only_on(2)
def case_complex_numbers_and_parts_that_lie_otherwise(folder: Path) -> None:
    for layout in ("fsdp", "2d"):
        check_right(AdamW, layout, ODD)
        check_ours(layout, ODD)
    check_right(torch.optim.AdamW, "fsdp", ODD[1:])  # of complex numbers it steps none (findings)


@only_on(2)
def case_some_wrong_ones_are_killed(folder: Path) -> None:
    check_wrong(SOME)


@only_on(1, 4)
def case_right_ones_conform_on_other_numbers(folder: Path) -> None:
    from sharded_torch import SHARDED

    names = (*FEW, "STATE.4/uninterrupted", "STATE.4/resumed-apart", "F1/absent-middle", "STEP.2/closure")
    for cls in (AdamW, torch.optim.AdamW, *(each.cls for each in SHARDED.values() if each.says is None)):
        for layout in LAYOUTS:
            check_right(cls, layout, names)
    for layout in LAYOUTS:
        check_right(AdamW, layout, ODD if layout != "zero" else ODD[:1])
        check_ours(layout, (*names[:-1], *ODD))


@only_on(4)
def case_every_wrong_one_is_killed(folder: Path) -> None:
    from sharded_torch import SHARDED

    wrong = [name for name, each in SHARDED.items() if each.says is not None]
    assert len(wrong) >= 15
    check_wrong(wrong)

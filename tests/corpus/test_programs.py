"""Every program that a report shows runs, and prints the element that the finding shows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import score
from paths import ROOT
from register import ITEMS

from adamcore.conformance.checking.check import add_minimal_example
from adamcore.conformance.workers.pool import run_jobs

FEW = (
    "STEP.1/fingerprint", "BC.1/first-steps", "CPX.1/complex", "DEC.1/coupling", "EPS.1/beside-small-root",
    "F1/absent-first", "LR.1/odd-values", "MOM.1/common", "NF.1/nan", "STEP.1/long",
)  # fmt: skip

RUN = """
import contextlib, io, json, sys, traceback
for program in json.load(sys.stdin):
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(program, "program", "exec"), {"__name__": "__main__"})
        print(json.dumps(out.getvalue().split()[-4:]))
    except BaseException as error:
        print(json.dumps(["raised", traceback.format_exception_only(error)[-1].strip()]))
"""

score.load(score.files("numpy"))
PIECES = list(score.pieces([item for item in ITEMS.values() if item.kind == "wrong"]))
SAMPLE = ["ComplexConjugated", "EpsilonHat", "AbsentIsZero"]


def programs(piece: tuple[str, list[str]]) -> Iterator[tuple[str, str, str]]:
    """Yield target, program and the value that it should print, of those Adams that have a program."""
    for target in piece[1]:
        item = ITEMS[target]
        subject, entry = score.subject_and_entry(item, FEW)
        with np.errstate(all="ignore"):
            add_minimal_example(subject, entry, lambda job: run_jobs([job], 60.0, 1))
        for found in entry.findings:
            if found.repro and "\n" in found.repro:
                yield target, found.repro, found.repro.split("# ")[-2].split(":")[0]


def assert_all_run(piece: tuple[str, list[str]]) -> None:
    made = list(programs(piece))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN],
        input=json.dumps([program for _, program, _ in made]),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    failed = {target: line for (target, *_), line in zip(made, lines, strict=True) if line[0] != "got"}
    assert failed == {}
    shown = {
        target: (float.fromhex(line[1]), float(said))
        for (target, _, said), line in zip(made, lines, strict=True)
    }
    assert {
        t: both for t, both in shown.items() if both[0] != pytest.approx(both[1], rel=1e-8, nan_ok=True)
    } == {}


def test_a_sample_of_programs_runs() -> None:
    piece = "numpy", [t for t, item in ITEMS.items() if item.name in SAMPLE]
    assert len(list(programs(piece))) == len(SAMPLE)
    assert_all_run(piece)


@pytest.mark.slow
@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece[1][0].split(":")[1])
def test_every_program_runs(piece: tuple[str, list[str]]) -> None:
    assert_all_run(piece)


@pytest.mark.slow
@pytest.mark.parametrize("library", ["torch", "jax"])
def test_every_program_of_other_libraries_runs(library: str) -> None:
    pytest.importorskip(library)
    score.load(score.files(library))
    items = [item for item in ITEMS.values() if (item.library, item.kind) == (library, "wrong")]
    for piece in score.pieces(items):
        assert_all_run(piece)

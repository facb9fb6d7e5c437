"""Drivers that break the protocol, and how a target runs on one probe."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from adamcore.conformance.candidates.command import CommandCandidate
from adamcore.conformance.types import Probe, Run, Step
from adamcore.conformance.workers.pool import EndEvent, RunEvent, WorkerJob, run_jobs

FEW = (
    "STEP.1/fingerprint",
    "DEC.1/coupling",
    "F1/absent-middle",
    "DEC.2/lr-changed",
    "BC.1/t10",
    "STATE.4/*",
)


P, G = np.array([1.0, -2.0]), np.array([0.5, 0.25])


PROBE = Probe("X.1/x", "", (P,), (Step((G,)), Step((G,))), {"lr": 0.5, "b1": 0.5, "b2": 0.5, "eps": 0.1})


FAULTY = """
import json, os, sys, time
def say(text): print(text, flush=True)
START = {{"protocol": 1, "hyper": ["lr", "b1", "b2", "eps"], "dtypes": ["float32", "float64"], "can": []}}
P = {{"dtype": "float64", "shape": [2], "bits": "3ff0000000000000 3ff0000000000000"}}
for line in sys.stdin:
    message = json.loads(line)
    seq, cmd = message["seq"], message["cmd"]
    if cmd == {where!r}:
        {what}
    if cmd == "stop":
        break
    answer = {{"start": START, "init": {{}}, "step": {{"params": [P]}}}}[cmd]
    say(json.dumps({{"seq": seq}} | answer))
"""


def faulty(folder: Path, where: str, what: str) -> str:
    """A driver that does something of its own when it gets one message."""
    path = folder / "faulty.py"
    path.write_text(FAULTY.format(where=where, what=what))
    return f"cmd:{sys.executable} {path}"


def run(target: str, timeout: float = 60) -> tuple[list[Run], EndEvent]:
    *events, last = run_jobs([WorkerJob(target, "float64", [None], [PROBE], [(0, 0)])], timeout, 1)
    assert isinstance(last, EndEvent)
    return [event.run for event in events if isinstance(event, RunEvent)], last


def spoken(target: str, timeout: float = 8) -> Run:
    """The same in this process, which is quicker."""
    candidate = CommandCandidate(target.removeprefix("cmd:"), {}, timeout)
    try:
        done = candidate.run(PROBE, "float64")
        candidate.close()
    finally:
        candidate.driver.kill()
    return done

"""A candidate that does something odd in a worker process, and how its job is run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from adamcore.conformance.types import Probe, Step
from adamcore.conformance.workers.pool import (
    EndEvent,
    Event,
    WorkerJob,
    run_jobs,
)

FEW = ["STEP.1/fingerprint", "EPS.1/beside-small-root"]  #: probes of a check with few of them
P, G = np.array([1.0, -2.0]), np.array([0.5, 0.25])


PROBES = [
    Probe(f"X.1/{k}", "", (P,), (Step((G,)), Step((G,))), {"lr": 0.5, "b1": 0.5, "b2": 0.5, "eps": 0.1})
    for k in range(3)
]


CANDIDATE = """
import os, subprocess, sys, time
import numpy as np
{top}
class Candidate:
    {attributes}
    def init(self, params, hyper):
        self.p = params
    def step(self, grads):
        {step}
        return self.p
"""


def write(
    folder: Path,
    step: str = "pass",
    *,
    top: str = "",
    attributes: str = "dialect = 'paper'",
    name: str = "candidate",
) -> str:
    """Write a candidate that does ``step`` in every step, and return its target."""
    path = folder / f"{name}.py"
    path.write_text(CANDIDATE.format(step=step, top=top, attributes=attributes))
    return f"{path}:Candidate"


def job(target: str, dtype: str = "float32", *, shares: bool = False) -> WorkerJob:
    return WorkerJob(target, dtype, [None], PROBES, [(0, k) for k in range(len(PROBES))], shares=shares)


def run(target: str, timeout: float = 60) -> tuple[list[Event], EndEvent]:
    events = list(run_jobs([job(target)], timeout, 1))
    last = events[-1]
    assert isinstance(last, EndEvent)
    return events[:-1], last

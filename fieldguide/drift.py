"""How far an implementation drifts from the exact Adam in 10,000 steps of float32.

    python -m fieldguide.drift TARGET --axes JSON [--set NAME=VALUE ...]

writes a line of JSON for each length of the run.  The reference is the definition in float64 on the same
float32 gradients, with the axes of ``--axes``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.conformance.candidates import Candidate, judged_hyper
from adamcore.conformance.candidates.targets import load_candidates
from adamcore.conformance.claims import claim_from
from adamcore.conformance.oracle.model import FloatSlot
from adamcore.conformance.oracle.trajectory import simulate
from adamcore.conformance.settings import parse_assignments
from adamcore.conformance.types import Probe, Step

LENGTHS = (100, 1000, 10_000)  #: of the runs
QUICK = LENGTHS[:2]
SIZE = 64
HYPER = {"lr": 1e-3, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "weight_decay": 0.0}


def drift_probe(steps: int) -> Probe:
    """Return a run over random gradients, the same for every implementation.

    >>> probe = drift_probe(3)
    >>> len(probe.steps), probe.params[0].shape
    (3, (64,))
    """
    rng = np.random.default_rng(2)
    start = rng.standard_normal(SIZE, np.float32).astype(float)
    grads = rng.standard_normal((steps, SIZE), np.float32).astype(float)
    return Probe("DRIFT/random", "", (start,), tuple(Step((g,)) for g in grads), HYPER)


def errors(candidate: Candidate, axes: Mapping[str, Any], steps: int) -> dict[str, float]:
    """Return the error of each element after the last step, as quantiles in ULP of float32.

    Raises:
        RuntimeError: the candidate could not make the run.
    """
    probe, info = drift_probe(steps), candidate.info
    run = candidate.run(probe, "float32")
    if run.unsupported or run.error or len(run.params) != steps:
        raise RuntimeError(run.unsupported or run.error or f"made {len(run.params)} of {steps} steps")
    judged = replace(probe, hyper=judged_hyper(probe.hyper, info.lacks, info.fixed))
    exact = simulate(claim_from(dict(axes)), judged, FloatSlot).steps[-1][0][0]
    got = np.ravel(run.params[-1][0]).astype(float)
    lr = judged.hyper["lr"]
    unit = np.spacing(np.maximum(np.abs(exact), lr).astype(np.float32)).astype(float)
    median, most = np.quantile(np.abs(got - exact) / unit, [0.5, 1.0])
    return {"steps": steps, "median": float(median), "largest": float(most)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("target")
    parser.add_argument("--axes", default="{}", metavar="JSON", help="the axes of the reference")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--steps", type=int, action="append", metavar="N")
    options = parser.parse_args()
    settings = parse_assignments(options.set)
    [candidate] = load_candidates(options.target, [None], settings, None, timeout=3600.0)
    axes = {k: v for k, v in json.loads(options.axes).items() if hasattr(Adam(), k)}
    for steps in options.steps or LENGTHS:
        print(json.dumps(errors(candidate, axes, steps)), flush=True)


if __name__ == "__main__":
    main()

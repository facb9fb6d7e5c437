"""How far an implementation drifts from the exact Adam in 10,000 steps.

    python -m fieldguide.drift TARGET --axes JSON [--set NAME=VALUE ...]

makes one run and writes a line of JSON for its end and for two steps on the way.  The run is one of float32;
an implementation without float32 makes it in float64.  The reference has the axes of ``--axes``: beside
float32 it is the definition in float64, beside float64 the exact answer.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.conformance.candidates import Candidate, judged_hyper
from adamcore.conformance.candidates.targets import load_candidates
from adamcore.conformance.claims import claim_from
from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.oracle.model import FloatSlot
from adamcore.conformance.oracle.trajectory import simulate
from adamcore.conformance.settings import parse_assignments
from adamcore.conformance.types import FloatArray, Probe, Run, Step

LENGTHS = (100, 1000, 10_000)  #: the steps of which a run is told
QUICK = LENGTHS[:2]
SIZES = {"float32": 64, "float64": 8}  #: elements; an exact answer takes its time
HYPER = {"lr": 1e-3, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "weight_decay": 0.0}

Row = dict[str, Any]  #: a line of the output


def drift_probe(steps: int, size: int = SIZES["float32"]) -> Probe:
    """Return a run over random gradients, the same for every implementation.

    >>> probe = drift_probe(3)
    >>> len(probe.steps), probe.params[0].shape
    (3, (64,))
    """
    rng = np.random.default_rng(2)
    start = rng.standard_normal(size, np.float32).astype(float)
    grads = rng.standard_normal((steps, size), np.float32).astype(float)
    return Probe("DRIFT/random", "", (start,), tuple(Step((g,)) for g in grads), HYPER)


def drift(candidate: Candidate, axes: Mapping[str, Any], lengths: Sequence[int]) -> list[Row]:
    """Return the error of the elements after some steps, as quantiles in ULP.

    A run that ends early has rows for the steps that it made.

    Raises:
        RuntimeError: the candidate made none of these steps.
    """
    for dtype, size in SIZES.items():
        probe = drift_probe(max(lengths), size)
        run = candidate.run(probe, dtype)
        if run.params:
            break
    made = [steps for steps in sorted(lengths) if steps <= len(run.params)]
    if not made:
        raise RuntimeError(run.unsupported or run.error or f"made {len(run.params)} of {min(lengths)} steps")
    judged = replace(probe, hyper=judged_hyper(probe.hyper, candidate.info.lacks, candidate.info.fixed))
    errors = errors_in_float32 if dtype == "float32" else errors_in_float64
    return [
        {"steps": steps, "dtype": dtype, **quantiles(each)}
        for steps, each in zip(made, errors(run, claim_from(dict(axes)), judged, made), strict=True)
    ]


def errors_in_float32(run: Run, claim: Adam, probe: Probe, made: Sequence[int]) -> Iterator[FloatArray]:
    """Yield the errors in ULP after each number of steps, beside the definition in float64."""
    exact_steps = simulate(claim, probe, FloatSlot).steps
    for steps in made:
        want = exact_steps[steps - 1][0][0]
        yield (np.ravel(run.params[steps - 1][0]).astype(float) - want) / ulp(want, probe, np.float32)


def errors_in_float64(run: Run, claim: Adam, probe: Probe, made: Sequence[int]) -> Iterator[FloatArray]:
    """Yield the errors in ULP after each number of steps, beside the exact answer."""
    exact_steps = exact(claim, probe).steps
    for steps in made:
        want = exact_steps[steps - 1][0][0]
        yield want.error_of(np.ravel(run.params[steps - 1][0])) / ulp(want.high, probe, np.float64)


def ulp(want: FloatArray, probe: Probe, dtype: type[np.floating[Any]]) -> FloatArray:
    """Return the units in the last place of parameters; those near 0 have that of lr."""
    return np.spacing(np.maximum(np.abs(want), probe.hyper["lr"]).astype(dtype)).astype(float)


def quantiles(errors: FloatArray) -> dict[str, float]:
    median, most = np.quantile(np.abs(errors), [0.5, 1.0])
    return {"median": float(median), "largest": float(most)}


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
    for row in drift(candidate, axes, options.steps or LENGTHS):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()

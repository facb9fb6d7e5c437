"""What every experiment is made with: the hyperparameters, and the sizes of gradients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adamcore.conformance.types import Probe, Step

EXPERIMENT = "anatomy/"  #: the beginning of an experiment's name, where a probe's has its rule
TINY, LARGE = 2.0**-52, 2.0**40  #: gradients much smaller, and much larger, than eps
LEVERS = {"lr": 0.125, "b1": 0.8, "b2": 0.96, "eps": 1.0, "weight_decay": 0.0}


def experiment(
    name: str, about: str, params: Sequence[object], rows: Sequence[Sequence[object]], **levers: float
) -> Probe:
    """Return an experiment as a probe, from the gradients of each step."""
    steps = tuple(
        Step(tuple(None if g is None else np.asarray(g, dtype=np.float64) for g in row)) for row in rows
    )
    arrays = tuple(np.asarray(p, dtype=np.float64) for p in params)
    return Probe(f"{EXPERIMENT}{name}", about, arrays, steps, LEVERS | levers)

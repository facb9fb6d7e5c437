"""How near to its bound a program comes on a probe of one parameter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from adamcore import Adam
from adamcore.conformance.oracle.bounds import bounds
from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.types import FloatArray, Probe


def worst(adam: Adam, probe: Probe, dtype: str, run: Callable[[FloatArray], FloatArray]) -> float:
    """The largest error over its bound of ``run``, which maps a gradient to the next p."""
    largest = 0.0
    walk, limit = exact(adam, probe), bounds(adam, probe, dtype)
    for step, values, limits in zip(probe.steps, walk.steps, limit.steps, strict=True):
        assert step.grads[0] is not None
        error = np.abs(values[0][0].error_of(run(step.grads[0])))
        largest = max(largest, float(np.max(error / limits[0][0].p)))
    return largest

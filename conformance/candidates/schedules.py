"""Hyperparameters as functions of the number of updates, as optax takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adamcore.conformance.candidates.adapter.base import UnsupportedProbe, describe
from adamcore.conformance.types import Probe


def functions(probe: Probe, names: Mapping[str, str]) -> dict[str, Callable[[Any], Any]]:
    """Return the functions of a "scheduled" probe by their arguments.

    Args:
        probe: the probe as the candidate sees it.
        names: the argument of each hyperparameter that the candidate takes.

    Raises:
        UnsupportedProbe: the candidate has no argument for one that changes.
    """
    updates = [step for step in probe.steps if not step.found_inf]  # a step that is skipped is none
    rates = [step.lr for step in updates]
    decays = [(step.changes or {}).get("weight_decay") for step in updates]
    changes = {
        name: values
        for name, values in (("lr", rates), ("weight_decay", decays))
        if any(value is not None for value in values)
    }
    if missing := changes.keys() - names.keys():
        raise UnsupportedProbe(f"it has no argument for {', '.join(sorted(missing))}, which the probe sets")
    return {names[name]: function(probe.hyper[name], values) for name, values in changes.items()}


def function(value: float, changes: Sequence[float | None]) -> Callable[[Any], Any]:
    """Return the function of the number of updates, 0 at first, that has these changes in its steps.

    >>> import numpy as np
    >>> [float(function(0.5, (None, 0.25, None))(np.array(count))) for count in range(3)]
    [0.5, 0.25, 0.25]
    """
    import jax.numpy as jnp

    def at(count: Any) -> Any:
        now: Any = value
        for step, new in enumerate(changes):
            now = now if new is None else jnp.where(count >= step, new, now)
        return now

    return at


def refused(error: Exception) -> UnsupportedProbe:
    """Return what is said of a candidate that raises where it gets a function."""
    return UnsupportedProbe(f"it takes no function of the number of updates: {describe(error)}")

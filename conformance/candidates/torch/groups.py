"""Parameter groups: who comes to them later, and how a hyperparameter of one is set."""

from __future__ import annotations

from typing import Any

from adamcore.conformance.candidates.adapter.base import UnsupportedProbe
from adamcore.conformance.types import Probe


def waiting(probe: Probe) -> list[int]:
    """Return the numbers of the parameters that are added to the optimizer later; one is in it at first."""
    first = probe.steps[0].grads if probe.manner == "joining" else ()
    numbers = [i for i, g in enumerate(first) if g is None]
    return numbers if len(numbers) < len(first) else numbers[1:]


def set_number(group: dict[str, Any], name: str, value: Any, replaces: bool = False) -> None:
    """Set a hyperparameter of a group as PyTorch's schedulers do: one that is a tensor is written to.

    Args:
        group: the group.
        name: the name that the hyperparameter has in it.
        value: the new value.
        replaces: True if it takes the place of a tensor, as in a loop that assigns it.

    Raises:
        UnsupportedProbe: the group has no such hyperparameter.
    """
    if name not in group:
        raise UnsupportedProbe(f"its groups have no {name}")
    if hasattr(group[name], "fill_") and isinstance(value, int | float) and not replaces:
        group[name].fill_(value)
    else:
        group[name] = value

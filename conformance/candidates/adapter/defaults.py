"""The numbers that a constructor takes where it is given none, beside those of the dialect it is held to.

Probes give every hyperparameter, so no run shows a default.  Two Adams that are the same rule train apart if
one decays by 0.01 and the other by 1e-4 where nobody says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeGuard

from adamcore.conformance.types import Finding
from adamcore.dialects import Dialect


def is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def own_defaults(given: Mapping[str, object], names: Mapping[str, str]) -> dict[str, float]:
    """Return the default of each hyperparameter that has a number as its default.

    Args:
        given: the default of each argument of a constructor.
        names: the argument of each hyperparameter; "betas[0]" is the first half of a pair.

    >>> own_defaults({"betas": (0.9, 0.99), "eps": None}, {"b1": "betas[0]", "b2": "betas[1]", "eps": "eps"})
    {'b1': 0.9, 'b2': 0.99}
    """
    found = {}
    for ours, theirs in names.items():
        name, bracket, _ = theirs.partition("[")
        value = given.get(name)
        if bracket and isinstance(value, (tuple, list)) and len(value) == 2:
            value = value[ours == "b2"]
        if is_number(value):
            found[ours] = float(value)
    return found


def default_notes(defaults: Mapping[str, float], row: Dialect) -> list[Finding]:
    """Return a note if a candidate's defaults are other numbers than a dialect's; none if they are the same.

    >>> from adamcore.dialects import dialect
    >>> [note] = default_notes({"b1": 0.9, "eps": 1e-6}, dialect("torch.AdamW"))
    >>> note.observed
    'where nothing is given, eps is 1e-06'
    """
    usual = {name: row.default(name) for name in defaults if name in row.hyper}
    other = {name: x for name, x in usual.items() if x is not None and x != defaults[name]}
    if not other:
        return []
    expected = f"the defaults of {row.name}: {', '.join(f'{name}={x:g}' for name, x in other.items())}"
    observed = f"where nothing is given, {' and '.join(f'{name} is {defaults[name]:g}' for name in other)}"
    return [Finding("hyperparameters", "LR.3", expected, observed, "note")]

"""The names of hyperparameters in the groups of an optimizer of PyTorch, where its constructor has others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adamcore.conformance.candidates.adapter.arguments import PAIRS, SPELLINGS, Arguments


def in_groups(arguments: Arguments, group: Mapping[str, Any]) -> Arguments:
    """Return the arguments with the names by which a group keeps what they give.

    PyTorch takes the settings of a group by its keys.  A constructor with ``beta1`` and ``wd`` may keep them
    as ``betas`` and ``weight_decay``.  What no group keeps has the constructor's name still.

    >>> arguments = Arguments({"lr": "lr", "b1": "beta1", "b2": "beta2", "weight_decay": "wd"}, {}, (), {})
    >>> dict(in_groups(arguments, {"lr": 0.1, "betas": (0.9, 0.99), "weight_decay": 0.0}).names)
    {'lr': 'lr', 'b1': 'betas[0]', 'b2': 'betas[1]', 'weight_decay': 'weight_decay'}
    """
    return replace(arguments, names={o: name_in(group, o, name) for o, name in arguments.names.items()})


def name_in(group: Mapping[str, Any], ours: str, name: str) -> str:
    """Return the name of one hyperparameter in a group: the constructor's, or else another spelling."""
    if name.partition("[")[0] in group:
        return name
    halves = {"b1": "[0]", "b2": "[1]"}
    pairs = [f"{pair}{halves[ours]}" for pair in PAIRS] if ours in halves else []
    spelled = [*SPELLINGS.get(ours, ()), *pairs]
    return next((other for other in spelled if other.partition("[")[0] in group), name)

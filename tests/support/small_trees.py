"""Small trees for the tests of the core, and two leaves after two steps on each kind of Adam."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adamcore import Adam, AdamState

KINDS: list[dict[str, Any]] = [
    {},
    {"weight_decay": 0.3},
    {"weight_decay": 0.3, "decay": "decoupled", "decay_order": "after"},
    {"weight_decay": 0.3, "decay": "decoupled", "cautious_decay": True},
    {"amsgrad": "uncorrected", "nesterov": "dozat"},
    {"amsgrad": "corrected", "nesterov": "optax", "weight_decay": 0.3, "decay": "decoupled-unscaled"},
]
KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: ",".join(map(str, kind.values())) or "plain")


def started(lib: Any, opt: Adam) -> tuple[dict[str, Any], AdamState]:
    """Return two leaves, b and c, and their state after two steps: every part of the state is there."""
    params: Any = {"b": lib([1.0, -2.0]), "c": lib([3.0, 4.0])}
    state = opt.init(params)
    for k in (1.0, 2.0):
        params, state = opt.step(params, {"b": lib([k, 1.0]), "c": lib([1.0, -k])}, state)
    return params, state


def bits(lib: Any, params: Any, state: AdamState, leaf: str, clock: bool = True) -> list[bytes]:
    """Return the bits of a leaf's parameter and state, with those of its clock or without."""
    parts = [params, state.m, state.v, *([state.v_max] if state.v_max is not None else [])]
    if clock:
        parts += [state.t, *([state.mu_product] if state.mu_product is not None else [])]
    return [lib.bits(part[leaf]) for part in parts]


def layered() -> dict[str, Any]:
    """Parameters, or gradients, in nested dictionaries."""
    return {"layer": {"w": np.ones((2, 3)), "b": np.ones(2)}, "x": np.ones(3)}

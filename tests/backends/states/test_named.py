"""The canonical form: from the core's own state and back, and under other names."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from state_samples import made

from adamcore.backends.states.adam import to_adam
from adamcore.backends.states.layouts import to_flat
from adamcore.backends.states.named import dotted
from adamcore.errors import CheckpointError


def test_renaming_and_transposing() -> None:
    state = made()
    moved = state.renamed({"dense/kernel": {"from": "a.w", "axes": [1, 0]}, "bias": "b"})
    assert (moved.leaves["dense/kernel"].m == state.leaves["a.w"].m.T).all()
    with pytest.raises(CheckpointError, match="'c', which is not there"):
        state.renamed({"x": "c"})
    with pytest.raises(CheckpointError, match="no name is given for 'b'"):
        state.renamed({"x": "a.w"})
    assert dotted("['a']['b'].value") == "a.b.value"


def test_what_single_parameters_have_is_left_out_with_a_warning() -> None:
    """A group without weight decay: a mask of optax makes that difference, and no state."""
    state = made()
    state = replace(state, adam=replace(state.adam, weight_decay=0.1), special={"b": {"weight_decay": 0.0}})
    with pytest.warns(UserWarning, match=r"left out: weight_decay of 'b', .*mlx has no place.*mask") as seen:
        to_flat(state, "mlx")
    assert seen[0].filename == __file__
    with pytest.warns(UserWarning, match="left out: weight_decay of 'b'"):
        to_adam(state, state.adam, {"a": {"w": np.zeros((2, 3), "float32")}, "b": np.zeros((), "float32")})
    with warnings.catch_warnings(action="error"):
        state.warn_of_own("Keras' optimizer", {"b": {"weight_decay": 0.0}})  # it has the same
        replace(state, special={"b": {"weight_decay": 0.1}}).warn_of_own("mlx")  # what all have

"""The canonical form: from the core's own state and back, and under other names."""

from __future__ import annotations

import numpy as np
import pytest
from state_samples import made

from adamcore import Adam
from adamcore.backends import states
from adamcore.backends.states.named import dotted
from adamcore.errors import CheckpointError


def test_core_state_there_and_back() -> None:
    for adam in (Adam(), Adam(clock="global"), Adam(amsgrad="corrected"), Adam(nesterov="dozat")):
        params = {"a": [np.ones(2), None], "b": np.ones((), "float32")}
        state = adam.init(params)
        params, state = adam.step(params, {"a": [np.ones(2), None], "b": np.ones((), "float32")}, state)
        named = states.from_adam(adam, state)
        assert list(named.leaves) == ["a.0", "b"]
        back = states.to_adam(named, adam, params)
        one, other = (adam.step(params, params, s)[0] for s in (state, back))
        assert one["b"] == other["b"]
        assert (one["a"][0] == other["a"][0]).all()


def test_renaming_and_transposing() -> None:
    state = made()
    moved = state.renamed({"dense/kernel": {"from": "a.w", "axes": [1, 0]}, "bias": "b"})
    assert (moved.leaves["dense/kernel"].m == state.leaves["a.w"].m.T).all()
    with pytest.raises(CheckpointError, match="'c', which is not there"):
        state.renamed({"x": "c"})
    with pytest.raises(CheckpointError, match="no name is given for 'b'"):
        state.renamed({"x": "a.w"})
    assert dotted("['a']['b'].value") == "a.b.value"

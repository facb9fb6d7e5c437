"""The state of adamcore.Adam itself, by name and back."""

from __future__ import annotations

import numpy as np

from adamcore import Adam
from adamcore.backends import states


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

"""The state of adamcore.Adam itself, by name and back."""

from __future__ import annotations

import numpy as np
import pytest
from narrow_arrays import as_float64, narrow_array

from adamcore import Adam
from adamcore.backends import states
from adamcore.errors import ConversionError


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


def named_state(v: float) -> states.NamedState:
    m = np.full(2, 0.5, dtype=np.float32)
    return states.NamedState(Adam(), {"w": states.Moments(3, m, np.full(2, v, dtype=np.float32))})


@pytest.mark.parametrize(
    ("library", "dtype"), [("numpy", "float16"), ("torch", "bfloat16"), ("jax", "float16")]
)
def test_no_moment_is_rounded_unasked(library: str, dtype: str) -> None:
    """MOM.4: a v of 1e-8 is 0 in float16."""
    params = {"w": narrow_array(library, np.ones(2), dtype)}
    with pytest.raises(
        ConversionError, match=rf"v of w is float32 in the state and \S*{dtype} where it goes"
    ):
        states.to_adam(named_state(1e-8), Adam(), params)
    rounded = narrow_array(library, np.full(2, np.float32(1e-8)), dtype)
    for adam, options in ((Adam(), {"narrow": True}), (Adam(v_dtype=dtype), {})):
        state = states.to_adam(named_state(1e-8), adam, params, **options)
        assert (as_float64(state.v["w"]) == as_float64(rounded)).all()
    assert states.to_adam(named_state(0.25), Adam(), params).v["w"].dtype == params["w"].dtype
    wide = states.to_adam(named_state(1e-8), Adam(moment_dtype="float32"), params)
    assert (as_float64(wide.v["w"]) == np.float32(1e-8)).all()

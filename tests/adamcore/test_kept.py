"""Which parts a state has beside the moments, and what they have to be."""

from __future__ import annotations

import numpy as np
import pytest

from adamcore import Adam
from adamcore.errors import StateError
from adamcore.kept import PARTS, parts_of


@pytest.mark.parametrize(("adam", "parts"), [
    (Adam(), set()),
    (Adam(p_storage="stochastic"), set()),
    (Adam(p_storage="split"), {"p_rest"}),
    (Adam(m_storage="companded8", amsgrad="uncorrected"), {"m_scale"}),
    (Adam(v_storage="companded8"), {"v_scale"}),
    (Adam(v_storage="companded8", amsgrad="uncorrected"), {"v_scale", "v_max_scale"}),
])  # fmt: skip
def test_a_state_has_the_parts_of_its_storage(adam: Adam, parts: set[str]) -> None:
    assert {name for name, (_, there) in parts_of(adam).items() if there} == parts
    state = adam.init([np.ones(3, np.float16)])
    assert {name for name in PARTS if getattr(state, name) is not None} == parts


def test_a_leaf_without_a_parameter_has_no_part() -> None:
    adam = Adam(m_storage="companded8")
    params = [None, np.ones(3, np.float32)]
    state = adam.init(params)
    assert state.m_scale[0] is None
    _, after = adam.step(params, [None, params[1]], state)
    assert after.m_scale[0] is None
    with pytest.raises(StateError, match=r"state.m_scale\[0\] is ndarray: expected None"):
        adam.step(params, [None, params[1]], state._replace(m_scale=[np.zeros(1, np.int16)] * 2))
    with pytest.raises(StateError, match=r"state.m_scale\[1\] is None: expected an array"):
        adam.step(params, [None, params[1]], state._replace(m_scale=[None, None]))

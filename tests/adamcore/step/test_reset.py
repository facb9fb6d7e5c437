"""States put back at their start (F4), on every library."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_trees import KIND, bits, started

from adamcore import Adam
from adamcore.errors import MaskError, StateError

A = np.ones(3)


@KIND
def test_f4_reset(lib: Any, kind: dict[str, Any]) -> None:
    opt = Adam(lr=0.1, **kind)
    params, state = started(lib, opt)
    fresh, new = opt.init(params), opt.reset(state, {"b": False, "c": True})
    assert bits(lib, params, new, "c") == bits(lib, params, fresh, "c")
    assert bits(lib, params, new, "b") == bits(lib, params, state, "b")
    whole = opt.reset(state)
    assert [bits(lib, params, whole, k) for k in "bc"] == [bits(lib, params, fresh, k) for k in "bc"]
    kept = opt.reset(state, {"b": False, "c": lib(True, "bool")}, clock="keep")
    assert int(kept.t["c"]) == 2
    assert not lib.numpy(kept.m["c"]).any()
    assert lib.numpy(state.m["c"]).any()  # the old state is as it was


def test_f4_a_part_under_a_global_clock(lib: Any) -> None:
    opt = Adam(clock="global")
    _, state = started(lib, opt)
    with pytest.raises(StateError, match="clock='keep'"):
        opt.reset(state, {"b": False, "c": True})
    kept = opt.reset(state, {"b": False, "c": True}, clock="keep")
    assert int(kept.t) == 2
    assert not lib.numpy(kept.m["c"]).any()
    assert int(opt.reset(state).t) == int(opt.reset(state, {"b": True, "c": True}).t) == 0


def test_refused() -> None:
    state = Adam().init([A])
    with pytest.raises(MaskError, match=r"which\[0\] is an array of bool and shape \(3,\)"):
        Adam().reset(state, [A > 0])
    with pytest.raises(MaskError, match="which has no leaf"):
        Adam().reset(state, [])
    with pytest.raises(StateError, match="clock='later'"):
        Adam().reset(state, clock="later")  # type: ignore[arg-type]

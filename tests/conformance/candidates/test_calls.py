"""What a kernel is given, argument by argument."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from adamcore.conformance.candidates.calls import TRIED, Convention, Request, Settings
from adamcore.conformance.candidates.own import library_for
from adamcore.conformance.candidates.signatures import read_signature

P = np.array([1.0, 2.0], dtype=np.float32)


def given(function: Any, request: Request, updates: int = 0, **how: Any) -> dict[str, Any]:
    """The arguments of a call by name; ``function`` returns its ``locals()``."""
    library = library_for("numpy")
    assert library is not None
    seen: dict[str, Any] = {}

    def spy(*args: Any, **kwargs: Any) -> None:
        seen.update(function(*args, **kwargs))

    convention = Convention(spy, read_signature(function, {}, required=()), library, **how)
    slot = convention.slot(P.copy(), t=updates)
    convention.step([slot], [P], request)
    seen["updates"] = slot.updates
    return seen


def corrections(
    p: Any, g: Any, m: Any, v: Any, bc1: float, bias_correction2_sqrt: float, n: int, beta2_power: float
) -> Any:
    return locals()


def scaled(p: Any, g: Any, m: Any, v: Any, t: int, grad_scale: Any = None, found_inf: Any = None) -> Any:
    return locals()


def needs_scale(p: Any, g: Any, m: Any, v: Any, inv_scale: float, noop_flag: float) -> Any:
    return locals()


def of_lists(
    params: Any,
    grads: Any,
    exp_avgs: Any,
    exp_avg_sqs: Any,
    max_exp_avg_sqs: Any,
    state_steps: Any,
    *,
    amsgrad: bool,
) -> Any:
    return locals()


def test_corrections_are_those_of_the_update_that_is_made() -> None:
    seen = given(corrections, Request(TRIED), updates=2)
    assert seen["bc1"] == 1 - 0.5**3
    assert seen["bias_correction2_sqrt"] == math.sqrt(1 - 0.75**3)
    assert (seen["beta2_power"], seen["n"], seen["updates"]) == (0.75**3, 2, 3)


def test_a_scale_and_a_flag_are_left_out_where_there_are_none() -> None:
    assert given(scaled, Request(TRIED))["grad_scale"] is None
    seen = given(scaled, Request(TRIED, scale=4.0))
    assert (seen["t"], seen["grad_scale"], seen["found_inf"], seen["updates"]) == (1, 4.0, 0.0, 1)
    seen = given(scaled, Request(TRIED, found_inf=True))
    assert (seen["grad_scale"], seen["found_inf"], seen["updates"]) == (None, 1.0, 0)
    seen = given(needs_scale, Request(TRIED))
    assert (seen["inv_scale"], seen["noop_flag"]) == (1.0, 0.0)
    assert given(needs_scale, Request(TRIED, scale=4.0))["inv_scale"] == 0.25


def test_lists_get_arrays_of_clocks_and_no_maximum_without_amsgrad() -> None:
    seen = given(of_lists, Request(TRIED), clock="array")
    assert seen["max_exp_avg_sqs"] == []
    assert [float(t) for t in seen["state_steps"]] == [1.0]
    assert seen["state_steps"][0].dtype == np.float32


def test_settings_keep_what_was_read() -> None:
    read: set[str] = set()
    h = Settings({"lr": 0.5, "b1": 0.25}, read)
    assert (h.lr, read) == (0.5, {"lr"})
    with pytest.raises(AttributeError, match="no setting 'momentum'; there are lr, b1"):
        _ = h.momentum

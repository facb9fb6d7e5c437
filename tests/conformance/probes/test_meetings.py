"""Things that meet: candidates that get each of two things right alone, and both together wrong."""

from __future__ import annotations

import numpy as np
import pytest
from array_adam import Good, judged
from meeting_adams import LateRate, ScalarsForgotten

from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.factors import factors_of
from adamcore.conformance.probes.meetings import PARAMS

MEETINGS = [name for name in PROBES if name.endswith("/meetings")]
TAKEN = [name for name in MEETINGS if not PROBES[name].is_scaled and not PROBES[name].is_complex]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", TAKEN)
def test_a_good_candidate_passes(name: str, dtype: str) -> None:
    assert judged(Good, name, dtype)[2].status == "passed"


@pytest.mark.parametrize(
    ("cls", "apart", "together"),
    [
        (LateRate, ("F1/absent-middle", "F1/absent-alternating", "LR.1/every-array"), "F1/meetings"),
        (ScalarsForgotten, ("STATE.4/resumed", "STATE.4/resumed-many", "STEP.1/shapes"), "STATE.4/meetings"),
    ],
)
def test_what_is_wrong_together_is_right_apart(cls: type, apart: tuple[str, ...], together: str) -> None:
    assert [judged(cls, name)[2].status for name in apart] == ["passed"] * len(apart)
    assert judged(cls, together)[2].status == "failed"


def test_each_has_several_things() -> None:
    assert all(len(factors_of(PROBES[name])) > 3 for name in MEETINGS)


def test_two_arrays_begin_equal() -> None:
    np.testing.assert_array_equal(PARAMS[0], PARAMS[2])

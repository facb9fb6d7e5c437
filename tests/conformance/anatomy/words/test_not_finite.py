"""Words on parameters that become NaN or infinite."""

from __future__ import annotations

import numpy as np
from measured_adams import Parts, assert_found, whole_anatomy

from adamcore.conformance.anatomy.words.findings import first_finding
from adamcore.conformance.types import FloatArray


class CorrectsBehind(Parts):
    """The clock is raised behind the step, so that both corrections are 0 in the first one."""

    def correction(self, t: int) -> tuple[float, float]:
        return super().correction(t - 1)

    def one(self, i: int, g: FloatArray) -> None:
        with np.errstate(all="ignore"):
            super().one(i, g)


def test_a_correction_of_0_where_no_state_can_be_given() -> None:
    text = "also where both betas are 0, as a correction of 0 does"
    assert_found(first_finding(whole_anatomy(CorrectsBehind)), "bias_correction", "BC.1", text)

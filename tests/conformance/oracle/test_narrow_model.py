"""The model of 16 bits says which number a right candidate stores, and which one a wrong one does."""

from __future__ import annotations

from typing import Any

import pytest

from adamcore import Adam
from adamcore.conformance.candidates.array import ArrayCandidate
from adamcore.conformance.oracle.narrow_model import NarrowFault, agreement
from adamcore.conformance.probes import PROBES
from adamcore.conformance.verdict.narrow_faults import narrow_faults
from adamcore.conformance.verdict.rests import has_rests, values_of

NAMES = ("STEP.1/fingerprint", "MOM.1/common", "DEC.5/order", "NUM.4/decimals")
RIGHT = NarrowFault("", "", "", "")


def shares(made: Any, how: NarrowFault, **storage: Any) -> list[float]:
    """Return which part of the elements of each probe a model is right of."""
    pytest.importorskip("ml_dtypes")
    claim = Adam(decay="decoupled", **storage)
    found = []
    for name in NAMES:
        run = ArrayCandidate(made, {}).run(PROBES[name], "bfloat16")
        values = values_of(claim.p_storage, run, "bfloat16") if has_rests(run) else run.params
        found.append(agreement(claim, how, PROBES[name], "bfloat16", values, values))
    return found


@pytest.mark.parametrize("policy", ["Sixteen", "Master", "Split", "Split8", "Kahan"])
def test_a_right_candidate_stores_what_the_model_stores(policy: str) -> None:
    import sixteen

    made = getattr(sixteen, policy)
    assert min(shares(made, RIGHT, **made.options)) >= 0.95


def test_a_fault_is_told_from_the_others() -> None:
    import low_precision_wrong as wrong

    faults = {how.observed: how for how in narrow_faults(Adam(decay="decoupled"), "bfloat16")}
    known = {
        wrong.ParameterCutOff: "p is cut off to bfloat16, towards 0",
        wrong.MomentsCutOff: "moments are cut off to bfloat16",
        wrong.BetasIn16: "b1 and b2 are rounded to bfloat16",
    }
    for made, observed in known.items():
        assert min(shares(made, faults[observed])[3:]) >= 0.95, observed
        assert min(shares(made, RIGHT)) < 0.95
        for other in known.values():
            assert other == observed or min(shares(made, faults[other])) < 0.95


def test_a_fault_without_meaning_explains_nothing() -> None:
    import sixteen

    [decay] = [h for h in narrow_faults(Adam(), "bfloat16") if h.observed.startswith("p decays by a factor")]
    assert shares(sixteen.Sixteen, decay, nesterov="none")[0] < 1.0

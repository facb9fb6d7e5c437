"""The known faults of 16 bits: each has words and a rule, and roundings are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.dtypes import round_to
from adamcore.conformance.rules import SAYS
from adamcore.conformance.verdict.narrow_faults import RULE_OF_POLICY, cut_off, cut_value, narrow_faults
from adamcore.storage.policies import P_STORAGES


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("policy", P_STORAGES)
def test_each_fault_has_a_rule_and_words_of_its_own(policy: str, dtype: str) -> None:
    faults = narrow_faults(Adam(p_storage=policy), dtype)  # type: ignore[arg-type]
    own = [fault.observed for fault in faults if fault.area != "loss_scale"]
    assert len(set(own)) == len(own)
    assert {fault.rule for fault in faults} <= set(SAYS)
    assert all(fault.expected and fault.area for fault in faults)
    rules = {fault.rule for fault in faults if fault.area == "storage"}
    assert rules == ({RULE_OF_POLICY[policy]} if policy != "plain" else set())


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_what_is_cut_off_is_never_larger(dtype: str) -> None:
    x = np.random.default_rng(3).standard_normal(500) * 10.0 ** np.arange(-6, 4).repeat(50)
    cut = cut_off(x, dtype)
    assert (np.abs(cut) <= np.abs(x)).all()
    assert (round_to(cut, dtype) == cut).all()
    assert ((cut == round_to(x, dtype)) | (np.abs(round_to(x, dtype)) > np.abs(x))).all()


def test_a_value_of_16_digits() -> None:
    x = np.array([1.0 + 2.0**-15 + 2.0**-16, -3.0])
    assert cut_value("split8", x).tolist() == [1.0 + 2.0**-15, -3.0]

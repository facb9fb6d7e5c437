"""The answers of the oracle: what is on file, bounds rounded upwards, a vector as a probe."""

from __future__ import annotations

import pytest
from vector_files import content, torch_adamw

from adamcore.conformance.vectors import files
from adamcore.conformance.vectors.answers import claim_of_json, probe_of, round_up
from adamcore.conformance.vectors.cases import values
from adamcore.conformance.verdict.judge import judge


@pytest.mark.parametrize("claim", ["paper.AMSGrad", "torch.NAdam"])
def test_files_are_what_the_oracle_says(claim: str) -> None:
    for name, text in files.generate(only=[claim]).items():
        assert (files.SHIPPED / name).read_bytes() == text.encode()


def test_bounds_are_rounded_upwards() -> None:
    assert round_up(0.0) == 0.0
    for x in (1.0, 1.001, 2.0**-30, 3.14159e-300):
        assert x <= round_up(x) <= 1.0100001 * x


def test_a_vector_can_be_judged_like_a_probe() -> None:
    whole = content("torch.AdamW.json")
    v = next(v for v in whole["vectors"] if v["id"] == "BC.2/t1e6/float32")
    result = judge(claim_of_json(whole["axes"]), probe_of(v, values), "float32", torch_adamw(v))
    assert result.status == "passed"

"""The workloads: what a run times."""

from __future__ import annotations

from adamcore.conformance.bench.workloads import SMALL, USUAL, WORKLOADS, elements, gpt2


def test_gpt2_has_its_published_size() -> None:
    assert elements(gpt2(768, 12, 50257, 1024)) == 124_439_808
    assert len(WORKLOADS["gpt2"]) == 4 + 12 * 12


def test_the_small_run_has_all_but_the_large_model() -> None:
    assert set(USUAL) - set(SMALL) == {"gpt2"}
    assert {*USUAL, *SMALL} == set(WORKLOADS)

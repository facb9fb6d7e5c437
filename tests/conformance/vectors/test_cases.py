"""A case has what its vector has of one parameter."""

from __future__ import annotations

import numpy as np

from adamcore.conformance.vectors.cases import STATE, cases, values
from adamcore.conformance.vectors.languages import select_vectors


def test_a_vector_has_a_case_for_each_parameter() -> None:
    for vector in select_vectors("torch.Adam", "float32")["vectors"]:
        found = list(cases(vector))
        assert [case.parameter for case in found] == list(range(len(vector["params"])))
        for case in found:
            sizes = {name: len(packed.split()) for name, packed in case.numbers.items()}
            assert sizes["p0"] == sizes["v_max0"] == case.size
            assert {sizes[name] for name in ("g", "p", "m", "v")} == {case.size * case.steps}
            assert len(case.lr) == len(case.t) == len(case.present) == case.steps


def test_an_absent_gradient_is_zeros_that_are_not_present() -> None:
    found = [
        (case, step)
        for vector in select_vectors("torch.AdamW", "float32")["vectors"]
        for case in cases(vector)
        for step, there in enumerate(case.present)
        if not there
    ]
    assert found
    for case, step in found:
        at = slice(step * case.size, (step + 1) * case.size)
        assert not np.any(values(case.numbers["g"], "float32")[at])


def test_a_maximum_is_there_where_it_is_kept() -> None:
    [kept, *_] = cases(select_vectors("optax.amsgrad", "float32")["vectors"][0])
    [not_kept, *_] = cases(select_vectors("torch.AdamW", "float32")["vectors"][0])
    assert set(kept.bounds) == set(STATE)
    assert set(not_kept.bounds) == set(STATE) - {"v_max"}

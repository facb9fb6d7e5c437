"""Examples that the fast paths do not support: each framework gives its reasons."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from adamcore.conformance.bench import contenders, coverage
from adamcore.registry import backend_for


def test_what_is_not_served_is_asked_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contenders, "is_available", lambda framework: framework == "torch")
    monkeypatch.setattr(coverage, "is_available", lambda framework: framework == "torch")
    assert list(coverage.unsupported_examples()) == ["torch"]
    assert "every second" in coverage.unsupported_examples()["torch"]


def test_the_price_is_the_time_of_a_step_over_that_of_a_vector_of_as_many_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = {True: 3.0, False: 0.5}
    made: list[tuple[int, int]] = []

    def step_of(make: Any, mask: bool) -> Any:
        x = make()
        made.append((x.nbytes, x.strides[0]))
        return mask or x.strides[0] > x.itemsize

    monkeypatch.setattr(coverage, "step_of", step_of)
    monkeypatch.setattr(coverage, "seconds_of", taken.__getitem__)
    found = coverage.prices({"numpy": {"every second": "", "a mask": ""}, "torch": {}})
    assert found == {"numpy": {"every second": 6.0, "a mask": 6.0}, "torch": {}}
    size = coverage.ELEMENTS * 4
    assert made == [(size, 16), (size, 4), (size, 4), (size, 4)]


@pytest.mark.parametrize("framework", ["numpy", "torch"])
def test_what_is_timed_is_a_donated_step_of_the_example(framework: str) -> None:
    p = coverage.array_of(framework, np.arange(8.0)[::2])
    given: list[Any] = []

    def make() -> Any:
        given.append(p + 0)
        return given[-1]

    step = coverage.step_of(make, mask=True)
    before = [float(x) for x in given[0]]
    step()
    assert len(given) == 2
    assert [float(x) for x in given[0]] != before


def test_the_backend_is_left_as_it_was() -> None:
    p = np.arange(4.0)
    before = type(backend_for(p))
    [job] = coverage.jobs_of(p, mask=False)
    assert job.p is p
    assert type(backend_for(p)) is before

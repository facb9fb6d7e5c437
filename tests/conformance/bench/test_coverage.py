"""Examples that the fast paths do not support: each framework gives its reasons."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from adamcore.conformance.bench import contenders, coverage
from adamcore.registry import backend_for


def test_what_is_not_served_is_asked_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contenders, "is_available", lambda framework: framework == "torch")
    monkeypatch.setattr(coverage, "is_available", lambda framework: framework == "torch")
    assert list(coverage.unsupported_examples()) == ["torch"]
    assert "every second" in coverage.unsupported_examples()["torch"]


def test_the_backend_is_left_as_it_was() -> None:
    import numpy as np

    p = np.arange(4.0)
    before = type(backend_for(p))
    [job] = coverage.jobs_of(p, mask=False)
    assert job.p is p
    assert type(backend_for(p)) is before

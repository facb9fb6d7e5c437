"""A run as text: every figure with its unit, nothing where there is no figure."""

from __future__ import annotations

from typing import Any

import pytest

from adamcore.conformance.bench import text

ROW: dict[str, Any] = {
    "framework": "numpy", "work": "100", "situation": "training", "name": "adamcore",
    "ours": True, "baseline": False, "rounds": 5,
    "seconds": 4.2e-6, "quartiles": [4e-6, 5e-6], "ratio": 0.25, "ratio_quartiles": [0.2, 0.3],
    "of_floor": 1.5, "first": 0.0, "extra_bytes": None, "bytes": 2800, "passes": None, "compilations": 1,
}  # fmt: skip


def test_cells_follow_the_heads() -> None:
    [(title, [cells])] = text.tables({"rows": [ROW]})
    assert title == "100, training"
    figures = dict(zip(text.HEAD, cells, strict=True))
    assert figures == {
        "": "numpy: adamcore",
        "time": "4.2 us",
        "ratio": "0.25",
        "quartiles": "0.20-0.30",
        "of traffic": "1.50",
        "extra": "",
        "moved": "28",
        "passes": "",
        "first": "",
        "compiled": "1",
    }


@pytest.mark.parametrize(("load", "words"), [(None, "2 cores;"), (0.5, "2 cores, load 0.5 before the run;")])
def test_environment_in_one_line(load: float | None, words: str) -> None:
    environment = {
        "processor": "CPU",
        "cores": 2,
        "load": load,
        "system": "Linux",
        "python": "3.11",
        "packages": {"numpy": "2.0", "jax": None},
        "date": "2026-01-01",
    }
    line = text.environment_text({"environment": environment})
    assert words in line
    assert line.endswith("numpy 2.0; 2026-01-01")


def test_frameworks_without_unsupported_examples_have_no_line() -> None:
    document = {"unserved": {"numpy": {"complex64": "it is complex"}, "torch": {}}}
    assert text.unsupported_lines(document) == ["numpy: complex64 (it is complex)"]


def test_what_is_not_supported_has_its_price() -> None:
    document = {"unserved": {"numpy": {"x": "why"}}, "prices": {"numpy": {"x": 12.345}}}
    assert text.unsupported_lines(document) == ["numpy: x (why, 12.3 times)"]


def test_the_row_of_a_candidate_has_bandwidth_and_share() -> None:
    cells = text.target_cells({**ROW, "seconds": 1e-6, "of_floor": 4.0})
    assert dict(zip(text.TARGET_HEAD, cells, strict=True)) == {
        "": "100", "time": "1 us", "GB/s": "2.8", "of a copy": "0.25", "first": "0 us", "compiled": "1",
    }  # fmt: skip

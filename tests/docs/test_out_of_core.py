"""docs/out-of-core.md: its links lead somewhere, and the ceiling's numbers are those of the code."""

from __future__ import annotations

import json
from typing import Any

from docs_pages import lost_links
from paths import ROOT

from adamcore.backends.files.batches import LARGEST, SETS, budget

PAGE = ROOT / "docs" / "out-of-core.md"


def test_its_links_lead_somewhere() -> None:
    assert lost_links(PAGE) == []


def test_the_ceiling() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert "Three sets of buffers take three quarters of the ceiling" in text
    assert SETS == 3
    assert budget(1 << 24).buffer == 3 * (1 << 24) // 4 // 3
    assert f"A set has at most {LARGEST >> 20} MiB" in text


def stored(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "docs" / "results" / name).read_text(encoding="utf-8"))
    return found


def test_the_figures_are_those_of_the_stored_runs() -> None:
    run, dask = stored("out-of-core.json"), stored("out-of-core-dask.json")
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert f"moved {run['step_gb_s']:.2f} GB/s in a step and {run['files_gb_s']:.2f} GB/s without" in text
    assert f"is {run['ratio']:.2f}, and {run['ratio_of_processor_time']:.2f} in processor time" in text
    for name, said in (
        ("tasks", "gradients in files"),
        ("chunks", "computed from the parameters as arrays of Dask's"),
        ("lazy", "read from files of NumPy and stored in others"),
        ("plain", "the same files read and stored, no step"),
    ):
        wall, processor = (dask[f"{name}_to_run{end}"] for end in ("", "_of_processor_time"))
        assert f"{said} | {wall:.2f} | {processor:.2f} |" in text
    assert f"Lazy arrays take {dask['lazy_to_plain']:.2f} of the time of Dask alone" in text
    assert f"steps of {dask['elements'] / 1e6:.0f} million elements" in text
    assert run["ceiling"] == dask["ceiling"] == 512 << 20
    assert 8 * run["elements"] >= 3.99e9  # the moments alone
    assert run["ratio"] >= 0.7
    assert dask["tasks_to_run"] <= 1.3
    assert dask["plain_to_run"] > 1.3  # and lazy arrays do not take less

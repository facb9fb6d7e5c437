"""docs/performance.md has the figures of the stored runs, and its claim on drift holds."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest
from paths import ROOT

pytest.importorskip("numpy")


def loaded(name: str) -> ModuleType:
    """A script of benchmarks/."""
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_that_of_the_stored_runs() -> None:
    import performance_page

    assert performance_page.PAGE.read_text(encoding="utf-8") == performance_page.page(), "make performance"


def test_the_times_by_dtype_have_a_row_for_each_and_theirs_beside_it() -> None:
    pytest.importorskip("torch")
    narrow = loaded("narrow")
    seen = {}
    for group in narrow.OURS:
        found = narrow.rows("100", group, rounds=1)
        theirs = {row["p"]: row for row in found if row["whose"] == "torch"}
        for row in found:
            if row["whose"] == "adamcore":
                seen[row["p"], row["moments"], row["p_storage"]] = row
                quotient = row["seconds"] / theirs[row["p"]]["seconds"]
                assert row["ratio"] == row["of_minima"] == pytest.approx(quotient)
    assert len(seen) == sum(map(len, narrow.OURS)) == 16
    assert seen["bfloat16", "bfloat16", "plain"]["bytes"] == 14
    assert seen["float32", "float64", "plain"]["bytes"] == 44
    assert seen["bfloat16", "companded8", "split8"]["bytes"] == 12.188


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras on PyTorch
def test_drift_is_near_the_floor() -> None:
    pytest.importorskip("torch")
    last = [row for row in loaded("drift").drift(1000) if row["step"] == 1000]
    rows = {(row["gradients"], row["name"]): row for row in last}
    for kind in ("random", "biased"):
        floor = rows[kind, "floor: exact moments, p rounded"]["median"]
        assert rows[kind, "adamcore (NumPy, PyTorch)"]["median"] < 1.25 * floor

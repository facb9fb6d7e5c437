"""docs/performance.md says what the stored runs say, and the benchmark runs."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
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
    page = loaded("page")
    assert page.PAGE.read_text(encoding="utf-8") == page.page(), "make performance"


def test_a_run(tmp_path: Path) -> None:
    pytest.importorskip("rich")
    pytest.importorskip("flint")
    from adamcore.conformance.cli import main

    target, plot = tmp_path / "run.json", tmp_path / "run.svg"
    arguments = ["bench", "numpy", "--work", "100", "--budget", "0.1"]
    assert main([*arguments, "--json", str(target), "--plot", str(plot)]) == 0
    run = json.loads(target.read_text(encoding="utf-8"))
    assert run["schema"] == "adamcore-bench/1"
    rows = {row["name"]: row for row in run["rows"]}
    assert rows["usual, whole arrays"]["ratio"] == 1.0
    assert rows["adamcore"]["seconds"] > 0
    assert set(run["environment"]["packages"]) >= {"adamcore", "numpy"}
    assert "complex64" in run["unserved"]["numpy"]
    assert plot.read_text(encoding="utf-8").startswith("<svg")


def test_no_contender_is_named_twice() -> None:
    from adamcore.conformance.bench.contenders import CONTENDERS

    names = [(each.framework, each.name) for each in CONTENDERS]
    assert len(set(names)) == len(names)
    assert {"numpy", "torch", "torch:cuda", "jax"} == {framework for framework, _ in names}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras on PyTorch
def test_drift_is_near_the_floor() -> None:
    pytest.importorskip("torch")
    last = [row for row in loaded("drift").drift(1000) if row["step"] == 1000]
    rows = {(row["gradients"], row["name"]): row for row in last}
    for kind in ("random", "biased"):
        floor = rows[kind, "floor: exact moments, p rounded"]["median"]
        assert rows[kind, "adamcore (NumPy, PyTorch)"]["median"] < 1.25 * floor

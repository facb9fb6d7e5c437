"""assert_conforms, of targets by name and of objects."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plugin_project import ADAM

from adamcore.conformance import assert_conforms
from adamcore.conformance.errors import ConformanceError, UsageError
from adamcore.conformance.testing.asserting import importable_target
from adamcore.errors import AdamcoreError

pytest_plugins = ["pytester"]


class Still:
    """An Adam that stands still; here, so that another process can import it from this file or not."""

    def init(self, params: list[np.ndarray], hyper: dict[str, float]) -> None:
        self.p = params

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        return self.p


FAST: Any = {"probes": ["STEP.1/fingerprint"], "dtypes": ["float32"]}


def test_assert_conforms_raises_with_the_findings() -> None:
    """Of a class that only this test has."""

    class Sitting(Still):
        pass

    assert importable_target(Sitting) is None
    with pytest.raises(ConformanceError) as caught:
        assert_conforms(Sitting, **FAST)
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value, AdamcoreError)
    message = str(caught.value)
    assert message.splitlines()[0].endswith(":Sitting deviates from paper")
    assert "probe STEP.1/fingerprint, step 1, parameter 0[0]" in message
    assert message.endswith("1 of 1 probes failed")
    assert "adamcore check" not in message  # which could not import it
    again = next(line for line in message.splitlines() if "assert_conforms(" in line)
    with pytest.raises(ConformanceError, match=":Sitting deviates from paper"):
        eval(again, {"assert_conforms": assert_conforms, "Sitting": Sitting})


def test_assert_conforms_of_a_torch_optimizer() -> None:
    torch = pytest.importorskip("torch")

    Mine = type("Mine", (torch.optim.AdamW,), {})
    report = assert_conforms(Mine, "torch.AdamW", **FAST)
    assert report.entries[0].verdict == "conforms"
    report = assert_conforms(partial(Mine, amsgrad=True), **FAST)  # claims what its class does, with amsgrad
    assert report.entries[0].target.endswith(":Mine")
    assert report.entries[0].claimed == "torch.AdamW(amsgrad=True)"

    def made(params: Any, lr: float, betas: tuple[float, float], eps: float) -> Any:
        return Mine(params, lr, betas, eps)

    assert_conforms(made, "torch.AdamW", **FAST | {"settings": {"weight_decay": "0.01"}})


@pytest.mark.slow
def test_assert_conforms_of_a_torch_optimizer_under_the_name_of_another() -> None:
    torch = pytest.importorskip("torch")

    Mine = type("Mine", (torch.optim.AdamW,), {})
    with pytest.raises(ConformanceError, match=r"deviates from torch\.Adam"):
        assert_conforms(Mine, "torch.Adam", **FAST)


def test_assert_conforms_of_an_optax_factory() -> None:
    optax = pytest.importorskip("optax")

    def mine(learning_rate: float, b1: float, b2: float, eps: float) -> Any:
        return optax.adam(learning_rate, b1, b2, eps)

    report = assert_conforms(mine, "optax.adam", **FAST | {"dtypes": ["float32", "float64"]})
    assert [r.status for r in report.entries[0].results] == ["passed", "passed"]


def test_object_that_another_process_can_import_runs_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "far_adam.py").write_text(ADAM.replace("class Exits", "class Mine"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    import far_adam  # type: ignore[import-not-found]

    assert importable_target(far_adam.Right) == "far_adam:Right"
    assert importable_target(far_adam.Right()) is None
    with pytest.raises(ConformanceError, match="far_adam:Mine is broken: exited with status 3"):
        assert_conforms(far_adam.Mine, **FAST)  # os._exit: in this process it would end the tests


def test_target_is_found_where_the_test_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with pytest's option pythonpath."""
    (tmp_path / "own_adam.py").write_text(ADAM)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")  # where the candidate writes a file
    monkeypatch.syspath_prepend(tmp_path)
    assert assert_conforms("own_adam:Right", **FAST).exit_code == 0


def test_warnings_of_the_probes_are_no_failures_of_a_local_class() -> None:
    class Warns(Still):
        def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
            warnings.warn("overflow encountered", RuntimeWarning, stacklevel=1)
            return super().step(grads)

    with pytest.raises(ConformanceError) as caught:  # warnings are errors in these tests
        assert_conforms(Warns, **FAST)
    assert "RuntimeWarning" not in str(caught.value)


def test_what_an_object_of_this_process_cannot_be_asked() -> None:
    Mine = type("Mine", (Still,), {})
    with pytest.raises(UsageError, match=r"storage=\['kahan'\]: expected a target that a new process"):
        assert_conforms(Mine, storage=["kahan"])
    with pytest.raises(TypeError, match=r"assert_conforms\(\) got an unexpected keyword argument 'dtype'"):
        assert_conforms(Mine, dtype="float32")
    for other in (None, Mine(), 3):
        with pytest.raises(UsageError, match=f"target is {type(other).__name__}, expected text, a class"):
            assert_conforms(other)


def test_assert_conforms_by_name() -> None:
    assert assert_conforms("numpy", "paper", **FAST).exit_code == 0
    with pytest.raises(ConformanceError, match="no_such:Adam is unavailable: no_such is not installed"):
        assert_conforms("no_such:Adam", **FAST)
    with pytest.raises(UsageError, match="unknown target"):
        assert_conforms("nunpy", **FAST)

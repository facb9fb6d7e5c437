"""State, memory and neighbours: array candidates that get one of them wrong, and are told so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from array_adam import Good, judged

from adamcore.conformance.candidates.base import cast
from adamcore.conformance.verdict.judge import judge_twin


class Shared(Good):
    """Moments in a dictionary of the class: two optimizers write to one."""

    store: dict[int, np.ndarray] = {}  # noqa: RUF012 - the mistake it is here to make

    def init(self, params: list[np.ndarray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.store.clear()

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        self.m = [self.store.get(i, m) for i, m in enumerate(self.m)]
        after = super().step(grads)
        self.store.update(enumerate(self.m))
        return after


class Forgets(Good):
    """A resume that starts the clock again."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.t = [0] * len(self.t)


class Float32Clock(Good):
    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        before = list(self.t)
        after = super().step(grads)
        self.t = [int(np.float32(t) + np.float32(1)) for t in before]
        return after


class Writes(Good):
    """Clips its gradients in place."""

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        for g in grads:
            if g is not None:
                g *= 1
        return super().step(grads)


class Ravels(Good):
    """Takes the memory order for the order of the elements."""

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        return super().step([g if g is None else np.ravel(g, order="K").reshape(g.shape) for g in grads])


HANDLING = [
    "BC.1/t10", "BC.1/t300", "BC.1/t1e6", "CLK.3/beyond-2**24", "STATE.4/resumed", "STATE.3/beside",
    "STEP.1/fortran", "STEP.1/strided", "STATE.2/read-only", "STEP.1/scaled",
]  # fmt: skip


@pytest.mark.parametrize("name", HANDLING)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_good_candidate_passes(name: str, dtype: str) -> None:
    probe, run, result = judged(Good, name, dtype)
    if probe.twin:
        result = judge_twin(result, probe, run, judged(Good, probe.twin, dtype)[1])
    assert (result.status, result.reason) == ("passed", "")


@pytest.mark.parametrize(
    ("cls", "name", "reason"),
    [
        (Shared, "STATE.3/beside", "leaves the bound"),
        (Forgets, "STATE.4/resumed", "leaves the bound"),
        (Forgets, "BC.1/t300", "leaves the bound"),
        (Float32Clock, "CLK.3/beyond-2**24", "clocks stand at [16777216]"),
        (Writes, "STATE.2/read-only", "read-only"),
        (Ravels, "STEP.1/fortran", "leaves the bound"),
    ],
)
def test_a_bad_one_fails_where_it_is_bad(cls: type, name: str, reason: str) -> None:
    _, _, result = judged(cls, name)
    assert result.status == "failed"
    assert reason in result.reason


def test_a_twin_must_agree_bit_for_bit() -> None:
    probe, run, result = judged(Good, "STATE.4/resumed")
    _, twin, _ = judged(Good, "STATE.4/uninterrupted")
    run.params[-1][0][0] = np.nextafter(run.params[-1][0][0], np.float32(9))
    again = judge_twin(result, probe, run, twin)
    assert again.status == "failed"
    assert "bit for bit" in again.reason


def test_what_a_candidate_cannot_do_is_skipped() -> None:
    class Bare:
        init, step = Good.init, Good.step

    for name in ("STATE.4/resumed", "BC.1/t300"):
        _, _, result = judged(Bare, name)
        assert result.status == "skipped"


@pytest.mark.parametrize("layout", ["C", "F", "strided", "readonly"])
def test_layouts(layout: Any) -> None:
    x = np.arange(12.0).reshape(3, 4)
    made = cast(x, "float32", layout)
    np.testing.assert_array_equal(made, x)
    assert made.flags.c_contiguous == (layout in ("C", "readonly"))
    assert made.flags.writeable == (layout != "readonly")

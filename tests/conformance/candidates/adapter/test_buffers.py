"""What a candidate is handed is handed as a training loop does, and watched."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from array_adam import Good, judged

from adamcore.conformance.candidates.adapter.buffers import GradientBuffers, overwrite
from adamcore.conformance.candidates.adapter.runs import mirror
from adamcore.conformance.candidates.array import ArrayCandidate
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Probe, Run
from adamcore.conformance.verdict.judge import judge_twin

PLAIN, FRESH = PROBES["STATE.4/uninterrupted"], PROBES["STATE.2/fresh"]


class Remembers(Good):
    """Takes the first moment from the gradients of the steps before, read again."""

    def init(self, params: list[np.ndarray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.kept: list[tuple[list[np.ndarray], list[np.ndarray]]] = []

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        for before, seen in self.kept[-1:]:
            f, b1 = seen[0].dtype.type, self.h["b1"]
            self.m = [f(b1) * m + f(1 - b1) * g for m, g in zip(before, seen, strict=True)]
        self.kept.append((self.m.copy(), [g for g in grads if g is not None]))
        return super().step(grads)


def test_a_gradient_that_is_held_on_to_is_filled_anew() -> None:
    assert judged(Good, PLAIN.name)[2].status == "passed"
    assert judged(Remembers, PLAIN.name)[2].status == "failed"


def test_held_gradients_are_told_by_the_probe_that_leaves_them_alone() -> None:
    probe, run, result = judged(Remembers, FRESH.name)
    assert result.status == "passed"
    twin = judge_twin(result, probe, run, judged(Remembers, PLAIN.name)[1])
    assert twin.status == "failed"
    assert "bit for bit" in twin.reason
    probe, run, result = judged(Good, FRESH.name)
    assert judge_twin(result, probe, run, judged(Good, PLAIN.name)[1]).status == "passed"


@pytest.mark.parametrize("layout", ["C", "F", "strided", "readonly"])
def test_the_same_memory_in_every_layout(layout: Any) -> None:
    from adamcore.conformance.candidates.adapter.base import cast

    buffers = GradientBuffers(PLAIN, lambda g: cast(g, "float32", layout), overwrite)
    values = [np.full((2, 3), x, dtype="float32") for x in (1.0, 2.0)]
    first = buffers.fill([values[0], None])
    assert first[1] is None
    np.testing.assert_array_equal(first[0], values[0])
    assert buffers.written(1) == []
    assert np.isnan(first[0]).all()
    assert buffers.fill([values[1], None])[0] is first[0]
    np.testing.assert_array_equal(first[0], values[1])
    assert first[0].flags.writeable == (layout != "readonly")
    if layout != "readonly":
        first[0][0, 0] = 3.0
        assert buffers.written(2) == ["gradient 0 in step 2"]


def test_torch_gradients_are_filled_in_place() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    seen: list[Any] = []

    class Keeps(torch.optim.AdamW):  # type: ignore[misc, name-defined]
        def step(self, closure: Any = None) -> None:
            seen.append(self.param_groups[0]["params"][0].grad)
            if len(seen) > 1:
                assert seen[-1] is seen[-2]
            super().step()

    run = TorchCandidate(Keeps, {}, None, None).run(PLAIN, "float32")
    assert (run.error, run.written, len(seen)) == (None, [], len(PLAIN.steps))
    assert bool(seen[0].isnan().all())


class Steps(Good):
    """Steps the arrays given to init."""

    def init(self, params: list[np.ndarray], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.given = params

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        after = super().step(grads)
        for mine, new in zip(self.given, after, strict=True):
            mine[...] = new
        return after


class Declared(Steps):
    """The same, and says so."""

    in_place = True


class Empties(Good):
    """Takes the gradients out of the list."""

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        after = super().step(grads)
        grads.clear()
        return after


@pytest.mark.parametrize(
    ("cls", "written"),
    [
        (Good, []),
        (Steps, ["parameter 0 in step 1", "parameter 1 in step 1"]),
        (Declared, []),
        (Empties, ["the list of gradients in step 1"]),
    ],
)
def test_what_is_handed_over_is_compared(cls: type, written: list[str]) -> None:
    run: Run = ArrayCandidate(cls, {}).run(PLAIN, "float32")
    assert run.written[: len(written) or 1] == written


class HyperOfClass(Good):
    """The last optimizer made sets the hyperparameters of all."""

    last: ClassVar[dict[str, float]] = {}

    def init(self, params: list[np.ndarray], hyper: dict[str, float]) -> None:
        self.last.update(hyper)
        super().init(params, self.last)


def test_the_neighbour_has_other_hyperparameters() -> None:
    other: Probe = mirror(PLAIN)
    assert all(other.hyper[name] != value for name, value in PLAIN.hyper.items())
    assert judged(HyperOfClass, PLAIN.name)[2].status == "passed"
    assert judged(HyperOfClass, "STATE.3/beside")[2].status == "failed"
    assert judged(Good, "STATE.3/beside")[2].status == "passed"


class Adopts(Good):
    """Writes to the moments that it was restored from."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.adopted = list(state["m"])

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        after = super().step(grads)
        for kept, m in zip(getattr(self, "adopted", []), self.m, strict=False):
            kept[...] = m
        return after


@pytest.mark.parametrize(("name", "step"), [("BC.1/t10", 1), ("STATE.4/resumed", 6)])
def test_a_state_that_is_restored_is_left_as_it_was(name: str, step: int) -> None:
    assert judged(Good, name)[1].written == []
    assert judged(Adopts, name)[1].written[0] == f"the state that it was restored from in step {step}"

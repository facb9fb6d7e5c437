"""The steps that are timed: each one changes its parameters as Adam does, and memory traffic as a copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adamcore.backends.kernels import llvm
from adamcore.conformance.bench import steps
from adamcore.conformance.bench.step import Step
from adamcore.conformance.bench.workloads import NARROW

SHAPES = ((40,), (3, 2))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[list[Any]]:
    """Every list of arrays that a step makes."""
    made: list[list[Any]] = []
    arrays = steps.arrays

    def keep(shapes: Any, seed: int) -> list[Any]:
        made.append(arrays(shapes, seed))
        return made[-1]

    monkeypatch.setattr(steps, "arrays", keep)
    return made


@pytest.mark.parametrize(
    "make",
    [steps.ours_numpy, steps.blocks_numpy, steps.definition_numpy, steps.ours_torch, steps.blocks_torch],
    ids=lambda make: str(make.__name__),
)
def test_a_step_of_ours_moves_each_element_by_lr(make: Callable[[Any], Step], made: list[list[Any]]) -> None:
    if "torch" in make.__name__:
        pytest.importorskip("torch")
    step = make(SHAPES)
    params, grads = made[0], made[1]
    before = [p.copy() for p in params]
    step()
    for p, old, g in zip(params, before, grads, strict=True):
        np.testing.assert_allclose(p, old - 1e-3 * np.sign(g), atol=2e-6)


@pytest.mark.parametrize("framework", NARROW)
def test_contenders_in_16_bits_step_tensors_of_their_dtype(framework: str) -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.bench import contenders

    kinds: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        tensors = steps.tensors

        def keep(*given: Any, **named: Any) -> Any:
            made = tensors(*given, **named)
            kinds.append({x.dtype for x in (*made[0], *made[1])})
            return made

        patch.setattr(steps, "tensors", keep)
        for each in contenders.installed(framework):
            step = each.make(SHAPES)
            assert step.gradients is not None
            step.gradients.make()
            step()
    dtype = getattr(torch, NARROW[framework])
    ours = {"torch:bfloat16": 7, "torch:float16": 6}[framework]
    assert kinds == [{dtype}, {torch.float32}, *[{dtype}] * ours]
    steps.memory_traffic(SHAPES, framework)()


def test_arrays_repeat_the_same_random_values() -> None:
    first, second = steps.arrays(((2, 3), (5,)), 0)
    assert first.shape == (2, 3)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first.ravel()[:5], second)


@pytest.mark.skipif(not llvm.available(), reason="llvmlite is not installed")
def test_memory_traffic_reads_four_arrays_and_writes_three(made: list[list[Any]]) -> None:
    step = steps.memory_traffic(SHAPES)
    columns = [[x.copy() for x in column] for column in made]
    step()
    p, g, m, v = columns
    for name, column, new in zip("pgmv", columns, made, strict=True):
        for k, x in enumerate(column):
            expected = x if name == "g" else x + g[k]
            np.testing.assert_allclose(new[k], expected, rtol=1e-6)
    assert len(p) == len(m) == len(v) == len(SHAPES)


def test_without_the_extra_no_machine_code_runs() -> None:
    available: list[bool] = []
    steps.without_llvm(Step(lambda: available.append(llvm.available())))()
    assert available == [False]

"""Column steps of plain memory: by the kernel and without it, on the arrays of before alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.backends.kernels import llvm
from adamcore.backends.kernels.step_cache import FallbackStep, KernelStep, column_step
from adamcore.backends.numpy.fast import MEMORY, in_blocks
from adamcore.coefficients import Host
from adamcore.definition import coefficients
from adamcore.jobs import Columns, Job, LeafDtypes, columns_of

ADAM, DTYPE = Adam(lr=0.1), np.dtype("float32")


@pytest.fixture(params=[KernelStep, FallbackStep])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param is KernelStep:
        pytest.importorskip("llvmlite")
    else:
        monkeypatch.setattr(llvm, "available", lambda: False)
    return request.param


def jobs_of(*shapes: tuple[int, ...], dtype: Any = DTYPE) -> list[Job]:
    c, formats = coefficients(Host(), ADAM, 1, 0.1), LeafDtypes(dtype, dtype, dtype, False)
    rng = np.random.default_rng(len(shapes))
    jobs = []
    for shape in shapes:
        p, g, m = (rng.standard_normal(shape).astype(dtype) for _ in range(3))
        jobs.append(Job(p, g, m, np.abs(m), None, c, None, formats))
    return jobs


def copied(columns: Columns) -> Columns:
    return Columns(*([x.copy() for x in column] for column in columns))


@pytest.mark.parametrize("rows", [1, 3])
def test_it_has_the_bits_of_the_first_step(kind: Any, rows: int) -> None:
    jobs = jobs_of((5,), (2, 3), (4097,))
    step = column_step(ADAM, jobs, MEMORY, in_blocks)
    assert step is not None
    assert type(step) is kind
    columns = columns_of(jobs)._replace(g=[np.full_like(job.g, k) for k, job in enumerate(jobs)])
    coefs = [coefficients(Host(), ADAM, t, 0.1) for t in range(1, rows + 1)]
    each = coefs if rows > 1 else coefs * 3
    now = copied(columns)
    for p, g, m, v, c in zip(now.p, now.g, now.m, now.v, each, strict=True):
        in_blocks(ADAM, [Job(p, g, m, v, None, c, None, jobs[0].formats)], True, MEMORY)
    run = step.bind(columns, coefs)
    assert run is not None
    run()
    for name in ("p", "g", "m", "v"):
        for got, want in zip(getattr(columns, name), getattr(now, name), strict=True):
            np.testing.assert_array_equal(got, want)


def test_a_gradient_of_another_kind_is_not_for_it(kind: Any) -> None:
    jobs = jobs_of((4,))
    step, columns = column_step(ADAM, jobs, MEMORY, in_blocks), columns_of(jobs)
    assert step is not None
    c = [jobs[0].coefficients]
    for g in (np.ones(3, "f"), np.ones(4), np.ones(8, "f")[::2], [1.0] * 4):
        assert step.bind(columns._replace(g=[g]), c) is None
    assert step.bind(columns._replace(g=[np.ones(4, "f")]), c) is not None


def test_a_gradient_in_the_parameters_memory_is_not_for_the_kernel() -> None:
    pytest.importorskip("llvmlite")
    memory = np.ones(9, "f")
    [job] = jobs_of((4,))
    job = job._replace(p=memory[:4])
    step, columns = column_step(ADAM, [job], MEMORY, in_blocks), columns_of([job])
    assert step is not None
    for start, fits in ((3, False), (4, True), (0, False), (5, True)):
        g = memory[start : start + 4]
        assert (step.bind(columns._replace(g=[g]), [job.coefficients]) is not None) == fits


def test_arrays_of_different_widths_may_lie_side_by_side() -> None:
    """A gradient of 8 bytes in front of moments of 16, and behind them; then a byte too near."""
    pytest.importorskip("llvmlite")
    half, single = np.dtype("float16"), np.dtype("float32")
    memory, c = np.zeros(64, np.uint8), coefficients(Host(), ADAM, 1, 0.1)
    m, v = memory[16:32].view(single), memory[32:48].view(single)
    job = Job(
        np.ones(4, half), np.ones(4, half), m, v, None, c, None, LeafDtypes(single, single, single, False)
    )
    step, columns = column_step(ADAM, [job], MEMORY, in_blocks), columns_of([job])
    assert step is not None
    for start, fits in ((8, True), (10, False), (46, False), (48, True), (30, False)):
        g = memory[start : start + 8].view(half)
        assert (step.bind(columns._replace(g=[g]), [c]) is not None) == fits
    assert column_step(ADAM, [job._replace(p=memory[26:34].view(half))], MEMORY, in_blocks) is None
    assert column_step(ADAM, [job._replace(p=memory[8:16].view(half))], MEMORY, in_blocks) is not None


def test_jobs_of_two_kinds_have_none(kind: Any) -> None:
    single, double = jobs_of((4,)), jobs_of((4,), dtype=np.dtype("float64"))
    assert column_step(ADAM, single + double, MEMORY, in_blocks) is None
    assert column_step(ADAM, double, MEMORY, in_blocks) is not None

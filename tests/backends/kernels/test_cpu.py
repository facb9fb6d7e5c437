"""The CPU's step: lists of arrays of several kinds."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_jobs import job

from adamcore import Adam
from adamcore.jobs import columns_of


def test_columns_by_name() -> None:
    jobs = [job(), job()]
    columns = columns_of(jobs)
    assert [x is y.g for x, y in zip(columns.g, jobs, strict=True)] == [True, True]
    assert columns.v_max == ()
    assert len(columns_of([job(v_max=np.ones(3, "f"))]).v_max) == 1


@pytest.mark.parametrize("first", ["float32", "complex64"])
@pytest.mark.parametrize("donate", [False, True])
def test_complex_leaves_beside_real_ones(first: str, donate: bool) -> None:
    """A complex element is two numbers: a list that took it for one would leave the second half as it is."""
    whole = np.array([1 + 2j, 3 - 4j, 0.5j], "complex64")
    real = np.array([1.0, -2.0, 3.0, 4.0], "float32")
    params = [real, whole] if first == "float32" else [whole, real]
    adam = Adam(lr=0.1)
    apart = [adam.step(p, p, adam.init(p))[0] for p in params]
    together = [p.copy() for p in params]
    together, _ = adam.step(together, params, adam.init(together), donate=donate)
    assert [p.tolist() for p in together] == [p.tolist() for p in apart]

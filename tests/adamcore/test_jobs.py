"""Jobs and results by column are what they are one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adamcore import Adam, registry
from adamcore.coefficients import Host
from adamcore.definition import coefficients
from adamcore.dtypes import leaf_dtypes
from adamcore.jobs import Columns, Job, Result, Results, UniformJobs, columns_of, in_place_results

ADAM, ROWS = Adam(), [coefficients(Host(), Adam(), t, 0.1, None) for t in (1, 2, 3)]


@pytest.mark.parametrize("maxima", [False, True])
@pytest.mark.parametrize("rows", [ROWS[:1], ROWS])
def test_uniform_jobs_are_the_jobs_of_their_columns(maxima: bool, rows: list[Any]) -> None:
    columns = [[np.full(2, 10.0 * c + i) for i in range(3)] for c in range(5)]
    formats = leaf_dtypes(ADAM, registry.built_in("numpy"), columns[0][0])
    jobs = UniformJobs(Columns(*columns[: 5 if maxima else 4]), rows, formats)
    listed = []
    for i, row in enumerate(rows * (3 // len(rows))):
        p, g, m, v = (column[i] for column in columns[:4])
        listed.append(Job(p, g, m, v, columns[4][i] if maxima else None, row, None, formats))
    assert len(jobs) == 3
    for found in (list(jobs), jobs[:], [jobs[-3], *jobs[1:]]):
        for one, other in zip(found, listed, strict=True):
            assert all(x is y for x, y in zip(one, other, strict=True))
    for column, expected in zip(columns_of(jobs), columns_of(listed), strict=True):
        assert list(map(id, column)) == list(map(id, expected))
    results = in_place_results(jobs)
    assert isinstance(results, Results)
    assert len(results) == 3
    for kind in (list(results), results[:]):
        for new, old in zip(kind, in_place_results(listed), strict=True):
            assert isinstance(new, Result)
            assert all(x is y for x, y in zip(new, old, strict=True))

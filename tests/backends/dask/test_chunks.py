"""What a worker does with one chunk."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("dask.array")
from adamcore import Adam
from adamcore.backends.dask.chunks import numbers, pick, step_chunk  # it needs Dask
from adamcore.backends.numpy.backend import backend as NUMPY
from adamcore.step import plan_step
from adamcore.trees import ParamTree


def test_the_numbers_are_those_of_the_whole_array() -> None:
    whole = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    assert (numbers([(1, 3), (0, 4), (2, 4)], whole.shape) == whole[1:3, :, 2:4]).all()
    assert numbers([], ()).shape == ()
    assert numbers([(2, 3), (0, 2)], (2**20, 2**20)).tolist() == [[2**21, 2**21 + 1]]
    assert numbers([(2**12, 2**12 + 1), (5, 6)], (2**20, 2**20)).tolist() == [[5]]  # 2**32 and more wrap


def test_one_of_several() -> None:
    x = [np.ones(1), np.zeros(2)]
    assert pick(x, 1) is x[1]


def test_zeros_of_one_number_are_stepped_by_machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask's zeros are one number with strides of 0, as the state is in the first step."""
    adam, p = Adam(), np.ones((3, 4), np.float32)
    zeros = np.broadcast_to(np.zeros((), np.float32), p.shape)
    _, _, plan = plan_step(adam, ParamTree(p), p, adam.init(p))
    assert plan is not None
    blank = plan.jobs[0]._replace(p=None, g=None, m=None, v=None)
    monkeypatch.setattr(NUMPY, "apply_one", None)  # the definition, operation by operation
    new = step_chunk(p, p, zeros, zeros, adam=adam, job=blank, names=["p", "g", "m", "v"], block_info={})
    wanted, state = adam.step(p, p, adam.init(p))
    assert [x.tobytes() for x in new] == [x.tobytes() for x in (wanted, state.m, state.v)]

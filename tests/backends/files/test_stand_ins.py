"""A step planned with stand-ins is the step of arrays in memory."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from adamcore import Adam
from adamcore.backends.files.arrays import Cast, MemoryArray, Zeros
from adamcore.backends.files.stand_ins import BACKEND
from adamcore.step import init_tree, plan_step
from adamcore.trees import ParamTree

SHAPE = (1 << 40, 1 << 20)  #: no machine has this much memory


def test_nothing_is_made() -> None:
    adam = Adam(missing="zero", p_storage="master", nesterov="dozat", amsgrad="corrected")
    p = Zeros(SHAPE, np.dtype("float16"))
    tree = ParamTree(OrderedDict(x=p), backend=BACKEND)
    state = init_tree(adam, tree)
    assert state.t == {"x": 0}
    assert isinstance(state.v_max["x"], Zeros)
    assert isinstance(state.p_rest["x"], Cast)
    _, _, plan = plan_step(adam, tree, OrderedDict(x=None), state)
    assert plan is not None
    [job] = plan.jobs
    assert isinstance(job.g, Zeros)
    assert plan.t == {"x": 1}
    memory = {"x": np.zeros(2, np.float16)}
    _, _, same = plan_step(adam, ParamTree(memory), {"x": None}, adam.init(memory))
    assert same is not None
    assert same.jobs[0].coefficients == job.coefficients
    assert same.jobs[0].formats == job.formats


def test_the_tree_keeps_its_order() -> None:
    leaves = OrderedDict((str(k), MemoryArray(np.ones(1))) for k in range(300, 0, -1))
    assert ParamTree(leaves, backend=BACKEND).leaves == list(leaves.values())

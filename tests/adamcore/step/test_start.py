"""The state before the first step: what it has, where, and in which dtypes (MOM.3, MOM.4, CLK.2)."""

from __future__ import annotations

from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.dtypes import DtypeTable
from adamcore.step.start import first_parts, init_tree
from adamcore.trees import ParamTree


def test_a_state_is_a_tree_like_the_parameters(lib: Any) -> None:
    params = {"a": lib(np.ones((2, 3)), "float32"), "b": None}
    state = init_tree(Adam(amsgrad="corrected", nesterov="dozat", m_dtype="float64"), ParamTree(params))
    assert [set(part) for part in state if part is not None] == [{"a", "b"}] * 5
    assert {part["b"] for part in state if part is not None} == {None}
    assert (lib.numpy(state.t["a"]), lib.numpy(state.mu_product["a"])) == (0, 1.0)
    for x, dtype in (
        (state.t, "int32"),
        (state.m, "float64"),
        (state.v, "float32"),
        (state.v_max, "float32"),
    ):
        assert lib.numpy(x["a"]).dtype == dtype
        assert not lib.numpy(x["a"]).any()


def test_one_clock_for_all(lib: Any) -> None:
    adam = Adam(clock="global")
    assert lib.numpy(init_tree(adam, ParamTree([lib([1.0]), lib([2.0])])).t).shape == ()
    assert init_tree(adam, ParamTree([None])).t == 0  # no library to make an array of


def test_first_parts_are_those_that_the_storage_asks_for() -> None:
    plain, coded = Adam(), Adam(m_storage="companded8")
    tree = ParamTree([np.ones(3, "f4")])
    [of_plain, of_coded] = [[DtypeTable(adam, tree.backend).of(tree.leaves[0])] for adam in (plain, coded)]
    assert first_parts(plain, tree, of_plain) == {}
    found = first_parts(coded, tree, of_coded)
    assert {name: x[0].dtype.name for name, x in found.items()} == {"m_scale": "int16"}

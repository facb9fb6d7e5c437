"""The facade: a frozen value that users compare, hash, replace, subclass, copy and pickle."""

from __future__ import annotations

import copy
import inspect
import pickle
import typing
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import numpy as np
import pytest

from adamcore import AXES, Adam
from adamcore.errors import HyperparameterError


def stepped(opt: Adam) -> Adam:
    """Return ``opt`` after steps that it remembers, so that it has a cache of steps."""
    params = [np.ones(3)]
    state = opt.init(params)
    for _ in range(3):
        params, state = opt.step(params, [np.ones(3)], state, donate=True)
    return opt


def test_repr_is_the_constructor_call() -> None:
    opt = Adam(lr=0.25, decay="decoupled", moment_dtype="float32")
    assert eval(repr(opt)) == opt
    assert repr(opt).startswith("Adam(lr=0.25, b1=0.9, ")


def test_equal_adams_have_one_hash() -> None:
    assert len({Adam(lr=1), Adam(lr=1.0), stepped(Adam(lr=True + 0))}) == 1
    assert Adam() != Adam(eps=1e-7)


def test_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Adam().lr = 0.5  # type: ignore[misc]


def test_replace_checks_again() -> None:
    opt = replace(stepped(Adam(b2=0.5)), lr=0.25)
    assert (type(opt), opt.b2, opt.lr) == (Adam, 0.5, 0.25)
    with pytest.raises(HyperparameterError, match=r"b1=2\.0"):
        replace(opt, b1=2.0)


def test_the_constructor_takes_the_fields_by_name() -> None:
    parameters = inspect.signature(Adam).parameters
    assert list(parameters) == [f.name for f in fields(Adam)]
    assert {p.kind for p in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert typing.get_type_hints(Adam.__init__)["clock"] == typing.Literal["per-parameter", "global"]
    with pytest.raises(TypeError, match=r"^Adam.__init__\(\) got an unexpected keyword argument 'betas'"):
        Adam(betas=(0.9, 0.999))  # type: ignore[call-arg]


def test_the_docstring_names_every_hyperparameter() -> None:
    for field in fields(Adam):
        assert field.name in AXES or field.name in (Adam.__doc__ or "")


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda opt: pickle.loads(pickle.dumps(opt))])
def test_a_copy_is_equal_and_has_no_cache_of_its_own(again: Callable[[Adam], Adam]) -> None:
    opt = stepped(Adam(lr=0.1))
    made = again(opt)
    assert made == opt
    assert vars(made).keys() == {f.name for f in fields(Adam)} < vars(opt).keys()
    stepped(made)


def test_a_subclass_is_pickled_with_its_attributes() -> None:
    opt = stepped(Named(lr=0.1))
    object.__setattr__(opt, "label", "mine")
    made = pickle.loads(pickle.dumps(opt))
    assert type(made) is Named
    assert made.label == "mine"
    assert repr(made).startswith("Named(lr=0.1")
    assert made != Adam(lr=0.1)


class Named(Adam):
    """What a user may derive."""

    label = ""


def test_like_has_the_dialects_defaults_and_the_callers() -> None:
    opt = Adam.like("torch.AdamW", lr=0.5)
    assert (type(opt), opt.lr, opt.weight_decay, opt.decay) == (Adam, 0.5, 0.01, "decoupled")


def test_an_adam_that_steps_many_trees_remembers_each_apart() -> None:
    """A step that is remembered gives the bits of one that is not."""
    opt, other = Adam(lr=0.1), Adam(lr=0.1)
    trees: list[Any] = [[np.full(3, float(k))] for k in range(6)]
    states = [opt.init(tree) for tree in trees]
    for _ in range(4):
        for i, tree in enumerate(trees):
            want, _ = other.step([x.copy() for x in tree], [np.ones(3)], copy.deepcopy(states[i]))
            trees[i], states[i] = opt.step(tree, [np.ones(3)], states[i], donate=True)
            np.testing.assert_array_equal(trees[i], want)

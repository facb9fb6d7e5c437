"""Which variables of a Keras model are named, by a call or by a configuration; no Keras is needed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adamcore.backends.decay_exclusions import KEY, DecayExclusions, Named, Place
from adamcore.errors import HyperparameterError

PATHS = ["net/dense/kernel", "net/dense/bias", "net/norm/gamma", "net/norm/beta", "net/bias_net/kernel"]
MODEL = [Named(path) for path in PATHS]


def call(*names: str) -> DecayExclusions:
    return DecayExclusions().and_also(None, names)


@pytest.mark.parametrize(
    ("names", "positions"),
    [
        (["gamma", "beta"], {2, 3}),
        (["bias"], {1}),  # a variable's name, as in Keras: the kernel of bias_net decays
        (["norm"], {2, 3}),  # a layer's
        (["norm", "bias"], {1, 2, 3}),
        (["^b", "dense/k"], {0, 1, 3}),
        ([], set()),
    ],
)
def test_a_name_is_a_variables_or_else_a_layers(names: list[str], positions: set[int]) -> None:
    assert call(*names).among(MODEL) == positions


def test_a_call_adds_to_those_before() -> None:
    both = call("bias").and_also([MODEL[0]], ["gamma", "bias"]).and_also(None, None)
    assert both.names == ("bias", "gamma")
    assert both.among(MODEL) == {0, 1, 2}


def test_what_names_nothing_is_warned_of() -> None:
    exclusions = call("bias", "norn").and_also([Named("net/dense/bias")], None)
    with pytest.warns(UserWarning, match=r"'norn', net/dense/bias names no variable .* net/dense/kernel, "):
        assert exclusions.among(MODEL) == {1}
    assert exclusions.among([]) == frozenset()  # the model of an .h5 file, before its variables are there


@pytest.mark.parametrize("names", ["bias", ["("], [1], 3])
def test_names_that_are_no_list_of_expressions(names: Any) -> None:
    with pytest.raises(HyperparameterError, match="expected a list of regular expressions"):
        DecayExclusions().and_also(None, names)


def test_a_configuration_keeps_them() -> None:
    exclusions = call("gamma").and_also([MODEL[4], MODEL[1]], None)
    config = json.loads(json.dumps(exclusions.config(MODEL)))
    again = DecayExclusions.of_config(config)
    assert again.config(MODEL) == config
    assert again.config([]) == config  # it is kept where the variables are not known yet
    loaded = [Named(path.partition("/")[2].replace("dense", "dense_7")) for path in PATHS]
    assert again.among(loaded) == {1, 2, 4}
    moved = again.config(loaded)[KEY]["var_list"]
    assert moved == [["bias_net/kernel", 4, 5], ["dense_7/bias", 1, 5]]
    assert DecayExclusions().config(MODEL) == {}
    assert DecayExclusions.of_config({}) == DecayExclusions()


@pytest.mark.parametrize(
    ("place", "positions"),
    [
        (Place("net/dense/bias", 1, 5), [1]),
        (Place("other/bias", 1, 5), [1]),
        (Place("other/bias", 1, 6), []),  # another model
        (Place("other/gamma", 1, 5), []),
        (Place("net/norm/gamma", 1, 6), [2]),
        (Place("net/norm/gamma", None, 0), [2]),
    ],
)
def test_a_place_is_a_position_or_else_a_path(place: Place, positions: list[int]) -> None:
    assert place.among(MODEL) == positions


def test_a_path_of_two_variables_tells_neither() -> None:
    twins = [Named("w"), Named("w")]
    assert Place("w", None, 0).among(twins) == []
    assert Place("w", 1, 2).among(twins) == [1]
    assert DecayExclusions(variables=(twins[1],)).config(twins)[KEY]["var_list"] == [["w", 1, 2]]

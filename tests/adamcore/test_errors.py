"""The errors as a caller catches them."""

from __future__ import annotations

import pickle

import pytest

from adamcore import Adam, errors
from adamcore.errors import AdamcoreError

BUILT_IN = {
    "AxisError": ValueError,
    "BackendError": RuntimeError,
    "CheckpointError": ValueError,
    "ClockError": ValueError,
    "ConversionError": ValueError,
    "DialectError": LookupError,
    "GradientError": ValueError,
    "HyperparameterError": ValueError,
    "MaskError": ValueError,
    "MissingGradientError": ValueError,
    "ParameterError": TypeError,
    "StateError": ValueError,
    "TreeError": ValueError,
}


def test_the_list_is_whole() -> None:
    found = {name for name, each in vars(errors).items() if isinstance(each, type)}
    assert found == {*BUILT_IN, "AdamcoreError"}


@pytest.mark.parametrize("name", BUILT_IN)
def test_caught_as_ours_or_as_pythons(name: str) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, AdamcoreError)
    assert issubclass(kind, BUILT_IN[name])


def test_an_error_crosses_a_process() -> None:
    with pytest.raises(AdamcoreError) as caught:
        Adam(lr=-1.0)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again)) == (type(caught.value), str(caught.value))

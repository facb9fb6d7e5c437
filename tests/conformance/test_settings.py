"""The values of --set."""

from __future__ import annotations

import pytest

from adamcore.conformance.errors import SettingError, UsageError
from adamcore.conformance.settings import parse_assignments, parse_settings


@pytest.mark.parametrize("text", ["amsgrad", "=1", "a b=1", "2x=1", ""])
def test_an_assignment_has_a_name(text: str) -> None:
    with pytest.raises(UsageError, match="expected NAME=VALUE"):
        parse_assignments([text])


def test_the_value_may_have_equals_signs() -> None:
    assert parse_assignments(["command=a=b"]) == {"command": "a=b"}


def test_values_are_python_literals_or_text() -> None:
    _, values = parse_settings({"a": "(0.5, 0.25)", "b": "None", "c": "mean", "d": "'1'"})
    assert values == {"a": (0.5, 0.25), "b": None, "c": "mean", "d": "1"}


def test_only_hyperparameters_follow_an_at_sign() -> None:
    with pytest.raises(SettingError, match=r"--set x=@beta1: expected one of @lr, @b1, @b2"):
        parse_settings({"x": "@beta1"})

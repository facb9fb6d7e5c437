"""Arguments of a check that make no sense are told as such."""

from __future__ import annotations

from typing import Any

import pytest

from adamcore.conformance import assert_conforms, check
from adamcore.conformance.errors import UsageError
from adamcore.errors import DialectError


@pytest.mark.parametrize(
    ("target", "options", "error", "message"),
    [
        ("nunpy", {}, UsageError, "unknown target 'nunpy'.*nearest: numpy"),
        ("torch.AdamW", {}, UsageError, "nearest: torch.optim:AdamW"),
        (__file__, {}, UsageError, r"test_validate\.py is a file: name what to check in it, .*; it has "),
        (f"kernel:{__file__}", {}, UsageError, r"test_validate\.py:test_usage; it has test_usage, "),
        ("numpy", {"dialect": "torch.adamw"}, DialectError, "nearest: torch.AdamW"),
        ("numpy", {"probes": ["EPS.1/besides"]}, UsageError, "nearest: EPS.1/beside"),
        (
            "numpy",
            {"dtypes": ["float8"]},
            UsageError,
            "unknown dtype 'float8'; expected float32 or float64 or bfloat16 or float16",
        ),
    ],
)
def test_usage(target: str, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        check(target, **options)


@pytest.mark.parametrize(
    ("targets", "options", "message"),
    [
        ((dict,), {}, "target <class 'dict'>: expected text, such as 'module:attr'; assert_conforms takes a"),
        ((None,), {}, "target None: expected text"),
        ((["numpy"],), {}, r"target \['numpy'\]: expected text"),
        (("numpy",), {"dtypes": "float32"}, r"dtypes='float32': expected a list, such as \['float32'\]"),
        (("numpy",), {"dtypes": []}, "dtypes is empty; expected float32 or float64"),
        (("numpy",), {"dtypes": [float]}, "dtypes has <class 'float'>: expected text"),
        (("numpy",), {"dtypes": None}, "dtypes=None: expected a list"),
        (("numpy",), {"probes": "EPS.1"}, "probes='EPS.1': expected a list"),
        (("numpy",), {"timeout": -1}, "timeout=-1: expected a number above 0"),
        (("numpy",), {"timeout": float("nan")}, "timeout=nan: expected a number above 0"),
        (("numpy",), {"timeout": "5"}, "timeout='5': expected a number above 0"),
        (("numpy",), {"parallel": 0}, "parallel=0: expected a number above 0"),
        (("numpy",), {"parallel": 1.5}, "parallel=1.5: expected a whole number"),
        (("numpy",), {"memory": 0}, "memory=0: expected a number above 0"),
        (("numpy",), {"dialect": 5}, "dialect=5: expected text or None"),
        (("torch",), {"device": 0}, "device=0: expected text or None"),
        (("torch",), {"layout": "tp"}, "layout='tp' without ranks: expected --ranks N with it"),
        (("torch",), {"processes": True}, "processes without ranks: expected --ranks N with it"),
        (("m:A",), {"settings": {"amsgrad": True}}, r"settings\['amsgrad'\]=True: expected text.*'True'"),
        (("m:A",), {"settings": ["amsgrad=True"]}, "expected a mapping, such as {'amsgrad': 'True'}"),
    ],
)
def test_arguments_that_make_no_sense_are_told(
    targets: tuple[Any, ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        check(*targets, **options)


def test_an_assertion_tells_them_too() -> None:
    class Local:
        def init(self, params: Any, hyper: Any) -> None: ...
        def step(self, grads: Any) -> None: ...

    for options in ({"dtypes": "float32"}, {"timeout": -1}, {"probes": "EPS.1"}):
        with pytest.raises(UsageError, match="expected a"):
            assert_conforms(Local, **options)

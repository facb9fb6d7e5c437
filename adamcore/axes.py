"""The axes on which implementations of Adam differ, and the values of each; the first is the default."""

from __future__ import annotations

import difflib
import math
import numbers
from typing import Literal, get_args

from adamcore.errors import AxisError, HyperparameterError

Epsilon = Literal["outside-corrected", "outside-uncorrected", "inside-corrected", "inside-uncorrected"]
BiasCorrection = Literal["both", "first", "second", "none"]
Decay = Literal[
    "l2", "decoupled", "decoupled-unscaled", "decoupled-corrected", "decoupled-relative", "decoupled-squared"
]
DecayOrder = Literal["before", "after"]
Amsgrad = Literal["none", "uncorrected", "corrected"]
Nesterov = Literal["none", "dozat", "optax", "same-t"]
Missing = Literal["skip", "zero", "error"]
Clock = Literal["per-parameter", "global"]
AllMissing = Literal["tick", "hold", "error"]
Complex = Literal["componentwise", "modulus"]
CoefficientPrecision = Literal["double", "working", "running"]

RELATIVE = ("decoupled-relative", "decoupled-squared")  #: kinds of decay that lr_max counts for

#: The values of every axis.
AXES: dict[str, tuple[object, ...]] = {
    "epsilon": get_args(Epsilon),
    "bias_correction": get_args(BiasCorrection),
    "decay": get_args(Decay),
    "decay_order": get_args(DecayOrder),
    "cautious_decay": (False, True),
    "amsgrad": get_args(Amsgrad),
    "nesterov": get_args(Nesterov),
    "missing": get_args(Missing),
    "clock": get_args(Clock),
    "all_missing": get_args(AllMissing),
    "maximize": (False, True),
    "complex": get_args(Complex),
    "coefficients": get_args(CoefficientPrecision),
}


def check_axis(axis: str, value: object) -> None:
    """Raise :class:`AxisError` unless ``value`` is one of ``AXES[axis]``.

    >>> check_axis("epsilon", "outside")
    Traceback (most recent call last):
    ...
    adamcore.errors.AxisError: epsilon='outside': expected one of 'outside-corrected', \
'outside-uncorrected', 'inside-corrected', 'inside-uncorrected'; nearest: 'outside-corrected'
    """
    allowed = AXES[axis]
    if isinstance(value, (str, bool)) and value in allowed:  # 1 is no True
        return
    near = difflib.get_close_matches(str(value), [str(a) for a in allowed], n=1, cutoff=0.4)
    hint = f"; nearest: {near[0]!r}" if near else ""
    raise AxisError(f"{axis}={value!r}: expected one of {', '.join(map(repr, allowed))}{hint}")


def check_number(name: str, value: object, *, below: float = math.inf) -> None:
    """Raise :class:`HyperparameterError` unless ``value`` is a real number in [0, below)."""
    if type(value) is float and 0.0 <= value < below:
        return
    wanted = f"a number in [0, {below:g})" if below < math.inf else "a finite number >= 0"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        hint = ""
        if hasattr(value, "dtype"):
            hint = "; take its value with float()"
            if name == "lr":
                hint += ", or give the array as this step's learning rate: step(..., lr=)"
        raise HyperparameterError(f"{name}={value!r} ({type(value).__name__}): expected {wanted}{hint}")
    try:
        number, shown = float(value), repr(value)
    except OverflowError:  # an integer that no float holds, with more digits than anybody would read
        number, shown = math.inf, f"inf ({type(value).__name__})"
    if not 0.0 <= number < below:
        raise HyperparameterError(f"{name}={shown}: expected {wanted}")

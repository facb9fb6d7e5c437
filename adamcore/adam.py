"""The `Adam` object: hyperparameters, a value on every axis, and the three things it does."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from adamcore import axes
from adamcore.errors import AxisError, HyperparameterError

Schedule = Callable[[Any], Any]  #: from the clock t of the step being made (the first is 1) to lr


@dataclass(frozen=True, kw_only=True)
class Adam:
    """One Adam: its hyperparameters and its choice on every axis.

    Frozen, hashable, validated on construction.  The defaults are Algorithm 1 of Kingma and Ba
    (2015), weight decay (0 unless given) as L2.

    Args:
        lr: learning rate, a number >= 0 or a schedule: a function of the clock t of the step
            being made (the first update is t=1).
        b1, b2: decay rates of the moments, in [0, 1).
        eps: added beside or under the root, >= 0, in the units of the axis ``epsilon``.
        eps_root: added to v_hat under the root besides, >= 0 (optax); only with epsilon outside.
        weight_decay: >= 0; what it multiplies is the axis ``decay``.
        momentum_decay: of Dozat's momentum schedule, >= 0; used by ``nesterov="dozat"`` alone.
        moment_dtype: name of the moments' dtype, such as ``"float32"``; None for the parameter's.

    The other fields are the axes of docs/spec.md; their values stand in :data:`adamcore.AXES`.

    Raises:
        HyperparameterError: a number outside its range, NaN or infinite.
        AxisError: a value the axis does not have, or a combination without a meaning.

    Example:
        >>> import numpy as np
        >>> opt = Adam(lr=0.1)
        >>> params = {"w": np.array([1.0, -2.0])}
        >>> state = opt.init(params)
        >>> params, state = opt.step(params, {"w": np.array([0.5, 0.0])}, state)
        >>> params["w"]
        array([ 0.9, -2. ])
    """

    lr: float | Schedule = 1e-3
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    eps_root: float = 0.0
    weight_decay: float = 0.0
    momentum_decay: float = 4e-3
    epsilon: axes.Epsilon = "outside-corrected"
    bias_correction: axes.BiasCorrection = "both"
    decay: axes.Decay = "l2"
    decay_order: axes.DecayOrder = "before"
    amsgrad: axes.Amsgrad = "none"
    nesterov: axes.Nesterov = "none"
    missing: axes.Missing = "skip"
    clock: axes.Clock = "per-parameter"
    all_missing: axes.AllMissing = "tick"
    maximize: bool = False
    complex: axes.Complex = "componentwise"
    coefficients: axes.CoefficientPrecision = "double"
    moment_dtype: str | None = None

    def __post_init__(self) -> None:
        if not callable(self.lr):
            check_number("lr", self.lr)
        for name in ("b1", "b2"):
            check_number(name, getattr(self, name), below=1.0)
        for name in ("eps", "eps_root", "weight_decay", "momentum_decay"):
            check_number(name, getattr(self, name))
        for name in axes.AXES:
            axes.check_axis(name, getattr(self, name))
        if self.eps_root and self.epsilon.startswith("inside"):
            raise AxisError(
                f"eps_root={self.eps_root!r} with epsilon={self.epsilon!r}: eps stands under the root "
                "already; give eps alone, or an epsilon outside"
            )
        for field in fields(self):  # 1 and np.float64(1.0) are the same Adam as 1.0
            value = getattr(self, field.name)
            if isinstance(value, numbers.Real) and not isinstance(value, bool):
                object.__setattr__(self, field.name, float(value))


def check_number(name: str, value: object, *, below: float = math.inf) -> None:
    """Raise :class:`HyperparameterError` unless ``value`` is a real number in [0, below)."""
    wanted = f"a number in [0, {below:g})" if below < math.inf else "a finite number >= 0"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise HyperparameterError(f"{name}={value!r} ({type(value).__name__}): expected {wanted}")
    if not 0.0 <= float(value) < below:
        raise HyperparameterError(f"{name}={value!r}: expected {wanted}")

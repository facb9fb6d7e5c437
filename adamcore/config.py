"""The configuration of an Adam: its hyperparameters and its value on every axis, validated."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from adamcore import axes
from adamcore.errors import AxisError, HyperparameterError
from adamcore.storage.moments import MOMENT_STORAGES, MomentStorage
from adamcore.storage.policies import P_STORAGES, PStorage

Schedule = Callable[[Any], Any]  #: from the clock t of the step being made (the first is 1) to lr
#: the fields that are numbers
HYPERPARAMETERS = ("lr", "b1", "b2", "eps", "eps_root", "weight_decay", "momentum_decay", "lr_max")
MOMENT_DTYPES = ("moment_dtype", "m_dtype", "v_dtype")  #: the fields that are names of dtypes, or None
MOMENT_STORAGE = ("m_storage", "v_storage")  #: the fields that say how moments are kept
#: the fields that say how arrays are kept between steps, apart from the arithmetic and from dtypes
STORAGE = ("p_storage", "seed", *MOMENT_STORAGE)


@dataclass(frozen=True, kw_only=True)
class AdamConfig:
    """The fields of :class:`adamcore.Adam`, which documents them.

    The modules below the facade take an ``AdamConfig``, so that none of them depends on it.

    Raises:
        HyperparameterError: a number is out of its range, NaN or infinite.
        AxisError: an axis does not have the value, or a combination has no meaning.

    Example:
        >>> AdamConfig(lr=1).lr
        1.0
    """

    lr: float | Schedule = 1e-3
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    eps_root: float = 0.0
    weight_decay: float = 0.0
    momentum_decay: float = 4e-3
    lr_max: float = 0.0
    epsilon: axes.Epsilon = "outside-corrected"
    bias_correction: axes.BiasCorrection = "both"
    decay: axes.Decay = "l2"
    decay_order: axes.DecayOrder = "before"
    cautious_decay: bool = False
    amsgrad: axes.Amsgrad = "none"
    nesterov: axes.Nesterov = "none"
    missing: axes.Missing = "skip"
    clock: axes.Clock = "per-parameter"
    all_missing: axes.AllMissing = "tick"
    maximize: bool = False
    complex: axes.Complex = "componentwise"
    coefficients: axes.CoefficientPrecision = "double"
    moment_dtype: str | None = None
    m_dtype: str | None = None
    v_dtype: str | None = None
    p_storage: PStorage = "plain"
    seed: int = 0
    m_storage: MomentStorage = "plain"
    v_storage: MomentStorage = "plain"

    def __post_init__(self) -> None:
        if not callable(self.lr):
            axes.check_number("lr", self.lr)
        for name in ("b1", "b2"):
            axes.check_number(name, getattr(self, name), below=1.0)
        for name in ("eps", "eps_root", "weight_decay", "momentum_decay", "lr_max"):
            axes.check_number(name, getattr(self, name))
        for name in axes.AXES:
            axes.check_axis(name, getattr(self, name))
        for name in MOMENT_DTYPES:
            dtype = getattr(self, name)
            if not isinstance(dtype, (str, type(None))):  # Dynamo of PyTorch 2.7 reads no union of types
                otherwise = "the parameter's" if name == "moment_dtype" else "that of moment_dtype"
                raise HyperparameterError(
                    f"{name}={dtype!r} ({type(dtype).__name__}): expected the name of a dtype, such as "
                    f"'float32', or None for {otherwise}"
                )
        for name, policies in {
            "p_storage": P_STORAGES,
            **dict.fromkeys(MOMENT_STORAGE, MOMENT_STORAGES),
        }.items():
            if getattr(self, name) not in policies:
                known = ", ".join(map(repr, policies))
                raise HyperparameterError(f"{name}={getattr(self, name)!r}: expected one of {known}")
        seed: Any = self.seed
        if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or not 0 <= int(seed) < 2**32:
            raise HyperparameterError(f"seed={self.seed!r}: expected a whole number from 0 to 2**32 - 1")
        object.__setattr__(self, "seed", int(seed))
        if self.eps_root and self.epsilon.startswith("inside"):
            raise AxisError(
                f"eps_root={self.eps_root!r} with epsilon={self.epsilon!r}: eps stands under the root "
                "already; give eps alone, or an epsilon outside"
            )
        if self.cautious_decay and self.decay == "l2" and self.weight_decay:
            raise AxisError(
                f"cautious_decay=True with decay='l2' and weight_decay={self.weight_decay!r}: a decay that "
                "enters the moments is part of every step; give decay='decoupled'"
            )
        for field in fields(self):  # 1 and np.float64(1.0) are the same Adam as 1.0
            value = getattr(self, field.name)
            if field.name == "seed" or type(value) in (float, str, bool):
                continue
            if isinstance(value, numbers.Real):
                object.__setattr__(self, field.name, float(value))
        if self.decay in axes.RELATIVE and not self.lr_max:
            if self.weight_decay and (callable(self.lr) or not self.lr):
                came = "a schedule" if callable(self.lr) else self.lr
                raise HyperparameterError(
                    f"lr_max=0.0 with decay={self.decay!r} and lr={came}: expected a number > 0, by which "
                    "the learning rate of a step is divided; give lr_max"
                )
            object.__setattr__(self, "lr_max", 0.0 if callable(self.lr) else self.lr)

"""The clock, the learning rate, and from them the coefficients of a step (CLK.1-4, LR.1, NUM.4)."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from adamcore.axes import check_number
from adamcore.coefficients import MAX_CLOCK, Given, Host
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients, coefficients
from adamcore.errors import ClockError, HyperparameterError, StateError
from adamcore.protocol import Backend
from adamcore.types import Array

HOST = Host()
PYTHON = (int, float)  # what is no array


class Tick(NamedTuple):
    """A clock after its tick, as the state stores it, and the coefficients of that update."""

    t: Any
    mu_product: Any
    coefficients: Coefficients


class Ticker:
    """Ticks the clocks of one step.

    Coefficients are formed in Python's float64 where clock and learning rate are known to the
    host, once for each value of the clock; else in the program's 0-d arrays.  ``hyper`` has this
    step's values of other hyperparameters instead of the object's, numbers or 0-d arrays.
    """

    def __init__(
        self, adam: AdamConfig, backend: Backend, lr: Any, hyper: Mapping[str, Any] | None = None
    ) -> None:
        self.adam, self.backend = injected(adam, backend, hyper), backend
        self.given = any(isinstance(getattr(self.adam, name), Given) for name in hyper or ())
        self.lr = adam.lr if lr is None else lr
        self.known: dict[tuple[int, float | None], Coefficients | None] = {}

    def tick(self, t: Any, mu_product: Any, like: Array, path: Callable[[], str]) -> Tick:
        """One clock's next value; ``like`` is an array whose step it is.

        Raises:
            ClockError: a clock that is no whole number in its range.
            HyperparameterError: the learning rate is not a number >= 0.
        """
        now = self.read(t, path)
        mu = None if mu_product is None else self.read_mu(mu_product)
        if now is not None and (mu_product is None or mu is not None):
            after = min(now + 1, MAX_CLOCK)
            c = self.on_host(after, mu)
            if c is not None:
                return Tick(self.stored(after, t), self.stored(c.mu_product, mu_product), c)
        quick = None if self.given or callable(self.lr) else self.backend.tick_on_device(
            self.adam, t, mu_product, self.read_lr(self.lr), like
        )  # fmt: skip
        if quick is not None:
            return Tick(*quick)
        n = self.backend.numbers(like)
        if isinstance(t, numbers.Integral):
            after = min(int(t) + 1, MAX_CLOCK)
            after_t = self.backend.full(after, self.backend.dtype_named("int32", like), like)
            new_t: Any = after
        else:
            new_t = after_t = n.successor(t)
        lr = self.read_lr(self.lr(after_t) if callable(self.lr) else self.lr)
        c = coefficients(
            n, self.adam, after_t, n.number(lr), None if mu_product is None else n.number(mu_product)
        )
        new_mu = c.mu_product
        if hasattr(mu_product, "dtype"):
            new_mu = self.backend.cast(new_mu, mu_product.dtype)
        return Tick(new_t, new_mu, c)

    def on_host(self, t: int, mu: float | None) -> Coefficients | None:
        """The coefficients in Python's floats; None if only the program knows the learning rate."""
        key = (t, mu)
        if key not in self.known:
            lr = self.read_lr(self.lr(t) if callable(self.lr) else self.lr)
            known = isinstance(lr, float) and not self.given
            self.known[key] = coefficients(HOST, self.adam, t, lr, mu) if known else None
        return self.known[key]

    def read(self, t: Any, path: Callable[[], str]) -> int | None:
        """A checked clock; None if only the program knows it."""
        value: int | None
        if isinstance(t, numbers.Integral) and not isinstance(t, bool):
            value = int(t)
        elif self.backend.owns(t) and t.shape == () and self.backend.integer(t.dtype):
            value = self.backend.host(t)
        else:
            came = (
                f"{type(t).__name__} of {t.dtype} and shape {tuple(t.shape)}"
                if hasattr(t, "dtype")
                else repr(t)
            )
            raise ClockError(
                f"{path()} is {came}: expected the number of updates made, an int32 0-d array of "
                f"{self.backend.name}; start from init, or restore the clock as it was saved"
            )
        if value is not None and not 0 <= value <= MAX_CLOCK:
            raise ClockError(
                f"{path()} is {value}: expected 0 to {MAX_CLOCK}; restore the clock as it was saved, or "
                "start it again with reset"
            )
        return value

    def read_mu(self, mu_product: Any) -> float | None:
        """The momentum product so far; None if only the program knows it."""
        if isinstance(mu_product, numbers.Real):
            return float(mu_product)
        if not self.backend.owns(mu_product) or mu_product.shape != ():
            raise StateError(
                f"state.mu_product holds {type(mu_product).__name__}: expected floating 0-d arrays of "
                f"{self.backend.name}, as init makes them"
            )
        value = self.backend.host(mu_product)
        return None if value is None else float(value)

    def read_lr(self, lr: Any) -> Any:
        """This step's learning rate: a checked float, or the 0-d array that only the program knows."""
        value = lr
        if not isinstance(lr, numbers.Real) and hasattr(lr, "dtype"):
            owned = self.backend.owns(lr)
            if tuple(lr.shape) != () or (owned and self.backend.kind(lr.dtype) == "complex"):
                raise HyperparameterError(
                    f"lr is an array of {lr.dtype} and shape {tuple(lr.shape)}: expected a number "
                    "or a 0-d array"
                )
            value = self.backend.host(lr) if owned else float(lr)
            if value is None:
                return lr
        check_number("lr", value)
        return float(value)

    def choose(self, flag: Array, new: Any, old: Any) -> Any:
        """A clock or product that is the new one only where the flag, known to the program, is True."""
        if old is None:
            return None
        if isinstance(old, PYTHON):  # no longer a number the host knows
            new = new if self.backend.owns(new) else self.backend.full(new, self.dtype_of(old, flag), flag)
            old = self.backend.full(old, new.dtype, flag)
        return self.backend.where(flag, new, old)

    def dtype_of(self, number: float, like: Array) -> Any:
        """The dtype in which the state holds a Python number."""
        if isinstance(number, int):
            return self.backend.dtype_named("int32", like)
        return self.backend.coefficient_dtype(like)

    def stored(self, value: Any, old: Any) -> Any:
        """A new clock or product in the form of the old one: a Python number, or an array."""
        return value if old is None or isinstance(old, PYTHON) else self.backend.full(value, old.dtype, old)


def injected(adam: AdamConfig, backend: Backend, hyper: Mapping[str, Any] | None) -> AdamConfig:
    """``adam`` with hyperparameters in their place: checked numbers, :class:`Given` where traced."""
    if not hyper:
        return adam
    found: dict[str, Any] = {n: backend.host(x) if backend.owns(x) else float(x) for n, x in hyper.items()}
    known: dict[str, Any] = {name: value for name, value in found.items() if value is not None}
    adam = replace(adam, **known)
    for name, value in found.items():
        if value is None:
            object.__setattr__(adam, name, Given(hyper[name]))
    return adam

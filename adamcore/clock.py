"""The clock and the learning rate of a step, and the coefficients that they give (CLK.1-4, LR.1, NUM.4)."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import cycle
from typing import Any, NamedTuple

from adamcore.axes import check_number
from adamcore.coefficients import MAX_CLOCK, Given, Host
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients, coefficients
from adamcore.errors import ClockError, HyperparameterError, MissingGradientError, StateError
from adamcore.presence import Participation
from adamcore.protocol import Backend
from adamcore.registry import PLAIN
from adamcore.state import AdamState
from adamcore.trees import ParamTree
from adamcore.types import Array, Clock, DType, Scalar, Tree

HOST = Host()
PYTHON = (int, float)  #: clocks and products of these types are no arrays


class Tick(NamedTuple):
    """A clock after its tick, in the form in which the state holds it, and the coefficients of the update."""

    t: Clock
    mu_product: Scalar
    coefficients: Coefficients


class Ticker:
    """The clocks of one step and how they tick.

    If the host knows the clock and the learning rate, the coefficients are formed in Python's float64,
    once for each value of the clock.  Otherwise the program forms them in 0-d arrays.

    Args:
        lr: this step's learning rate; None for the Adam's own.
        hyper: this step's values of other hyperparameters by name: numbers, 0-d arrays, or functions of the
            clock of the update, as a schedule of lr.
    """

    def __init__(
        self, adam: AdamConfig, backend: Backend, lr: Any, hyper: Mapping[str, Any] | None = None
    ) -> None:
        self.plain, self.backend, self.hyper = adam, backend, hyper or {}
        self.scheduled = any(callable(x) for x in self.hyper.values())
        self.adam = adam if self.scheduled else self.at(None)
        self.lr = adam.lr if lr is None else lr
        self.known: dict[tuple[int, float | None], Coefficients | None] = {}

    def tick(self, t: Clock, mu_product: Scalar, like: Array, path: Callable[[], str]) -> Tick:
        """Return the clock ``t`` after its tick, with the coefficients of that update.

        Args:
            like: an array that the clock belongs to.
            path: the clock's path, for messages.

        Raises:
            ClockError: the clock is no whole number in its range.
            HyperparameterError: the learning rate is not a number >= 0.
        """
        now = self.read(t, path)
        mu = None if mu_product is None else self.read_mu(mu_product)
        if now is not None and (mu_product is None or mu is not None):
            after = min(now + 1, MAX_CLOCK)
            c = self.on_host(after, mu)
            if c is not None:
                return Tick(self.stored(after, t), self.stored(c.mu_product, mu_product), c)
        if not (self.scheduled or self.given(self.adam) or callable(self.lr)):
            ticked = self.backend.tick_on_device(self.adam, t, mu_product, self.read_lr(self.lr), like)
            if ticked is not None:
                return Tick(*ticked)
        n = self.backend.numbers(like)
        if isinstance(t, numbers.Integral):
            after = min(int(t) + 1, MAX_CLOCK)
            after_t = self.backend.full(after, self.backend.dtype_named("int32", like), like)
            new_t: Any = after
        else:
            new_t = after_t = n.successor(t)
        lr = self.read_lr(self.lr(after_t) if callable(self.lr) else self.lr)
        adam = self.at(after_t) if self.scheduled else self.adam
        c = coefficients(n, adam, after_t, n.number(lr), None if mu_product is None else n.number(mu_product))
        new_mu = c.mu_product
        if hasattr(mu_product, "dtype"):
            new_mu = self.backend.cast(new_mu, mu_product.dtype)
        return Tick(new_t, new_mu, c)

    def tick_on_device(
        self, ts: Sequence[Clock], mu_products: Sequence[Scalar], like: Array, path: Callable[[], str]
    ) -> list[Tick] | None:
        """Return what :meth:`tick` does of clocks that the host can't know, if one kernel ticks them.

        Args:
            path: the path of the first clock, for messages.
        """
        if self.scheduled or self.given(self.adam) or callable(self.lr) or self.read(ts[0], path) is not None:
            return None
        lr = self.read_lr(self.lr)
        ticked = self.backend.tick_each_on_device(self.adam, ts, mu_products, lr, like)
        return None if ticked is None else [Tick(*each) for each in ticked]

    def at(self, t: Clock) -> AdamConfig:
        """Return the Adam with the hyperparameters of the update that has the clock ``t``."""
        values = {name: x(t) if callable(x) else x for name, x in self.hyper.items()}
        return injected(self.plain, self.backend, values)

    def given(self, adam: AdamConfig) -> bool:
        """True if only the program knows a hyperparameter of ``adam``, the result of :meth:`at`."""
        return any(isinstance(getattr(adam, name), Given) for name in self.hyper)

    def tick_together(self, ts: list[Clock]) -> tuple[list[Clock], list[Coefficients]] | None:
        """Return clocks after their tick, and the coefficients; None if :meth:`tick` has to look.

        It serves arrays whose values the host knows, and does with a vector what :meth:`tick` does with one.
        The coefficients are a row for each clock, or one row if the clocks are equal.
        """
        now = self.backend.integers(ts) if ts else None
        if now is None or min(now) < 0 or max(now) > MAX_CLOCK:
            return None
        alike = now.count(now[0]) == len(now)
        after = {t: min(t + 1, MAX_CLOCK) for t in (now[:1] if alike else now)}
        rows: dict[int, Any] = {t: self.on_host(following, None) for t, following in after.items()}
        if any(row is None for row in rows.values()):
            return None
        if alike:
            ticked, coefficients = [after[now[0]]] * len(now), [rows[now[0]]]
        else:
            ticked, coefficients = [after[t] for t in now], [rows[t] for t in now]
        return self.backend.full_each(ticked, ts[0].dtype, ts[0]), coefficients

    def tick_in_program(self, ts: Sequence[Clock], like: Array) -> list[tuple[Clock, Coefficients]] | None:
        """Return what :meth:`tick` does of clocks that only the program knows, without a momentum product.

        None if the backend ticks them one by one, or if lr or another hyperparameter depends on the clock.
        """
        backend, lr = self.backend, self.lr
        if self.scheduled or callable(lr):
            return None
        if not all(backend.owns(t) and t.shape == () and backend.integer(t.dtype) for t in ts):
            return None

        n = backend.numbers(like)

        def known(after: Array) -> Coefficients:
            return coefficients(n, self.adam, after, n.number(self.read_lr(lr)))

        return backend.tick_each(ts, n.successor, known)

    def on_host(self, t: int, mu: float | None) -> Coefficients | None:
        """Return the coefficients in Python's floats; None if only the program knows lr or another number."""
        key = (t, mu)
        if key not in self.known:
            lr = self.read_lr(self.lr(t) if callable(self.lr) else self.lr)
            adam = self.at(t) if self.scheduled else self.adam
            known = isinstance(lr, float) and not (self.hyper and self.given(adam))
            self.known[key] = coefficients(HOST, adam, t, lr, mu) if known else None
        return self.known[key]

    def read(self, t: Clock, path: Callable[[], str]) -> int | None:
        """Return the clock's value, checked; None if only the program knows it."""
        value: int | None
        if self.backend.owns(t) and t.shape == () and self.backend.integer(t.dtype):
            value = self.backend.host(t)
        elif isinstance(t, numbers.Integral) and not isinstance(t, bool):
            value = int(t)
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

    def read_mu(self, mu_product: Scalar) -> float | None:
        """Return the momentum product so far; None if only the program knows it."""
        if isinstance(mu_product, numbers.Real):
            return float(mu_product)
        if not self.backend.owns(mu_product) or mu_product.shape != ():
            raise StateError(
                f"state.mu_product holds {type(mu_product).__name__}: expected floating 0-d arrays of "
                f"{self.backend.name}, as init makes them"
            )
        value = self.backend.host(mu_product)
        return None if value is None else float(value)

    def read_lr(self, lr: Scalar) -> Scalar:
        """Return the learning rate as a checked float, or as the 0-d array that only the program knows."""
        if type(lr) is float and 0.0 <= lr < math.inf:
            return lr
        value = known("lr", lr, self.backend)
        return lr if value is None else value

    def choose(self, flag: Array, new: Scalar, old: Scalar) -> Scalar:
        """Return a clock or product: ``new`` where the flag is True, which only the program knows."""
        if old is None:
            return None
        if isinstance(old, PYTHON):  # the result is an array, since the host does not know it
            new = new if self.backend.owns(new) else self.backend.full(new, self.dtype_of(old, flag), flag)
            old = self.backend.full(old, new.dtype, flag)
        return self.backend.where(flag, new, old)

    def dtype_of(self, number: float, like: Array) -> DType:
        """Return the dtype of an array that takes the place of a Python number in the state."""
        if isinstance(number, int):
            return self.backend.dtype_named("int32", like)
        return self.backend.coefficient_dtype(like)

    def stored(self, value: Scalar, old: Scalar) -> Scalar:
        """Return a new clock or product in the form of the old one: a Python number, or an array."""
        return value if old is None or isinstance(old, PYTHON) else self.backend.full(value, old.dtype, old)


def tick_all(
    adam: AdamConfig, tree: ParamTree, ticker: Ticker, state: AdamState, parts: list[Participation]
) -> tuple[list[Any], Tree, Tree]:
    """Return each leaf's coefficients, and the state's new t and mu_product (CLK.1, CLK.4, F1, F3, F6).

    A leaf that is absent has coefficients that nobody uses, or None.
    """
    n = len(parts)
    if adam.clock == "per-parameter":
        ts = tree.match(state.t, "state.t", StateError)
        rows: list[Any] = [None] * n
        moving = [i for i, part in enumerate(parts) if not part.absent]
        if tree.large and state.mu_product is None and all(parts[i].flag is None for i in moving):
            together = ticker.tick_together([ts[i] for i in moving])
            if together is not None:
                clocks, known = together
                for i, after, row in zip(moving, clocks, cycle(known), strict=False):
                    ts[i], rows[i] = after, row
                return rows, tree.like(ts), None
        if state.mu_product is None and moving:
            ticks = ticker.tick_in_program([ts[i] for i in moving], tree.leaves[moving[0]])
            if ticks is not None:
                for i, (after, row) in zip(moving, ticks, strict=True):
                    flag = parts[i].flag
                    ts[i], rows[i] = after if flag is None else ticker.choose(flag, after, ts[i]), row
                return rows, tree.like(ts), None
        products = [None] * n
        if state.mu_product is not None:
            products = tree.match(state.mu_product, "state.mu_product", StateError)
        at_once = None
        if len(moving) > 1:
            path = partial(tree.path, moving[0], "state.t")
            those = [ts[i] for i in moving], [products[i] for i in moving]
            at_once = ticker.tick_on_device(*those, tree.leaves[moving[0]], path)
        for k, i in enumerate(moving):
            part = parts[i]
            path = partial(tree.path, i, "state.t")
            tick = at_once[k] if at_once else ticker.tick(ts[i], products[i], tree.leaves[i], path)
            rows[i] = tick.coefficients
            ts[i], products[i] = select(ticker, part.flag, tick, ts[i], products[i])
        return rows, tree.like(ts), None if state.mu_product is None else tree.like(products)

    t, product = state.t, state.mu_product
    like = tree.first_parameter()
    if like is None:
        return [None] * n, t, product
    if isinstance(t, PLAIN):
        raise StateError(
            f"state.t is a {type(t).__name__}: expected one clock, as clock='global'; this state was made "
            "with clock='per-parameter': make it anew with init"
        )
    tick = ticker.tick(t, product, like, lambda: "state.t")
    rows = [tick.coefficients] * n
    if any(not part.absent and part.flag is None for part in parts) or adam.all_missing == "tick":
        return rows, tick.t, tick.mu_product
    flags = [part.flag for part in parts if part.flag is not None]
    if flags:  # only the program knows whether all are absent
        if adam.all_missing == "error":
            return rows, tick.t, tick.mu_product
        any_present = flags[0]
        for flag in flags[1:]:
            any_present = any_present | flag
        return rows, *select(ticker, any_present, tick, t, product)
    if adam.all_missing == "error":
        raise MissingGradientError(
            "every gradient is absent: expected at least one, as all_missing='error' with clock='global'; "
            "skip the step, or choose all_missing='tick' or 'hold'"
        )
    return rows, t, product


def select(ticker: Ticker, flag: Array | None, tick: Tick, t: Clock, product: Scalar) -> tuple[Clock, Scalar]:
    """Return clock and product after a tick that happens only if ``flag`` is True (or None)."""
    if flag is None:
        return tick.t, tick.mu_product
    return ticker.choose(flag, tick.t, t), ticker.choose(flag, tick.mu_product, product)


def known(name: str, value: Scalar, backend: Backend) -> float | None:
    """Return a hyperparameter as a checked float; None for a 0-d array that only the program knows.

    Raises:
        HyperparameterError: it is neither a number in its range nor a 0-d array.
    """
    if not isinstance(value, numbers.Real) and hasattr(value, "dtype"):
        owned = backend.owns(value)
        if tuple(value.shape) != () or (owned and backend.kind(value.dtype) == "complex"):
            raise HyperparameterError(
                f"{name} is an array of {value.dtype} and shape {tuple(value.shape)}: expected a number "
                "or a 0-d array"
            )
        value = backend.host(value) if owned else float(value)
        if value is None:
            return None
    check_number(name, value)
    return float(value)


def fixed_lr(adam: AdamConfig, backend: Backend, lr: Scalar | None) -> float:
    """Return the learning rate of an Adam, or another one, as a checked number.

    Raises:
        HyperparameterError: it is a schedule or a traced array, or no number >= 0.
    """
    lr = adam.lr if lr is None else lr
    value = None if callable(lr) else known("lr", lr, backend)
    if value is None:
        came = "a schedule" if callable(lr) else "an array whose value only the program knows"
        raise HyperparameterError(f"lr is {came}: expected a number, the lr to look at, such as the largest")
    return value


def injected(adam: AdamConfig, backend: Backend, hyper: Mapping[str, Any] | None) -> AdamConfig:
    """Return ``adam`` with this step's hyperparameters: a checked number, or :class:`Given` if traced."""
    if not hyper:
        return adam
    values: dict[str, Any] = {name: known(name, x, backend) for name, x in hyper.items()}
    adam = replace(adam, **{name: value for name, value in values.items() if value is not None})
    for name, value in values.items():
        if value is None:
            object.__setattr__(adam, name, Given(hyper[name]))
    return adam

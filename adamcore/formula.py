"""The coefficients of a step as one Python function, written by the definition.

:func:`adamcore.definition.coefficients` is run once with numbers that write down what is done to
them, and the text is compiled: the same operations in the same order and so the same bits as
:class:`adamcore.coefficients.Host`, without asking at every step which rule applies.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from adamcore.coefficients import MAX_CLOCK, Host
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients, Number, coefficients

NAMES = {"expm1": math.expm1, "sqrt": math.sqrt, "pow": math.pow, "min": min}


class Term:
    """A number known by a name alone."""

    __slots__ = ("lines", "name")

    def __init__(self, lines: list[str], name: str) -> None:
        self.lines, self.name = lines, name

    def set(self, text: str) -> Term:
        """A new name for what ``text`` gives."""
        name = f"x{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        return Term(self.lines, name)

    def __neg__(self) -> Term:
        return self.set(f"-{self.name}")

    def __add__(self, other: Any) -> Term:
        return self.set(f"{self.name} + {named(other)}")

    def __radd__(self, other: Any) -> Term:
        return self.set(f"{named(other)} + {self.name}")

    def __sub__(self, other: Any) -> Term:
        return self.set(f"{self.name} - {named(other)}")

    def __rsub__(self, other: Any) -> Term:
        return self.set(f"{named(other)} - {self.name}")

    def __mul__(self, other: Any) -> Term:
        return self.set(f"{self.name} * {named(other)}")

    def __rmul__(self, other: Any) -> Term:
        return self.set(f"{named(other)} * {self.name}")

    def __truediv__(self, other: Any) -> Term:
        return self.set(f"{self.name} / {named(other)}")

    def __rtruediv__(self, other: Any) -> Term:
        return self.set(f"{named(other)} / {self.name}")


def named(x: Any) -> str:
    """How a term, or a number that is known already, is written."""
    return x.name if isinstance(x, Term) else repr(x)


class Written(Host):
    """The host's arithmetic, written down."""

    def expm1(self, x: Any) -> Any:
        return x.set(f"expm1({x.name})") if isinstance(x, Term) else math.expm1(x)

    def sqrt(self, x: Any) -> Any:
        return x.set(f"sqrt({x.name})") if isinstance(x, Term) else math.sqrt(x)

    def power(self, base: float, k: Any, rate: float) -> Any:
        return k.set(f"pow({base!r}, {k.name} * {rate!r})")

    def successor(self, t: Any) -> Any:
        return t.set(f"min({t.name} + 1, {MAX_CLOCK})")

    def complement_power(self, b: float, t: Any) -> Any:
        return 1.0 if b == 0 else super().complement_power(b, t)

    def keep(self, kept: Number, weight: Number) -> Any:
        if not isinstance(weight, Term):
            return super().keep(kept, weight)
        return weight.set(f"None if {weight.name} <= 0.5 else {named(kept)}")


@lru_cache(maxsize=64)
def formula(adam: AdamConfig) -> Callable[[int, float], Coefficients]:
    """The function from the clock t >= 1 and lr to the coefficients, without Dozat's schedule.

    >>> from adamcore import Adam
    >>> from adamcore.coefficients import Host
    >>> formula(Adam())(7, 1e-3) == coefficients(Host(), Adam(), 7, 1e-3)
    True
    """
    lines: list[str] = []
    t, lr = Term(lines, "t"), Term(lines, "lr")
    made = coefficients(Written(), adam, t, lr)
    body = [*lines, f"return make(({', '.join(map(named, made))},))"]
    text = "def f(t, lr):\n" + "".join(f"    {line}\n" for line in body)
    space: dict[str, Any] = {**NAMES, "make": Coefficients._make}
    exec(text, space)
    function: Callable[[int, float], Coefficients] = space["f"]
    return function

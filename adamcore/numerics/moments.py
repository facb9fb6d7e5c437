"""What the dtype of a moment loses: values that vanish, overflow, or no longer move."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from adamcore.numerics.formats import Format

if TYPE_CHECKING:
    from adamcore.config import AdamConfig

MATERIAL = 0.05  #: nothing is said of a loss that changes the length of a step by no more than this part


class Loss(NamedTuple):
    """A finding before it is known which leaves it is true of."""

    what: str
    dtype: str
    numbers: Mapping[str, float]
    message: str


def first_moment(adam: AdamConfig, held: Format) -> Iterator[Loss]:
    """Yield what a format loses of m."""
    weight, instead = 1.0 - adam.b1, f"give m_dtype={wider(held)!r}"
    g = held.zero / weight
    if adam.b1 and g > least_denominator(adam):
        message = f"m stays 0 where |g| is {g:.3g} or less: (1-b1)*g is 0 in {held.name}; {instead}"
        yield Loss("m-underflow", held.name, {"b1": adam.b1, "g": g}, message)
    r = held.shortfall(weight)
    low, high = 1 / (1 + r), 1 / (1 + r / 2)
    if weight <= 0.5 and 1 - low > MATERIAL:
        message = (
            f"m stops at {low:.3g} to {high:.3g} of a steady gradient: (1-b1) of the rest is less than half "
            f"the distance to the next number{rounded_to_one('b1', weight, held)}. Steps are that much "
            f"shorter; {instead}"
        )
        yield Loss("m-stalls", held.name, {"b1": adam.b1, "low": low, "high": high}, message)


def second_moment(adam: AdamConfig, held: Format, work: Format) -> Iterator[Loss]:
    """Yield what a format loses of v, with arithmetic in the format ``work``."""
    weight, instead = 1.0 - adam.b2, f"give v_dtype={wider(held)!r}"
    g, floor = math.sqrt(held.zero / weight), least_denominator(adam)
    steady, ended = over(g, math.sqrt(weight) * g + floor), over(adam.b1 * g, floor)
    if max(steady, ended) > 1 + MATERIAL:
        longer = "float32" if held.greatest < work.greatest / 2 else "float64"
        message = (
            f"v stays 0 where |g| is {g:.3g} or less, and m does not: (1-b2)*g*g is 0 in {held.name}. Steps "
            f"are up to {steady:.3g} times lr, and {ended:.3g} times lr once such gradients end; "
            f"give v_dtype={longer!r}, or an eps of that size"
        )
        numbers = {"b2": adam.b2, "g": g, "steady": steady, "ended": ended}
        yield Loss("v-underflow", held.name, numbers, message)
    if held.greatest < work.greatest / 2:
        g = math.sqrt(held.greatest + held.spacing(held.greatest) / 2 / weight)
        message = (
            f"v becomes infinite where |g| stays at {g:.4g} or more, and p NaN one step later; {instead}"
        )
        yield Loss("v-overflow", held.name, {"b2": adam.b2, "g": g}, message)
    r = held.shortfall(weight)
    low, high, longest = 1 / (1 + r), 1 / (1 + r / 2), math.sqrt(1 + r)
    if weight <= 0.5 and longest - 1 > MATERIAL:
        message = (
            f"v stops at {low:.3g} to {high:.3g} of a steady g*g: (1-b2) of the rest is less than half the "
            f"distance to the next number{rounded_to_one('b2', weight, held)}. Steps are up to {longest:.3g} "
            f"times too long{', and v never falls' if r >= 2 else ''}; {instead}"
        )
        numbers = {"b2": adam.b2, "low": low, "high": high, "longest": longest}
        yield Loss("v-stalls", held.name, numbers, message)


def least_denominator(adam: AdamConfig) -> float:
    """Return what a late step divides by where v is 0."""
    if adam.epsilon.startswith("inside"):
        return math.sqrt(adam.eps)
    return math.sqrt(adam.eps_root) + adam.eps


def over(x: float, y: float) -> float:
    """Return the quotient of two numbers >= 0, infinite where only the second is 0.

    >>> over(1.0, 0.0), over(0.0, 0.0)
    (inf, 0.0)
    """
    return x / y if y else math.inf if x else 0.0


def wider(held: Format) -> str:
    """Return the name of the dtype that loses less."""
    return "float32" if held.digits < 24 else "float64"


def rounded_to_one(name: str, weight: float, held: Format) -> str:
    """Return a remark if the beta itself would be 1 in this format."""
    return f" ({name} itself rounds to 1)" if math.ldexp(weight, held.digits + 1) <= 1 else ""

"""Coefficients formed in too narrow a format: powers, products, corrections, weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any

import numpy as np

from adamcore.conformance.dtypes import round_float
from adamcore.conformance.faults import _updates
from adamcore.conformance.oracle.perturbation import Fault, StepContext, UpdateInput, UpdateOutput
from adamcore.definition import Coefficients

f32 = np.float32
LONG = 5000  #: steps
By = Callable[[float, int], float]  #: 1 - b**t, of b and t


def power(b: float, t: int) -> float:
    """Return 1 - b**t with the power in float32."""
    return np.float64(f32(1) - f32(b) ** f32(t))


@lru_cache(maxsize=1024)
def product(b: float, t: int) -> float:
    """Return 1 - b**t with a running product in float32; Meaningless beyond LONG steps."""
    _updates.require(t < LONG)
    total = f32(1)
    for _ in range(t):
        total = total * f32(b)
    return np.float64(f32(1) - total)


def power_in(dtype: str, b: float, t: int) -> float:
    """Return 1 - b**t with b, the power and the difference rounded to a dtype."""
    kept = round_float(round_float(b, dtype) ** round_float(t, dtype), dtype)
    return np.float64(round_float(1.0 - kept, dtype))


def power_of_double(b: float, t: int) -> float:
    """Return 1 - b**t with the power in double, rounded to float32 before it is subtracted."""
    return np.float64(f32(1) - f32(b**t))


def stored_in(dtype: str, b: float, t: int) -> float:
    """Return 1 - b**t formed in double and rounded to a dtype."""
    return np.float64(round_float(1.0 - b**t, dtype))


def linear(b: float, t: int) -> float:
    """Return t * (1 - b), the first-order expansion of 1 - b**t."""
    return min(t * (1.0 - b), 1.0)


def formed_by(by: By, c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    """Correct with ``by(b, t)``; the oracle has no answer if one of them is 0."""
    changed: dict[str, Any] = {}
    _updates.require(by(at.adam.b1, at.t) and by(at.adam.b2, at.t))
    if at.adam.bias_correction in ("both", "first") and at.adam.nesterov == "none":
        changed["step_m"] = n.number(at.lr) / by(at.adam.b1, at.t)
    if c.over_root is not None:
        changed["square"] = by(at.adam.b2, at.t)
        changed["over_root"] = 1.0 / n.sqrt(n.number(changed["square"]))
    return c._replace(**changed)


def formed_as(by: By, at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Correct with ``by(b, t)`` in a model, which may divide by 0."""
    _updates.require(
        at.adam.bias_correction == "both" and at.adam.nesterov == "none" and c.over_root is not None
    )
    c1, c2 = np.float64(by(at.adam.b1, at.t)), np.float64(by(at.adam.b2, at.t))
    return _updates.as_defined(
        at, c._replace(step_m=at.lr / c1, square=c2, over_root=1.0 / np.sqrt(c2)), inputs
    )


def weights_in(dtype: str, c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    """Form the weights 1 - b in a narrow dtype; the old moments keep the weight b."""
    w1, w2 = (round_float(1.0 - round_float(b, dtype), dtype) for b in (at.adam.b1, at.adam.b2))
    return c._replace(w1=w1, w2=w2, keep1=n.number(at.adam.b1), keep2=n.number(at.adam.b2))


def running(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Correct with a float32 product that begins with the optimizer, whatever t it begins at."""
    _updates.require(at.adam.bias_correction == "both" and at.adam.nesterov == "none")
    products = inputs.memory.get("products", (f32(1), f32(1)))
    products = products[0] * f32(at.adam.b1), products[1] * f32(at.adam.b2)
    inputs.memory["products"] = products
    c1, c2 = (np.float64(f32(1) - kept) for kept in products)
    return _updates.as_defined(
        at, c._replace(step_m=at.lr / c1, square=c2, over_root=1.0 / np.sqrt(c2)), inputs
    )


def faults() -> Iterator[Fault]:
    forming: tuple[tuple[str, str, By], ...] = (
        ("power-float32", "1-b**t is formed in float32", power),
        ("complement-float32", "b**t is rounded to float32 before it is subtracted", power_of_double),
        ("product-float32", "b**t is a running product in float32", product),
        *(
            (f"{kind}-{dtype}", f"{what} in {dtype}", partial(by, dtype))
            for dtype in ("float16", "bfloat16")
            for kind, what, by in (
                ("power", "1-b**t is formed", power_in), ("stored", "1-b**t is kept", stored_in),
            )
        ),
        ("stored-float32", "1-b**t is kept in float32", partial(stored_in, "float32")),
    )  # fmt: skip
    for name, says, by in forming:
        yield Fault(f"correction-{name}", "coefficients", "NUM.4", says, coefficients=partial(formed_by, by))
        if "float16" in name:  # where 1-b**t may come to 0
            yield Fault(
                f"correction-{name}-0",
                "coefficients",
                "NUM.4",
                f"{says}, where it may come to 0",
                update=partial(formed_as, by),
            )
    yield Fault(
        "correction-running",
        "coefficients",
        "NUM.4",
        "b**t is a product in float32 that begins with the optimizer",
        update=running,
    )
    for dtype in ("float32", "float16", "bfloat16"):
        yield Fault(
            f"weights-{dtype}",
            "coefficients",
            "NUM.4",
            f"1-b1 and 1-b2 are formed in {dtype}",
            coefficients=partial(weights_in, dtype),
        )
    yield Fault(
        "correction-linear",
        "bias_correction",
        "BC.1",
        "min(t*(1-b), 1) is taken for 1-b**t",
        coefficients=partial(formed_by, linear),
    )


COEFFICIENTS = tuple(faults())

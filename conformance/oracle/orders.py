"""What other orders of evaluation add to the bound where they round what the definition does not.

The definition's own roundings cover the family of docs/tolerance.md but for three kinds of order: a numerator
that is scaled before it is divided, a look-ahead whose two parts are taken from p one after the other, and
cautious decay by a factor of p.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adamcore import Adam
from adamcore.conformance.oracle.affine import AffineNumber, Format
from adamcore.conformance.types import FloatArray
from adamcore.definition import Coefficients


def add_scaled_numerators(
    p: AffineNumber,
    m: AffineNumber,
    g: FloatArray,
    c: Coefficients,
    adam: Adam,
    lr: float,
    root: AffineNumber,
) -> None:
    """Add to a new p, in place, the errors of a numerator that is scaled before it is divided.

    The definition multiplies ``m / denominator`` by the step size.  If m is multiplied first, by lr, by
    1/c1, or by ``r = sqrt(c2)`` beside ``sqrt(v) + eps*r``, a product may underflow where m does not.  Then
    its rounding is absolute, and the factors that are still to come enlarge it.  A look-ahead has two such
    numerators, each with a weight of its own.  Elsewhere nothing is added.
    """
    r = None if c.over_root is None else 1.0 / centre_of(c.over_root)
    corrects = adam.bias_correction in ("both", "first")
    denominator = np.maximum(denominator_of(c, root.centre - root.error), 0.0)
    weights: list[float | None] = [None]
    if c.step_g is not None:  # in a look-ahead mu is at least half of b1, or b1 itself
        weights = [adam.b1 / 2 if adam.nesterov == "dozat" else adam.b1, 1.0 - adam.b1]
    for x, step, weight in zip((m.centre, g), (c.step_m, c.step_g), weights, strict=False):
        factors = [f for f in (lr, weight, r) if f is not None]
        error = error_of_products(p.symbols.format, np.abs(x), np.abs(centre_of(step)), factors, corrects)
        p.add_error(np.where(error > 0, error / denominator, 0.0))


def add_two_updates(
    p: AffineNumber, m: AffineNumber, g: FloatArray, c: Coefficients, old: FloatArray, root: AffineNumber
) -> None:
    """Add to a new p, in place, one more rounding if a look-ahead is applied in two steps, as PyTorch does.

    ``p - a/d - b/d`` rounds the parameter between the gradient's part and the momentum's.
    """
    if c.step_g is None:
        return
    denominator = denominator_of(c, root.centre)
    parts = [centre_of(c.step_m) * m.centre, centre_of(c.step_g) * g]
    between = np.maximum(*(np.where(part == 0, 0.0, np.abs(old - part / denominator)) for part in parts))
    p.add_error(p.symbols.format.unit * between)


def denominator_of(c: Coefficients, root: FloatArray) -> FloatArray:
    """Return what m is divided by, from the uncorrected root."""
    corrected = root if c.over_root is None else root * centre_of(c.over_root)
    denominator: FloatArray = corrected + (0.0 if c.outside is None else centre_of(c.outside))
    return denominator


def error_of_products(
    arithmetic: Format,
    size: FloatArray,
    step: FloatArray | float,
    factors: Sequence[FloatArray | float],
    enlarged: bool,
) -> FloatArray:
    """Return how far ``step * x`` may be off if x is multiplied by the factors one after the other.

    Where x or a product is subnormal, each product is rounded by ``tiny``.  What it is multiplied with
    afterwards is ``step`` over the factors that it has had.  The worst order begins with the smallest
    factor, and ends with 1/c1, which is at least 1.

    Args:
        arithmetic: the format of the products.
        size: ``|x|``.
        step: what x is multiplied with in all, but for factors that the denominator has as well.
        factors: the factors but 1/c1.
        enlarged: whether 1/c1 is one of them.
    """
    had = np.cumprod(np.sort(np.stack([f + np.zeros_like(size) for f in factors]), axis=0), axis=0)
    products = (1.0 / had).sum(axis=0) + (1.0 / had[-1] if enlarged else 0.0)
    underflows = (had.min(axis=0) * size < arithmetic.tiny / arithmetic.unit) & (size > 0) & (step > 0)
    error: FloatArray = np.where(underflows, arithmetic.tiny * step * products, 0.0)
    return error


def add_kept(c: Coefficients) -> None:
    """Add to the decay, in place, the error of an Adam that multiplies p by ``1 - decay``.

    The definition subtracts ``decay*p`` under cautious decay, where 1 - decay would be 1 in some elements.
    The difference is two roundings more: of the factor, and of its product with p.
    """
    if isinstance(c.decay, AffineNumber):
        c.decay.add_error(2.0 * c.decay.symbols.format.unit * np.maximum(1.0, np.abs(1.0 - c.decay.centre)))


def centre_of(x: AffineNumber | float) -> FloatArray | float:
    """Return the centre of a coefficient, which a fault may have set to a plain number."""
    return x.centre if isinstance(x, AffineNumber) else x

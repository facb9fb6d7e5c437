"""Adam, written once: every other module runs these functions, none repeats them.

Two pure functions make one step.  :func:`coefficients` forms the step's scalars and
:func:`update` applies them to one array.  Neither knows what a number is:

* with Python floats and an array library they *are* the optimizer (``adamcore.backends``);
* with balls of exact arithmetic they are the oracle, and with noisy numbers they derive the
  tolerance (``adamcore.conformance``);
* with symbols they print the equations of docs/equations.md.

The tags on the right name the rules of docs/spec.md.  Only the Python array API standard is
used: operators, ``xp.sqrt``, ``xp.maximum`` and ``xp.sign``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from adamcore.config import AdamConfig
from adamcore.types import Array

Number = Any  #: a float, a 0-d array, a ball, a symbol: whatever the Numbers in use make


class Numbers(Protocol):
    """The arithmetic in which coefficients are formed, beyond ``+ - * /``."""

    def number(self, value: float) -> Number: ...  # a hyperparameter
    def sqrt(self, x: Number) -> Number: ...
    def power(self, base: float, k: Number, rate: float) -> Number: ...  # base**(k*rate)
    def successor(self, t: Number) -> Number: ...  # t + 1, as far as the clock goes
    def complement(self, b: float) -> Number: ...  # 1 - b
    def complement_power(self, b: float, t: Number) -> Number: ...  # 1 - b**t
    def keep(self, kept: Number, weight: Number) -> Number | None: ...  # see `average`


class Coefficients(NamedTuple):
    """The scalars of one step; None stands for a term that is not there."""

    w1: Number  #: 1 - b1
    w2: Number  #: 1 - b2
    keep1: Number | None  #: b1, or None to form b1*m + w1*g as m + w1*(g - m)
    keep2: Number | None  #: b2, or None to form b2*v as v - w2*v
    step_m: Number  #: what m / denominator is multiplied by: lr / (1 - b1**t) without Nesterov
    step_g: Number | None  #: the same of g, in a Nesterov step
    inside: Number | None  #: epsilon under the root, in the units of what stands there
    over_root: Number | None  #: 1 / sqrt(1 - b2**t): to multiply is as exact as to divide, and faster
    square: Number | None  #: 1 - b2**t, where v_hat itself is needed (AMSGrad of v_hat)
    outside: Number | None  #: epsilon beside the root
    decay: Number | None  #: the fraction of p that decays; under L2, the part of p added to g
    keep_p: Number | None  #: 1 - decay, or None to form it as p - decay*p
    mu_product: Number | None = None  #: the product of Dozat's momentum schedule up to this step
    scale_g: Number | None = None  #: what g is multiplied by before everything else
    least_g: Number | None = None  #: what g and -g are raised to before everything else, if they are less


def coefficients(
    n: Numbers, adam: AdamConfig, t: Number, lr: Number, mu_product: Number | None = None
) -> Coefficients:
    """The scalars of the update numbered ``t`` (the first is 1), with this step's ``lr``."""
    w1, w2 = n.complement(adam.b1), n.complement(adam.b2)
    c1 = n.complement_power(adam.b1, t) if adam.bias_correction in ("both", "first") else None  # BC.1
    c2 = n.complement_power(adam.b2, t) if adam.bias_correction in ("both", "second") else None  # BC.2
    root = None if c2 is None else n.sqrt(c2)
    over_root = None if root is None else 1.0 / root
    over_c1 = lr if c1 is None else lr / c1

    match adam.nesterov:
        case "none":
            step_m, step_g = over_c1, None
        case "dozat":  # NES.1
            mu, mu_next = (
                n.number(adam.b1) * (1.0 - 0.5 * n.power(0.96, k, adam.momentum_decay))
                for k in (t, n.successor(t))
            )
            mu_product = mu_product * mu
            step_m, step_g = lr * mu_next, lr * (1.0 - mu)
            if c1 is not None:
                step_m, step_g = step_m / (1.0 - mu_product * mu_next), step_g / (1.0 - mu_product)
        case "optax":  # NES.2
            next_c1 = None if c1 is None else n.complement_power(adam.b1, n.successor(t))
            over_next = lr if next_c1 is None else lr / next_c1
            step_m, step_g = over_next * n.number(adam.b1), over_c1 * w1
        case "same-t":  # NES.3
            step_m, step_g = over_c1 * n.number(adam.b1), over_c1 * w1

    inside = outside = None
    if adam.epsilon.startswith("outside"):
        inside, outside = adam.eps_root or None, adam.eps or None  # EPS.1, EPS.5
    else:
        inside = adam.eps or None  # EPS.3, EPS.4
    inside, outside = (None if e is None else n.number(e) for e in (inside, outside))
    corrected = adam.epsilon.endswith("-corrected")
    if outside is not None and root is not None and not corrected:
        outside = outside / root  # EPS.2: (sqrt(v) + eps) / root
    if inside is not None and c2 is not None:
        if adam.amsgrad == "corrected":
            inside = inside if corrected else inside / c2
        else:
            inside = inside * c2 if corrected else inside  # sqrt(v/c2 + e) = sqrt(v + e*c2) / root

    decay = keep_p = None
    if adam.weight_decay:
        decay = n.number(adam.weight_decay)
        if adam.decay == "decoupled":  # DEC.2
            decay = lr * decay
        elif adam.decay == "decoupled-corrected":  # DEC.4
            decay = decay * (over_c1 if root is None else over_c1 * root)
        elif adam.decay == "decoupled-relative":  # DEC.7
            decay = lr / n.number(adam.lr_max) * decay
        elif adam.decay == "decoupled-squared":  # DEC.8
            decay = lr * (lr / n.number(adam.lr_max)) * decay
        if adam.decay != "l2" and not adam.cautious_decay:
            keep_p = n.keep(1.0 - decay, decay)

    return Coefficients(
        w1, w2, n.keep(adam.b1, w1), n.keep(adam.b2, w2),
        step_m, step_g, inside, over_root, c2, outside, decay, keep_p, mu_product,
    )  # fmt: skip


def average(old: Array, new: Array, keep: Number | None, weight: Number) -> Array:
    """``(1 - weight)*old + weight*new``.

    With ``keep=None`` from one rounded weight alone, so that the weights add up to 1 whatever
    the rounding of ``weight`` (NUM.4); else with both.
    """
    return old + weight * (new - old) if keep is None else keep * old + weight * new


def add_weighted(old: Array, new: Array, keep: Number | None, weight: Number) -> Array:
    """``(1 - weight)*old + new``: the same where what is new is weighted already."""
    return old + (new - weight * old) if keep is None else keep * old + new


def update(
    xp: Any,
    adam: AdamConfig,
    c: Coefficients,
    parts: Sequence[tuple[Array, Array, Array]],
    v: Array,
    v_max: Array | None = None,
) -> tuple[list[tuple[Array, Array]], Array, Array | None]:
    """One step of one array: the new ``[(p, m)]``, v and v_max.

    ``parts`` is ``[(p, g, m)]``, or the real and the imaginary part of a complex array whose v is
    of the modulus (CPX.2); all of one shape and dtype, none of them modified.
    """
    if c.scale_g is not None:
        parts = [(p, c.scale_g * g, m) for p, g, m in parts]  # CLIP.2, CLIP.3
    if c.least_g is not None:
        low = c.least_g
        parts = [(p, -xp.maximum(-xp.maximum(g, low), low), m) for p, g, m in parts]  # CLIP.4
    if adam.maximize:
        parts = [(p, -g, m) for p, g, m in parts]  # MAX.1
    if adam.decay == "l2" and c.decay is not None:
        parts = [(p, g + c.decay * p, m) for p, g, m in parts]  # DEC.1

    parts = [(p, g, average(m, g, c.keep1, c.w1)) for p, g, m in parts]  # MOM.1
    square = (c.w2 * parts[0][1]) * parts[0][1]  # NUM.3: in this order
    for _, g, _ in parts[1:]:
        square = square + (c.w2 * g) * g  # CPX.2
    v = add_weighted(v, square, c.keep2, c.w2)  # MOM.2

    used, over_root = v, c.over_root
    if adam.amsgrad == "uncorrected":
        used = v_max = xp.maximum(v_max, v)  # AMS.1
    elif adam.amsgrad == "corrected":
        used = v_max = xp.maximum(v_max, v if c.square is None else v / c.square)  # AMS.2
        over_root = None
    if c.inside is not None:
        used = used + c.inside  # EPS.3, EPS.4, EPS.5
    denominator = xp.sqrt(used)
    if over_root is not None:
        denominator = denominator * over_root  # BC.2
    if c.outside is not None:
        denominator = denominator + c.outside  # EPS.1, EPS.2

    return [(move(xp, adam, c, p, g, m, denominator), m) for p, g, m in parts], v, v_max


def move(
    xp: Any, adam: AdamConfig, c: Coefficients, p: Array, g: Array, m: Array, denominator: Array
) -> Array:
    """The parameter after the step."""
    if c.step_g is None:
        delta = c.step_m * (m / denominator)  # STEP.1, BC.1
    else:
        delta = (c.step_m * m + c.step_g * g) / denominator  # NES.1, NES.2, NES.3
    if adam.decay == "l2" or c.decay is None:
        return p - delta
    if adam.decay_order == "before":
        if adam.cautious_decay:
            return p - (delta + c.decay * aligned(xp, p, delta) * p)  # DEC.6
        return add_weighted(p, -delta, c.keep_p, c.decay)  # DEC.2, DEC.3, DEC.4, DEC.7, DEC.8
    p = p - delta
    if adam.cautious_decay:
        return p - c.decay * aligned(xp, p, delta) * p  # DEC.5, DEC.6
    return p - c.decay * p if c.keep_p is None else c.keep_p * p  # DEC.5


def aligned(xp: Any, p: Array, delta: Array) -> Array:
    """1 where ``delta*p >= 0``, and 0 where the step moves ``p`` away from 0; of p = 0 it does not matter."""
    side = xp.sign(p)
    return side * xp.sign(side + xp.sign(delta))  # of signs, since delta*p may underflow

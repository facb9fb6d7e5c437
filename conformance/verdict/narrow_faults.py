"""Ways to be wrong in 16 bits: what is rounded that should not be, or is not kept as the policy says."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from adamcore import Adam
from adamcore.conformance.dtypes import DTYPES, round_float, round_to
from adamcore.conformance.faults import _updates, precision
from adamcore.conformance.faults.coefficients import formed_by, power_in, stored_in
from adamcore.conformance.faults.loss_scale import LOSS_SCALE
from adamcore.conformance.oracle.kept import RESTS, STEP, numbers, shown, value_of, words
from adamcore.conformance.oracle.narrow_model import NarrowFault, Reading, Round
from adamcore.conformance.oracle.perturbation import Fault, StepContext, UpdateInput, UpdateOutput
from adamcore.conformance.rules import SAYS
from adamcore.conformance.types import FloatArray, Probe
from adamcore.definition import Coefficients
from adamcore.dtypes import named_by

if TYPE_CHECKING:
    from adamcore.storage.policies import PStorage

RULE_OF_POLICY = {
    "master": "STORE.2", "split": "STORE.3", "split8": "STORE.4", "kahan": "STORE.5", "stochastic": "STORE.6",
}  # fmt: skip


def cut_off(x: FloatArray, dtype: str) -> FloatArray:
    """Return values rounded to a dtype towards 0.

    >>> cut_off(np.array([1.9999, -1.9999]), "bfloat16")
    array([ 1.9921875, -1.9921875])
    """
    nearest = round_to(x, dtype)
    d = DTYPES[dtype]
    _, exponent = np.frexp(np.asarray(x, dtype=np.float64))
    quantum = np.ldexp(1.0, np.maximum(exponent - d.bits, d.smallest))
    return np.where(np.abs(nearest) > np.abs(x), nearest - np.copysign(quantum, x), nearest)


def rounded_hyper(names: tuple[str, ...], dtype: str, probe: Probe) -> Probe:
    """Return the probe with hyperparameters rounded to a dtype; a beta that would be 1 stays as it is."""
    new = {name: round_float(probe.hyper[name], dtype) for name in names if name in probe.hyper}
    return probe.with_hyper(**{n: x for n, x in new.items() if x < 1 or n not in ("b1", "b2")})


def power_or_exact(dtype: str, b: float, t: int) -> float:
    """Return 1 - b**t formed in a dtype, and the exact one where that is 0."""
    return power_in(dtype, b, t) or np.float64(1 - b**t)


def square_in(dtype: str, at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Square the gradient in a dtype."""
    gradients = [_updates.effective_gradient(at, c, p, g) for p, g, _ in inputs.parts]
    square: Any = sum(round_to(g * g, dtype) for g in gradients)
    return _updates.with_moments(at, c, inputs, v=at.adam.b2 * inputs.v + (1 - at.adam.b2) * square)


def decay_in(dtype: str, at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Multiply p by 1-lr*weight_decay rounded to a dtype, and round the product."""
    _updates.require(at.adam.decay == "decoupled" and at.adam.weight_decay)
    kept = round_float(1 - at.lr * at.adam.weight_decay, dtype)
    parts = [(round_to(p * kept, dtype), g, m) for p, g, m in inputs.parts]
    return _updates.as_defined(at, c._replace(decay=0.0), inputs._replace(parts=parts))


@lru_cache(maxsize=64)
def narrow_faults(claim: Adam, dtype: str) -> tuple[NarrowFault, ...]:
    """Return the faults that a candidate of this claim may have in a dtype."""
    parts = (of_storage, of_arithmetic, of_moments, of_rests)
    return tuple(fault for part in parts for fault in part(claim, dtype))


def of_storage(claim: Adam, dtype: str) -> Iterator[NarrowFault]:
    """Yield faults of how the parameter is kept."""
    cut: Round = partial(cut_off, dtype=dtype)
    rule = RULE_OF_POLICY.get(claim.p_storage)
    if rule is not None:
        lost = f"p is kept in {dtype} alone: each step begins at the rounded parameter"
        yield NarrowFault("storage", rule, SAYS[rule], lost, changes={"p_storage": "plain"})
        cut_p = f"p is kept in {dtype} alone, and cut off instead of rounded"
        yield NarrowFault("storage", rule, SAYS[rule], cut_p, p=cut, changes={"p_storage": "plain"})
        if claim.p_storage == "split8":
            digits = "the value is cut off to 16 digits instead of rounded"
            yield NarrowFault("storage", rule, SAYS[rule], digits, p=partial(cut_value, claim.p_storage))
    else:
        once = "each of p, m and v rounded to the nearest once, when it is stored"
        yield NarrowFault("mixed_precision", "NUM.1", once, f"p is cut off to {dtype}, towards 0", p=cut)


def of_rests(claim: Adam, dtype: str) -> Iterator[NarrowFault]:
    """Yield faults of what is kept beside the parameter, each with how the candidate reads it."""
    policy = claim.p_storage
    if policy not in RESTS:
        return

    def fault(observed: str, reading: Reading, show: Round) -> NarrowFault:
        rule = RULE_OF_POLICY[policy]
        return NarrowFault("storage", rule, SAYS[rule], observed, reading=reading, p=show)

    nearest: Round = partial(shown_values, policy, dtype)
    ways: list[tuple[str, Reading]] = [
        ("what p lost is taken off instead of added", lambda p, rest: value_of(policy, p, -1 * rest, dtype)),
        ("the bits that p lost are read without a sign", lambda p, rest: unsigned(policy, p, rest, dtype)),
        ("what p lost is added twice", lambda p, rest: twice(policy, p, rest)),
        ("p is right after each step, and what the state keeps of it is not",
         lambda p, rest: value_of(policy, p, rest, dtype)),
    ]  # fmt: skip
    for observed, reading in ways:
        for how, show in (("", nearest), (", and p is cut off", partial(cut_off, dtype=dtype))):
            yield fault(observed + how, reading, show)


def shown_values(policy: PStorage, dtype: str, x: FloatArray) -> FloatArray:
    return shown(policy, round_to(x, "float32"), dtype).astype(float)


def unsigned(policy: PStorage, p: FloatArray, rest: FloatArray, dtype: str) -> FloatArray:
    """Read bits without their sign."""
    kind = rest.dtype
    return value_of(policy, p, rest.view(f"u{kind.itemsize}") if kind.kind == "i" else rest, dtype)


def twice(policy: PStorage, p: FloatArray, rest: FloatArray) -> FloatArray:
    """Add what was lost twice."""
    if policy in STEP:
        return numbers(words(p) + 2 * STEP[policy] * rest.astype(np.int64))
    return (p.astype(np.float32) + 2 * rest.astype(np.float32)).astype(np.float32)


def cut_value(policy: PStorage, x: FloatArray) -> FloatArray:
    """Return a value cut off to the digits that are kept of it."""
    w = words(round_to(x, "float32"))
    return numbers(w & (0xFFFFFF00 if policy == "split8" else 0xFFFFFFFF)).astype(float)


def of_moments(claim: Adam, dtype: str) -> Iterator[NarrowFault]:
    """Yield faults of how moments are kept."""
    names = {which: named_by(claim, f"{which}_dtype")[1] or dtype for which in "mv"}
    says = f"m kept in {names['m']} and v in {names['v']}, each rounded to the nearest"
    others = [
        (f"kept in {name}", partial(round_to, name=name)) for name in ("float32", "bfloat16", "float16")
    ]
    others += [(f"cut off to {name}", partial(cut_off, dtype=name)) for name in dict.fromkeys(names.values())]
    for what, by in others:
        for which, subject in (("mv", "moments are"), ("v", "v is"), ("m", "m is")):
            if all(what == f"kept in {names[k]}" for k in which):
                continue
            yield NarrowFault(
                "mixed_precision", "MOM.4", says, f"{subject} {what}",
                m=by if "m" in which else None, v=by if "v" in which else None,
            )  # fmt: skip


def of_arithmetic(claim: Adam, dtype: str) -> Iterator[NarrowFault]:
    """Yield faults of what is formed in 16 bits."""

    def fault(area: str, rule: str, observed: str, **how: Any) -> NarrowFault:
        return NarrowFault(area, rule, SAYS.get(rule, "arithmetic in float32"), observed, Fault(**how))

    def hyper(*names: str) -> Any:
        return partial(rounded_hyper, names, dtype)

    most = 2 ** DTYPES[dtype].bits
    yield fault("coefficients", "NUM.4", f"b1 and b2 are rounded to {dtype}", probe=hyper("b1", "b2"))
    yield fault("coefficients", "NUM.4", f"b1 is rounded to {dtype}", probe=hyper("b1"))
    yield fault("coefficients", "NUM.4", f"b2 is rounded to {dtype}", probe=hyper("b2"))
    yield fault("schedule", "LR.1", f"lr is rounded to {dtype}", probe=hyper("lr"))
    yield fault("epsilon", "EPS.1", f"eps is rounded to {dtype}", probe=hyper("eps"))
    yield fault("decay", "DEC.2", f"weight_decay is rounded to {dtype}", probe=hyper("weight_decay"))
    yield fault(
        "decay", "DEC.2", f"p decays by a factor and a product in {dtype}", update=partial(decay_in, dtype)
    )
    stuck = f"the clock is counted in {dtype}, and stops at {most}"
    yield fault("clock", "CLK.3", stuck, clock=lambda now: min(now.t, most))
    for by, what in ((stored_in, "rounded to"), (power_or_exact, "formed in")):
        yield fault(
            "bias_correction", "BC.1", f"1-b**t is {what} {dtype}",
            coefficients=partial(formed_by, partial(by, dtype)),
        )  # fmt: skip
    to: Round = partial(precision.to, dtype)
    for form, what in (
        (partial(square_in, dtype), "g*g is formed"),
        (partial(precision.denominators, to), "the denominator is formed"),
        (partial(precision.numerators, to), "m_hat is formed"),
        (partial(precision.steps, to), "the step is formed"),
        (partial(precision.stored, "mv", to), "the moments are rounded before they are used,"),
        (partial(precision.stored, "v", to), "v is rounded before it is used,"),
        (partial(precision.stored, "m", to), "m is rounded before it is used,"),
    ):  # fmt: skip
        yield fault("mixed_precision", "NUM.1", f"{what} in {dtype}", update=form)
    for known in LOSS_SCALE:
        yield NarrowFault(known.area, known.rule, SAYS[known.rule], known.observed, known)

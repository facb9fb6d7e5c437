"""State, parameters or arithmetic in too narrow a format, with each rounding followed in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from adamcore.conformance.dtypes import round_to
from adamcore.conformance.faults import _updates
from adamcore.conformance.oracle.perturbation import Fault, StepContext, UpdateInput, UpdateOutput
from adamcore.conformance.types import FloatArray
from adamcore.definition import Coefficients

Round = Callable[[FloatArray], Any]


def to(dtype: str, x: FloatArray) -> FloatArray:
    return round_to(x, dtype)


def truncated(x: FloatArray) -> FloatArray:
    """Round to bfloat16 towards zero."""
    bits = np.asarray(x, dtype=np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
    return bits.view(np.float32).astype(float)


def linear_bytes(levels: int, x: FloatArray) -> FloatArray:
    """Round to ``levels`` levels up to the array's largest element."""
    scale = np.max(np.abs(x), initial=1e-30)
    kept: FloatArray = np.round(x / scale * levels) / levels * scale
    return kept


def stored(which: str, to: Round, at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Round the moments before they are used."""
    m = [to(x) for x in _updates.first_moments(at, c, inputs)] if "m" in which else None
    v = to(_updates.second_moment(at, c, inputs)) if "v" in which else None
    return _updates.with_moments(at, c, inputs, m=m, v=v)


def stored_after(
    which: str, to: Round, at: StepContext, c: Coefficients, inputs: UpdateInput
) -> UpdateOutput:
    """Round the moments after they are used."""
    after, v, v_max = _updates.as_defined(at, c, inputs)
    after = [(p, to(m) if "m" in which else m) for p, m in after]
    return after, to(v) if "v" in which else v, v_max


def parameters(to: Round, at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    after, v, v_max = _updates.as_defined(at, c, inputs)
    return [(to(p), m) for p, m in after], v, v_max


def gradients(to: Round, at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    return _updates.as_defined(at, c, _updates.with_gradients(inputs, lambda p, g: to(g)))


def steps(to: Round, at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Round the step before it is multiplied by lr."""
    _updates.require(at.lr)
    return _updates.with_step(at, c, inputs, lambda delta, p, g: at.lr * to(delta / at.lr))


def numerators(to: Round, at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Round m_hat."""
    _updates.require(at.lr)
    return with_root(lambda x, root: at.lr * to(x / at.lr) / root, at, c, inputs)


def denominators(to: Round, at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Round the denominator."""
    return with_root(lambda x, root: x / to(root), at, c, inputs)


def with_root(
    by: Callable[[Any, Any], Any], at: StepContext, c: Coefficients, inputs: UpdateInput
) -> UpdateOutput:
    _updates.require(at.adam.epsilon == "outside-corrected")
    root = at.adam.eps_root
    return _updates.with_quotient(at, c, inputs, lambda x, v: by(x, np.sqrt(v + root) + at.adam.eps))


def fast_root(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Take 1/sqrt from the bits of a float32 and one Newton step, right to 2e-3."""

    def quotient(x: FloatArray, v: FloatArray) -> Any:
        small = v.astype(np.float32)
        y = (0x5F3759DF - (small.view(np.int32) >> 1)).astype(np.int32).view(np.float32)
        y = y * (1.5 - 0.5 * small * y * y)
        return x / ((small * y).astype(float) + at.adam.eps)

    _updates.require(at.adam.epsilon == "outside-corrected")
    return _updates.with_quotient(at, c, inputs, quotient)


def faults() -> Iterator[Fault]:
    def fault(name: str, observed: str, form: Any) -> Fault:
        return Fault(name, "mixed_precision", "NUM.1", observed, update=form)

    narrow: dict[str, Round] = {d: partial(to, d) for d in ("float16", "bfloat16")}
    widths = narrow | {"bfloat16, cut off": truncated}
    states = widths | {"8 bits": partial(linear_bytes, 255), "7 bits and a sign": partial(linear_bytes, 127)}
    single = {"float32": partial(to, "float32")}
    for dtype, by in (states | single).items():
        for which, what in (("mv", "moments are"), ("v", "v is"), ("m", "m is")):
            yield fault(f"{which}-in-{dtype}", f"{what} kept in {dtype}", partial(stored, which, by))
            yield fault(
                f"{which}-saved-in-{dtype}",
                f"{what} kept in {dtype}, and used as they were",
                partial(stored_after, which, by),
            )
    for dtype, by in (widths | single).items():
        yield fault(f"p-in-{dtype}", f"parameters are kept in {dtype}", partial(parameters, by))
        yield fault(f"g-in-{dtype}", f"gradients are rounded to {dtype}", partial(gradients, by))
        yield fault(f"step-in-{dtype}", f"the step is formed in {dtype}", partial(steps, by))
        yield fault(f"root-in-{dtype}", f"the denominator is formed in {dtype}", partial(denominators, by))
        yield fault(f"m-hat-in-{dtype}", f"m_hat is formed in {dtype}", partial(numerators, by))
    yield fault("root-fast", "1/sqrt is an approximation, right to 2e-3", fast_root)
    yield Fault("all-float32", "mixed_precision", "NUM.1", "float64 is stepped in float32", narrow="double")
    yield Fault(
        "all-float32-power",
        "coefficients",
        "NUM.4",
        "coefficients are formed in float32, whatever the dtype",
        narrow="working",
    )
    yield Fault(
        "all-float32-running",
        "coefficients",
        "NUM.4",
        "powers of b1 and b2 are products in float32, whatever the dtype",
        narrow="running",
    )


PRECISION = tuple(faults())

"""Values that are not finite and are hidden, and gradients of 0 or near it that are taken for absent."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from adamcore.conformance.faults import _inputs, _updates
from adamcore.conformance.oracle.perturbation import Fault, StepContext, UpdateInput, UpdateOutput
from adamcore.conformance.types import FloatArray
from adamcore.definition import Coefficients, update


def no_momentum(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Let momentum move nothing where the gradient is 0."""
    return _updates.with_step(at, c, inputs, lambda delta, p, g: np.where(g == 0, 0.0, delta))


def moments_kept(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Keep the moments where the gradient is 0; they still move the parameter."""
    zero = np.logical_and.reduce([g == 0 for _, g, _ in inputs.parts])
    parts = zip(_updates.first_moments(at, c, inputs), inputs.parts, strict=True)
    m = [np.where(zero, old, new) for new, (*_, old) in parts]
    return _updates.with_moments(
        at, c, inputs, m=m, v=np.where(zero, inputs.v, _updates.second_moment(at, c, inputs))
    )


def no_decay(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Let nothing decay where the gradient is 0."""
    _updates.require(c.decay)
    decaying, v, v_max = _updates.as_defined(at, c, inputs)
    bare, _, _ = _updates.as_defined(at, c._replace(decay=None, keep_p=None), inputs)
    still = [g == 0 for _, g, _ in inputs.parts]
    after = [(np.where(z, b, d), m) for z, (b, _), (d, m) in zip(still, bare, decaying, strict=True)]
    return after, v, v_max


def finite_step(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Replace a step that is not finite by 0; the moments keep it."""
    return _updates.with_step(at, c, inputs, lambda delta, p, g: np.where(np.isfinite(delta), delta, 0.0))


def finite_moments(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Replace moments that are not finite by 0."""
    clean = partial(np.nan_to_num, nan=0.0, posinf=0.0, neginf=0.0)
    return _updates.with_moments(
        at,
        c,
        inputs,
        m=[clean(m) for m in _updates.first_moments(at, c, inputs)],
        v=clean(_updates.second_moment(at, c, inputs)),
    )


def finite_parameter(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Give an element that is not finite its old value back."""
    after, v, v_max = _updates.as_defined(at, c, inputs)
    back = [
        (np.where(np.isfinite(p), p, old), m) for (p, m), (old, *_) in zip(after, inputs.parts, strict=True)
    ]
    return back, v, v_max


def complex_root(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Put complex numbers through the formula for real ones: v is an average of g*g, and so is its root."""
    if len(inputs.parts) == 1:
        return _updates.as_defined(at, c, inputs)
    p, g, m = (re + 1j * im for re, im in zip(*inputs.parts, strict=True))
    v = inputs.memory.get("v", inputs.v + 0j)
    _updates.require(at.adam.amsgrad == "none")
    [(p, m)], inputs.memory["v"], _ = update(np, at.adam, c, [(p, g, m)], v, None)
    return [(p.real, m.real), (p.imag, m.imag)], inputs.v, None


def complex_to_real(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Step the real part of a complex parameter alone, and set its imaginary part to 0."""
    real, *imaginary = inputs.parts
    [after], v, v_max = _updates.as_defined(at, c, inputs._replace(parts=[real]))
    return [after, *((0.0 * p, 0.0 * m) for p, _, m in imaginary)], v, v_max


def without_tiny(limit: float, g: FloatArray) -> FloatArray:
    return np.where(np.abs(g) < limit, 0.0, g)


def faults() -> tuple[Fault, ...]:
    def fault(area: str, rule: str, name: str, observed: str, **how: Any) -> Fault:
        return Fault(name, area, rule, observed, **how)

    nan: Callable[..., Fault] = partial(fault, "nonfinite", "NF.1")
    zero: Callable[..., Fault] = partial(fault, "zero_gradient", "F2")
    return (
        *(
            fault("zero_gradient", "NUM.2", f"tiny-{x:g}", f"gradients below {x:g} count as 0",
                  **_inputs.on_gradients(partial(without_tiny, x)))
            for x in (1e-12, 1e-8, 1e-10, 1e-15, 1e-20, 1e-30, 2.0**-126, 1e-6)
        ),
        nan("nan-zeroed", "NaN and infinity in a gradient are replaced by 0",
            **_inputs.on_gradients(_inputs.without_nan)),
        nan("nan-skips-step", "a NaN or infinity skips the whole step",
            **_inputs.on_steps(_inputs.step_skipped_on_nan)),
        nan("nan-skips-tensor", "a NaN or infinity skips its tensor",
            **_inputs.on_steps(_inputs.tensor_skipped_on_nan)),
        nan("nan-step-dropped", "a step that is not finite is replaced by 0; the moments keep it",
            update=finite_step),
        nan("nan-moments-zeroed", "moments that are not finite start anew", update=finite_moments),
        nan("nan-restored", "an element that is not finite gets its old value back", update=finite_parameter),
        fault("nonfinite", "NF.2", "nan-spreads", "a NaN or infinity spoils its whole tensor",
              **_inputs.on_gradients(_inputs.nan_to_tensor)),
        fault("nonfinite", "NF.2", "nan-spreads-to-all", "a NaN or infinity spoils all tensors",
              **_inputs.on_steps(_inputs.nan_to_all)),
        fault("complex", "CPX.3", "conjugated", "complex gradients are conjugated",
              **_inputs.on_gradients(np.conj)),
        fault("complex", "CPX.1", "imaginary-lost", "the imaginary part of a gradient is lost",
              **_inputs.on_gradients(lambda g: g.real + 0j if np.iscomplexobj(g) else g)),
        fault("complex", "CPX.1", "real-lost", "the real part of a gradient is lost",
              **_inputs.on_gradients(lambda g: 1j * g.imag if np.iscomplexobj(g) else g)),
        fault("complex", "CPX.1", "complex-root",
              "complex numbers go through the formula for real ones: v averages g*g, not |g|**2",
              update=complex_root),
        fault("complex", "CPX.1", "complex-to-real", "the imaginary part of a parameter is lost",
              update=complex_to_real),
        zero("zeros-skipped", "elements with a zero gradient are left alone",
             **_inputs.on_steps(partial(_inputs.masked, _inputs.zeros_left))),
        zero("zero-tensors-skipped", "a tensor whose gradient is all zero is left alone",
             **_inputs.on_steps(_inputs.zero_tensors_skipped)),
        zero("zeros-no-momentum", "elements with a zero gradient are not moved by their momentum",
             update=no_momentum),
        zero("zeros-keep-moments", "the moments of elements with a zero gradient do not decay",
             update=moments_kept),
        zero("zeros-no-decay", "elements with a zero gradient do not decay", update=no_decay),
    )  # fmt: skip


VALUES = faults()

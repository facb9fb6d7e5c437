"""Epsilon in another place, at another size, or with another sign."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from adamcore.conformance.faults import _inputs, _scalars, _updates
from adamcore.conformance.oracle.perturbation import Fault, StepContext, UpdateInput, UpdateOutput
from adamcore.definition import Coefficients


def quotient(
    of: Callable[[Any, Any, float], Any], at: StepContext, c: Coefficients, inputs: UpdateInput
) -> UpdateOutput:
    """Replace the quotient by ``of(numerator, root of v_hat, eps)``."""
    _updates.require(at.adam.eps)
    return _updates.with_quotient(at, c, inputs, lambda x, v: of(x, np.sqrt(v), at.adam.eps))


def in_quotient(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Add eps to the quotient, as ``m_hat/root + eps`` does for want of brackets."""
    _updates.require(at.adam.eps)
    bare = c._replace(outside=None, inside=None)
    return _updates.with_step(at, bare, inputs, lambda delta, p, g: delta + at.lr * at.adam.eps)


def root_outside(h: dict[str, float]) -> dict[str, float]:
    return {"eps": h["eps"] + h["eps_root"], "eps_root": 0.0} if "eps_root" in h else {}


def root_uncorrected(c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    """Divide by sqrt((v + eps_root) / (1-b2**t))."""
    if not at.adam.eps_root or c.inside is None or c.square is None:
        return c
    return c._replace(inside=c.inside / c.square)


OF = {
    "max(root, eps)": lambda x, root, e: x / np.maximum(root, e),
    "the root of max(v_hat, eps)": lambda x, root, e: x / np.sqrt(np.maximum(root * root, e)),
    "the root of max(v_hat, eps**2)": lambda x, root, e: x / np.sqrt(np.maximum(root * root, e * e)),
    "1/(1/root + eps)": lambda x, root, e: x * (1 / root + e),
    "eps where the root is 0, else the root": lambda x, root, e: x / np.where(root == 0, e, root),
    "root * (1 + eps)": lambda x, root, e: x / (root * (1 + e)),
}
"""What m is divided by, in the words of a finding."""


def faults() -> tuple[Fault, ...]:
    def fault(name: str, observed: str, **how: Any) -> Fault:
        return Fault(name, "epsilon", "EPS.1", observed, **how)

    def tweaked(change: Callable[[Any, Any, StepContext], Any]) -> dict[str, Any]:
        return {"coefficients": partial(_scalars.eps_changed, change)}

    return (
        Fault("eps-root-ignored", "epsilon", "EPS.5", "eps_root is ignored",
              **_inputs.on_hyper(partial(_inputs.set_to, "eps_root", 0.0))),
        Fault("eps-root-outside", "epsilon", "EPS.5", "eps_root is added beside the root",
              **_inputs.on_hyper(root_outside)),
        Fault("eps-root-uncorrected", "epsilon", "EPS.5", "eps_root is added to v, not to v_hat",
              coefficients=root_uncorrected),
        fault("eps-squared", "eps is squared", **_inputs.on_hyper(_inputs.squared_eps)),
        fault("eps-root", "the root of eps is used for it",
              **_inputs.on_hyper(lambda h: {"eps": h["eps"] ** 0.5})),
        fault("eps-subtracted", "eps is subtracted from the root", **tweaked(lambda e, n, at: -e)),
        fault("eps-twice", "eps stands under the root and beside it", coefficients=_scalars.eps_twice),
        fault("eps-squared-inside", "eps**2 stands under the root", coefficients=_scalars.eps_squared_inside),
        fault("eps-squared-up-to-1e-6", "eps**2 stands under the root if eps is 1e-6 or less",
              coefficients=partial(_scalars.eps_squared_up_to, 1e-6)),
        fault("eps-times-lr", "eps is multiplied by lr", **tweaked(lambda e, n, at: e * at.lr)),
        fault("eps-over-lr", "eps is divided by lr", **tweaked(lambda e, n, at: e / at.lr)),
        fault("eps-doubled", "eps is added twice", **tweaked(lambda e, n, at: e * 2.0)),
        fault("eps-times-root", "eps is multiplied by sqrt(1-b2**t)",
              **tweaked(lambda e, n, at: e * n.sqrt(n.complement_power(at.adam.b2, at.t)))),
        fault("eps-times-c2", "eps is multiplied by 1-b2**t",
              **tweaked(lambda e, n, at: e * n.complement_power(at.adam.b2, at.t))),
        fault("eps-over-root", "eps is divided by sqrt(1-b2**t)",
              **tweaked(lambda e, n, at: e / n.sqrt(n.complement_power(at.adam.b2, at.t)))),
        fault("eps-over-c2", "eps is divided by 1-b2**t",
              **tweaked(lambda e, n, at: e / n.complement_power(at.adam.b2, at.t))),
        fault("eps-over-c1", "eps is divided by 1-b1**t",
              **tweaked(lambda e, n, at: e / n.complement_power(at.adam.b1, at.t))),
        *(
            fault(f"eps-{what}", f"m is divided by {what}", update=partial(quotient, of))
            for what, of in OF.items()
        ),
        fault("eps-in-quotient", "eps is added to the quotient, not to the root", update=in_quotient),
    )  # fmt: skip


EPSILON = faults()

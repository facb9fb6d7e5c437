"""Changes of a step's coefficients, of which faults are made.

A function takes the coefficients, the arithmetic ``n`` that formed them and the context of the step,
and returns the coefficients that the candidate uses.  If the fault has no meaning under the claim,
they are returned as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adamcore.axes import RELATIVE
from adamcore.conformance.oracle.perturbation import StepContext
from adamcore.definition import Coefficients, coefficients


def has(c: Coefficients, *names: str) -> bool:
    return all(getattr(c, name) is not None for name in names)


def eps_changed(
    by: Callable[[Any, Any, StepContext], Any], c: Coefficients, n: Any, at: StepContext
) -> Coefficients:
    """Put ``by(eps, n, at)`` beside the root in place of epsilon."""
    return c if c.outside is None else c._replace(outside=by(c.outside, n, at))


def eps_twice(c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    if not has(c, "outside"):
        return c
    eps = n.number(at.adam.eps)
    return c._replace(inside=eps if c.square is None else eps * c.square)


def eps_squared_inside(c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    """Divide by sqrt(v_hat + eps**2), with nothing beside the root."""
    if not has(c, "outside"):
        return c
    eps = n.number(at.adam.eps) * n.number(at.adam.eps)
    scaled = eps if c.square is None or at.adam.amsgrad == "corrected" else eps * c.square
    return c._replace(inside=scaled, outside=None)


def eps_squared_up_to(most: float, c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    """Put eps**2 under the root where the claim adds eps to it, if eps is at most ``most``."""
    if not has(c, "outside") or at.adam.eps > most:
        return c
    if at.adam.epsilon == "outside-corrected":
        return eps_squared_inside(c, n, at)
    return c._replace(inside=n.number(at.adam.eps) * n.number(at.adam.eps), outside=None)


def weighted(
    by: Callable[[Any, Any], tuple[Any, Any]], which: str, c: Coefficients, n: Any, at: StepContext
) -> Coefficients:
    """Weight the old and new terms of moments with ``by(b, 1-b)``; ``which`` is "1", "2" or "12"."""
    changed: dict[str, Any] = {}
    for k in which:
        b = getattr(at.adam, f"b{k}")
        keep, weight = by(n.number(b), n.complement(b))
        changed[f"keep{k}"], changed[f"w{k}"] = keep, weight
    return c._replace(**changed)


def same_beta(name: str, c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    """Average both moments with one beta; the corrections stay as they are."""
    b = getattr(at.adam, name)
    w = n.complement(b)
    return c._replace(w1=w, w2=w, keep1=n.number(b), keep2=n.number(b))


def root_missing(c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    return c if c.over_root is None or c.square is None else c._replace(over_root=1.0 / c.square)


def root_times(c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    return c if c.over_root is None else c._replace(over_root=1.0 / c.over_root)


def corrections_swapped(c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    if not has(c, "over_root") or c.step_g is not None:
        return c
    c1, c2 = n.complement_power(at.adam.b1, at.t), n.complement_power(at.adam.b2, at.t)
    return c._replace(step_m=n.number(at.lr) / c2, over_root=1.0 / n.sqrt(c1), square=c1)


def one_correction(name: str, c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    """Correct both moments with one beta."""
    if not has(c, "over_root") or c.step_g is not None:
        return c
    both = n.complement_power(getattr(at.adam, name), at.t)
    return c._replace(step_m=n.number(at.lr) / both, over_root=1.0 / n.sqrt(both), square=both)


class Corrections:
    """An arithmetic like ``n`` in which a correction ``1-b**t`` is ``change`` of it."""

    def __init__(self, n: Any, change: Callable[[Any], Any]) -> None:
        self.n, self.change = n, change

    def __getattr__(self, name: str) -> Any:
        return getattr(self.n, name)

    def complement_power(self, b: float, t: Any) -> Any:
        return self.change(self.n.complement_power(b, t))


def corrections_changed(
    by: Callable[[Any, Any, StepContext], Any], c: Coefficients, n: Any, at: StepContext
) -> Coefficients:
    """Divide both moments by ``by(1-b**t, n, at)``, wherever the definition divides by ``1-b**t``."""
    if at.adam.nesterov == "dozat":
        return c
    changed = Corrections(n, lambda correction: by(correction, n, at))
    return coefficients(changed, at.adam, at.t, n.number(at.lr))


def corrected_at(k: int, c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    """Divide v by 1-b2**k in every step, as a misprint of the exponent does."""
    if not has(c, "over_root"):
        return c
    fixed = n.complement_power(at.adam.b2, k)
    return c._replace(over_root=1.0 / n.sqrt(fixed), square=fixed)


def correction_times(c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    """Multiply m with 1-b1**t instead of dividing by it."""
    if at.adam.bias_correction not in ("both", "first") or c.step_g is not None:
        return c
    return c._replace(step_m=n.number(at.lr) * n.complement_power(at.adam.b1, at.t))


def correction_ends(after: int, c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    """Correct nothing from t=``after`` on."""
    if at.t < after or c.step_g is not None:
        return c
    return c._replace(step_m=n.number(at.lr), over_root=None, square=None)


def written_back(which: str, c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    """Store the corrected moments, so that the next step corrects them again."""
    if at.t < 2:
        return c
    changed = {}
    if which in ("both", "first") and at.adam.b1:
        changed["keep1"] = n.number(at.adam.b1) / n.complement_power(at.adam.b1, at.t - 1)
    if which in ("both", "second") and at.adam.b2:
        changed["keep2"] = n.number(at.adam.b2) / n.complement_power(at.adam.b2, at.t - 1)
    return c._replace(**changed)


def averages_corrected(c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    """Average with weights that are corrected, so that the moments need no correction.

    It is the same until a parameter misses a step, a beta changes, or a state is given.
    """
    if at.adam.bias_correction != "both" or c.step_g is not None or c.inside is not None:
        return c
    changed: dict[str, Any] = {"step_m": n.number(at.lr), "over_root": None, "square": None}
    for k, b in (("1", at.adam.b1), ("2", at.adam.b2)):
        now = n.complement_power(b, at.t)
        before = n.complement_power(b, at.t - 1) if at.t > 1 else n.number(0.0)
        changed[f"w{k}"], changed[f"keep{k}"] = n.complement(b) / now, n.number(b) * before / now
    return c._replace(**changed)


def decay_changed(
    by: Callable[[Any, StepContext], Any], c: Coefficients, n: Any, at: StepContext
) -> Coefficients:
    if c.decay is None:
        return c
    decay = by(c.decay, at)
    return c._replace(decay=decay, keep_p=None if c.keep_p is None else 1.0 - decay)


def step_changed(
    by: Callable[[Any, StepContext], Any], c: Coefficients, n: Any, at: StepContext
) -> Coefficients:
    return c._replace(step_m=by(c.step_m, at), step_g=None if c.step_g is None else by(c.step_g, at))


def first_lr(d: Any, at: StepContext) -> Any:
    """Return the decay with the lr that the optimizer was made with."""
    assert not callable(at.adam.lr)
    if at.adam.decay != "decoupled":
        return d
    return d * (at.adam.lr / at.lr) if at.lr else at.adam.lr * at.adam.weight_decay


def relative_lr(d: Any, at: StepContext) -> Any:
    """Return the decay multiplied by lr over the first lr once more."""
    assert not callable(at.adam.lr)
    return d * (at.lr / at.adam.lr)


def ratio_twice(d: Any, at: StepContext) -> Any:
    """Return decay relative to lr_max multiplied by lr over lr_max once more."""
    return d * (at.lr / at.adam.lr_max) if at.adam.decay in RELATIVE else d


def over_first_lr(d: Any, at: StepContext) -> Any:
    """Return decay relative to lr_max with the first lr in the place of lr_max."""
    assert not callable(at.adam.lr)
    return d * (at.adam.lr_max / at.adam.lr) if at.adam.decay in RELATIVE else d


def inverted_ratio(d: Any, at: StepContext) -> Any:
    """Return decay relative to lr_max multiplied by lr_max/lr instead."""
    return d * (at.adam.lr_max / at.lr) ** 2 if at.adam.decay in RELATIVE and at.lr else d

"""Clipping, and other changes of gradients and steps, which Adam does not do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from adamcore.conformance.faults import _inputs, _updates
from adamcore.conformance.oracle.perturbation import Fault, StepContext, UpdateInput, UpdateOutput
from adamcore.conformance.types import Clipping, FloatArray, Probe
from adamcore.definition import Coefficients


def step_by_value(limit: float, at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Clip each element of the step at ``limit`` times lr."""
    most = limit * at.lr
    return _updates.with_step(at, c, inputs, lambda delta, p, g: np.clip(delta, -most, most))


def step_by_size(
    size: Callable[[FloatArray], Any], limit: float, at: StepContext, c: Coefficients, inputs: UpdateInput
) -> UpdateOutput:
    """Scale an array's step down to a size of ``limit`` times lr."""

    def short(delta: FloatArray, p: FloatArray, g: FloatArray) -> FloatArray:
        length = float(size(delta)) if delta.size else 0.0
        return delta * (limit * at.lr / length) if length > limit * at.lr else delta

    return _updates.with_step(at, c, inputs, short)


def rms(x: FloatArray) -> Any:
    return np.sqrt(np.mean(x * x))


def norm(x: FloatArray) -> Any:
    return np.sqrt(np.sum(x * x))


def absolute_step(limit: float, at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Clip each element of the step at ``limit``."""
    return _updates.with_step(at, c, inputs, lambda delta, p, g: np.clip(delta, -limit, limit))


def first_by_value(limit: float, at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    ms = [np.clip(m, -limit, limit) for m in _updates.first_moments(at, c, inputs)]
    return _updates.with_moments(at, c, inputs, m=ms)


def second_by_value(limit: float, at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    return _updates.with_moments(at, c, inputs, v=np.minimum(_updates.second_moment(at, c, inputs), limit))


def parameter_by_value(
    low: float, high: float, at: StepContext, c: Coefficients, inputs: UpdateInput
) -> UpdateOutput:
    after, v, v_max = _updates.as_defined(at, c, inputs)
    return [(np.clip(p, low, high), m) for p, m in after], v, v_max


def normalized(g: FloatArray) -> FloatArray:
    length = float(np.sqrt(np.sum(np.abs(g) ** 2)))
    return g / length if length > 0 else g


def centred(g: FloatArray) -> FloatArray:
    return g - np.mean(g) if g.size > 1 else g


def rows_centred(g: FloatArray) -> FloatArray:
    """Subtract each row's mean from a gradient of two or more dimensions (gradient centralization)."""
    return g - g.mean(axis=tuple(range(1, g.ndim)), keepdims=True) if g.ndim > 1 and g.size else g


def of_gradients() -> Iterator[Fault]:
    for limit in (1.0, 0.5, 5.0, 10.0, 0.1, 100.0, 1000.0, 2.0):
        for kind, change in (
            ("element by element at", _inputs.on_gradients(partial(_inputs.by_value, limit))),
            ("by each tensor's norm at", _inputs.on_gradients(partial(_inputs.by_norm, limit))),
            ("by the norm of all at", _inputs.on_steps(partial(_inputs.by_global_norm, limit))),
        ):
            says = f"gradients are clipped {kind} {limit:g}"
            yield Fault(f"clipped-{kind[:10]}-{limit:g}", "clipping", "NUM.5", says, **change)
    for name, says, by in (
        ("normalized", "gradients are divided by their norm", normalized),
        ("centred", "each array's mean gradient is subtracted", centred),
        ("rows-centred", "each row's mean gradient is subtracted", rows_centred),
    ):
        yield Fault(name, "clipping", "NUM.5", says, **_inputs.on_gradients(by))


def of_steps() -> Iterator[Fault]:
    for x in (1.0, 0.1, 0.5, 2.0, 5.0, 10.0):
        by_size = partial(step_by_size, rms, x), partial(step_by_size, norm, x)
        for name, observed, update in (
            (
                "step-clipped",
                f"the step is clipped element by element at {x:g}*lr",
                partial(step_by_value, x),
            ),
            ("moved", f"the step is clipped element by element at {x:g}", partial(absolute_step, x)),
            ("step-rms", f"the step is scaled to a root mean square of {x:g}*lr at most", by_size[0]),
            ("step-norm", f"the step is scaled to a norm of {x:g}*lr at most", by_size[1]),
            ("m-clipped", f"m is clipped at {x:g}", partial(first_by_value, x)),
            ("v-clipped", f"v is clipped at {x:g}", partial(second_by_value, x)),
            ("p-clipped", f"parameters are clipped at {x:g}", partial(parameter_by_value, -x, x)),
        ):
            yield Fault(f"{name}-{x:g}", "clipping", "NUM.5", observed, update=update)
    positive = partial(parameter_by_value, 0.0, np.inf)
    yield Fault("p-clipped-below", "clipping", "NUM.5", "parameters are kept at 0 or above", update=positive)


# How a claim's clipping is done wrongly ------------------------------------------------------------

RULES = {"global_norm": "CLIP.2", "norm": "CLIP.3", "value": "CLIP.4"}


def with_clip(change: Callable[[Clipping], Clipping | None], probe: Probe) -> Probe:
    """Return the probe of a candidate that clips in another way than the claim."""
    _updates.require(probe.clip is not None)
    assert probe.clip is not None
    other = change(probe.clip)
    _updates.require(other != probe.clip)
    return replace(probe, clip=other)


def in_way(way: Any, clip: Clipping) -> Clipping:
    return replace(clip, way=way, eps=0.0 if way == "value" else clip.eps)


def with_slip(slip: str, ways: tuple[str, ...], clip: Clipping) -> Clipping:
    return replace(clip, slip=slip) if clip.way in ways else clip


def with_eps(eps: float, clip: Clipping) -> Clipping:
    return clip if clip.way == "value" else replace(clip, eps=eps)


def decayed_first(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Clip the sum of gradient and L2 decay, by the norm of the array."""
    clip, decay = at.clip, c.decay
    _updates.require(clip is not None and at.adam.decay == "l2" and decay is not None)
    assert clip is not None

    def changed(p: FloatArray, g: FloatArray) -> FloatArray:
        whole = g + decay * p
        if clip.way == "value":
            return np.asarray(np.clip(whole, -clip.most, clip.most) - decay * p)
        size = float(np.sqrt(np.sum(whole * whole))) + clip.eps
        return np.asarray(whole * min(1.0, clip.most / size) - decay * p) if size else g

    return _updates.as_defined(at, c, _updates.with_gradients(inputs, changed))


def of_claims() -> Iterator[Fault]:
    norms, every = ("global_norm", "norm"), tuple(RULES)
    for name, rule, observed, change in (
        ("not", "CLIP.2", "gradients are not clipped", lambda clip: None),
        ("each", "CLIP.2", "each gradient is clipped by its own norm", partial(in_way, "norm")),
        ("together", "CLIP.3", "all gradients are clipped by the norm of all",
         partial(in_way, "global_norm")),
        ("element", "CLIP.2", "each element is clipped by its value", partial(in_way, "value")),
        ("always", "CLIP.2", "gradients are brought to the largest norm where they are smaller, too",
         partial(with_slip, "always", norms)),
        ("squared", "CLIP.2", "the sum of squares is taken for the norm",
         partial(with_slip, "squared", norms)),
        ("sum", "CLIP.2", "the sum of the sizes is taken for the norm", partial(with_slip, "sum", norms)),
        ("largest", "CLIP.2", "the largest size is taken for the norm", partial(with_slip, "largest", norms)),
        ("mean", "CLIP.2", "the root of the mean square is taken for the norm",
         partial(with_slip, "mean", norms)),
        ("late", "CLIP.2", "gradients are clipped by the norm of the step before",
         partial(with_slip, "late", norms)),
        ("above", "CLIP.4", "gradients are clipped from above alone", partial(with_slip, "above", every[2:])),
        ("below", "CLIP.4", "gradients are clipped from below alone", partial(with_slip, "below", every[2:])),
        ("scaled", "CLIP.1", "gradients are clipped before the loss scale is divided out",
         partial(with_slip, "scaled", every)),
        ("eps", "CLIP.2", "1e-6 is added to the norm", partial(with_eps, 1e-6)),
        ("no-eps", "CLIP.2", "nothing is added to the norm", partial(with_eps, 0.0)),
    ):  # fmt: skip
        yield Fault(f"clip-{name}", "clipping", rule, observed, probe=partial(with_clip, change))
    after = partial(with_clip, partial(with_slip, "after-decay", every))
    observed = "what is clipped is the sum of the gradient and the decay"
    yield Fault("clip-decay", "clipping", "CLIP.1", observed, probe=after, update=decayed_first)


CLIPPING = (*of_gradients(), *of_steps(), *of_claims())

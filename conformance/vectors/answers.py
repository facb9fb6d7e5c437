"""The oracle's answer to an input: the state after each step, rounded once, and its bounds."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_CEILING, Context, Decimal
from typing import Any

import numpy as np
from flint import arb, ctx

from adamcore import AXES, Adam
from adamcore.conformance.claims import axes_of, claim_from
from adamcore.conformance.dtypes import DTYPES, round_probe, to_bits
from adamcore.conformance.oracle.bounds import FACTOR, AffineSlot, formats_of
from adamcore.conformance.oracle.exact import PRECISION, ExactSlot, round_once
from adamcore.conformance.oracle.trajectory import is_absent, simulate
from adamcore.conformance.rules import RULE_OF
from adamcore.conformance.types import FloatArray, Probe, Start, Step
from adamcore.conformance.vectors.inputs import Input
from adamcore.conformance.verdict.judge import UNDECIDED

Json = dict[str, Any]
LATER = ("cautious_decay",)  #: axes that are younger than the edition: a file has them only if it needs them
UPWARDS = Context(prec=3, rounding=ROUND_CEILING)  #: bounds are published with three digits


class WholeExact(ExactSlot):
    """Balls of the whole state: p, m, v, v_max."""

    def read(self) -> list[Any]:
        return [self.p[0], self.m[0], self.v, self.v_max]


class WholeAffine(AffineSlot):
    """Bounds of the whole state."""

    def read(self) -> list[Any]:
        return list(FACTOR * self.radius())


def axes_json(adam: Adam) -> Json:
    """Return the axes of an Adam, each with its value and the rule of the value."""
    axes = axes_of(adam)
    return {
        axis: {"value": value, "rule": RULE_OF[axis][value]}
        for axis, value in axes.items()
        if axis not in LATER or value != AXES[axis][0]
    }


def claim_of_json(axes: Json) -> Adam:
    """Return the Adam whose axes :func:`axes_json` gives."""
    return claim_from({axis: entry["value"] for axis, entry in axes.items()})


def make_vector(claim: Adam, item: Input, dtype: str) -> Json | None:
    """Return the vector of an input under a claim in a dtype, or None if there is none.

    There is none if the input does not apply to the claim, if a gradient, a state or an answer is not finite
    in the dtype, or if the bound of a parameter is too wide to judge.
    """
    probe = round_probe(item.probe, "float32" if dtype == "float64" else dtype)
    if not probe.applies_to(claim) or has_nonfinite(probe):
        return None
    steps = answers(claim, probe, dtype)
    if steps is None:
        return None
    return {
        "id": f"{item.probe.name}/{dtype}",
        "rule": probe.rule,
        "about": probe.about,
        "flags": list(item.flags),
        "dtype": dtype,
        "hyper": dict(probe.hyper),
        "params": [{"shape": list(p.shape), "bits": bit_text(p, dtype)} for p in probe.params],
        "start": [start_json(s, dtype) for s in probe.start],
        "steps": steps,
    }


def has_nonfinite(probe: Probe) -> bool:
    """True if a parameter or a gradient of the probe is not finite."""
    arrays = [*probe.params, *(g for s in probe.steps for g in s.grads if g is not None)]
    return not all(np.isfinite(x).all() for x in arrays)


def answers(claim: Adam, probe: Probe, dtype: str) -> list[Json] | None:
    """Return the state after each step, or None if it leaves the dtype's range or a bound is too wide."""
    arithmetic, storage = formats_of(claim, dtype, False)
    with ctx.workprec(PRECISION):
        want = simulate(claim, probe, WholeExact)
        bound = simulate(claim, probe, lambda a, parts: WholeAffine(a, parts, arithmetic, storage))
        if want.raises:
            return None
        names = ("p", "m", "v", "v_max")[: 3 if claim.amsgrad == "none" else 4]
        done, lr = [], probe.hyper["lr"]
        for s, step in enumerate(probe.steps):
            lr = lr if step.lr is None else step.lr
            answer: Json = {
                "lr": lr,
                "grads": [
                    None if g is None or is_absent(step, i) else bit_text(g, dtype)
                    for i, g in enumerate(step.grads)
                ],
                "t": want.clocks[s],
            }
            for k, name in enumerate(names):
                pairs = [
                    publish(want.steps[s][i][k], bound.steps[s][i][k], dtype) for i in range(len(step.grads))
                ]
                if any(pair is None for pair in pairs):
                    return None
                answer[name] = [bits for bits, _ in pairs]  # type: ignore[misc]
                answer[f"{name}_bound"] = [limits for _, limits in pairs]  # type: ignore[misc]
            if any(b > UNDECIDED * probe.hyper["lr"] for limits in answer["p_bound"] for b in limits):
                return None
            done.append(answer)
    return done


def publish(balls: Any, radius: FloatArray, dtype: str) -> tuple[str, list[float]] | None:
    """Return the exact values rounded once, and the largest allowed error relative to the rounded values.

    Return None if a value leaves the range of the dtype or if its radius is not finite.
    """
    d = DTYPES[dtype]
    rounded = [round_once(ball, d.bits, d.smallest) if ball.is_finite() else np.inf for ball in balls]
    if not all(abs(x) <= d.largest for x in rounded) or not np.isfinite(radius).all():
        return None
    off = [
        abs(float((ball - arb(x)).mid())) for ball, x in zip(balls, rounded, strict=True)
    ]  # between exact and rounded once
    limits = [round_up(r + o) for r, o in zip(radius, off, strict=True)]
    return bit_text(np.array(rounded), dtype), limits


def round_up(x: float) -> float:
    """Return the smallest number with three digits that is not below ``x``.

    So the published bounds do not depend on the last digits of a machine's library.

    >>> round_up(0.123000001)
    0.124
    """
    return float(UPWARDS.create_decimal(Decimal(float(x))))


def bit_text(values: FloatArray, dtype: str) -> str:
    """Return the bit patterns of values in hexadecimal, separated by spaces."""
    digits = DTYPES[dtype].width // 4
    return " ".join(f"{int(k):0{digits}x}" for k in np.ravel(to_bits(values, dtype)))


def start_json(start: Start, dtype: str) -> Json:
    return {
        "t": start.t,
        "m": bit_text(start.m, dtype),
        "v": bit_text(start.v, dtype),
        "v_max": bit_text(start.v_max, dtype),
    }


def probe_of(vector: Json, values: Any) -> Probe:
    """Return the probe of a vector; ``values`` is a function from bit patterns and a dtype to an array."""
    dtype, lr, steps = vector["dtype"], vector["hyper"]["lr"], []
    shapes = [tuple(p["shape"]) for p in vector["params"]]
    for step in vector["steps"]:
        grads = tuple(
            None if g is None else values(g, dtype).reshape(shape)
            for g, shape in zip(step["grads"], shapes, strict=True)
        )
        steps.append(Step(grads, lr=None if step["lr"] == lr else step["lr"]))
        lr = step["lr"]
    start = tuple(
        Start(s["t"], *(values(s[k], dtype).reshape(shape) for k in ("m", "v", "v_max")))
        for s, shape in zip(vector["start"], shapes, strict=False)
    )
    name = vector["id"].rpartition("/")[0]
    params = tuple(
        values(p["bits"], dtype).reshape(shape) for p, shape in zip(vector["params"], shapes, strict=True)
    )
    return replace(Probe(name, vector["about"], params, tuple(steps), vector["hyper"]), start=start)

"""What to say of steps that are those of another clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from adamcore import Adam
from adamcore.conformance.anatomy.differences import Difference, Words
from adamcore.conformance.anatomy.experiments import CONSTANT, LARGE, TINY, T, experiment
from adamcore.conformance.anatomy.facts import NEAR
from adamcore.conformance.anatomy.readings import Readings, readings_of_claim, run_of_claim
from adamcore.conformance.types import FloatArray, Start

TRIED = 256  #: the clocks that are tried


def counted(d: Difference) -> Words | None:
    """The words on steps that are all those of another clock, far below eps and far above it, or None."""
    r = d.anatomy.readings
    if r.why_not("main"):
        return None
    far_below, far_above = (
        clocks_that_fit(d, r.probes["main"].hyper, [size] * T, r.moves(name)[:, CONSTANT].value)
        for name, size in (("linear", TINY), ("normal", LARGE))
    )
    common = [np.intersect1d(*both) for both in zip(far_below or (), far_above or (), strict=False)]
    if len(common) < T or not all(map(len, common)):
        return None
    t, own = np.array([each[0] for each in common]), np.arange(1, T + 1)
    if all(k in each for k, each in zip(own, common, strict=True)):
        return None
    if np.all(t - own == t[0] - 1):
        return "clock", "CLK.2", f"all steps are those of a clock that begins at {t[0] - 1}"
    return "clock", "CLK.2", f"steps 1, 2, ... are those of t = {', '.join(map(str, t))}"


def clocks_of_steps(
    d: Difference, hyper: Mapping[str, float], gradients: Sequence[float], steps: FloatArray
) -> FloatArray | None:
    """Return the first clocks with which the claim makes an element's steps by these gradients, or None."""
    fitting = clocks_that_fit(d, hyper, gradients, steps)
    return None if fitting is None else np.array([float(clocks[0]) for clocks in fitting])


def clocks_that_fit(
    d: Difference, hyper: Mapping[str, float], gradients: Sequence[float], steps: FloatArray
) -> list[npt.NDArray[np.int64]] | None:
    """Return the clocks with which the claim makes each of an element's steps by these gradients, or None."""
    claim, r = d.anatomy.claim, d.anatomy.readings
    if claim is None or claim.nesterov != "none":
        return None
    plain = replace(claim, clock="per-parameter", missing="skip", all_missing="tick")
    m = v = top = 0.0
    found = []
    for gradient, moved in zip(gradients, steps, strict=True):
        g = np.full(1, gradient)
        probe = experiment(
            "clocks", "one step from each clock", [np.zeros(1)] * TRIED, [[g] * TRIED], **hyper
        )
        state = np.full(1, m), np.full(1, v), np.full(1, top)
        probe = replace(probe, start=tuple(Start(t, *state) for t in range(TRIED)))
        made = Readings({"clocks": run_of_claim(plain, probe)}, {"clocks": probe}, r.dtype)
        every = np.array([made.moves("clocks", i).value[0, 0] for i in range(TRIED)])
        fitting = np.flatnonzero(np.abs(every - moved) <= NEAR * np.abs(moved)) + 1
        if len(fitting) == 0 or len(fitting) > TRIED // 2:  # no clock counts there
            return None
        found.append(fitting)
        m, v = averaged(claim, hyper, m, v, gradient)
        top = max(top, v / (1.0 - hyper["b2"] ** float(fitting[0])) if claim.amsgrad == "corrected" else v)
    return found


def is_stepped_twice(d: Difference, name: str, i: int = 0) -> bool:
    """True if parameter ``i`` of an experiment moves as if the claim made each of its steps twice."""
    return is_stepped_often(d, name, [i], 2)


def is_stepped_often(d: Difference, name: str, arrays: Sequence[int], times: int, share: float = 1.0) -> bool:
    """True if parameters of an experiment move as if the claim made each of their steps several times.

    Args:
        d: the difference.
        name: of the experiment.
        arrays: the numbers of the parameters.
        times: how often each step is made.
        share: the part of the gradient that each time has.
    """
    claim, r = d.anatomy.claim, d.anatomy.readings
    if claim is None or r.why_not(name):
        return False
    probe = r.probes[name]
    steps = (step.each_gradient(lambda g: share * g) for step in probe.steps for _ in range(times))
    made = readings_of_claim(claim, {name: replace(probe, steps=tuple(steps))}, r.dtype)
    for i in arrays:
        moved = made.moves(name, i)
        whole = moved[::times]
        for k in range(1, times):
            whole = whole + moved[k::times]
        if not r.moves(name, i).all_equal(whole):
            return False
    return True


def averaged(claim: Adam, hyper: Mapping[str, float], m: Any, v: Any, g: Any) -> tuple[Any, Any]:
    """Return both moments after a gradient, without decay."""
    b1, b2 = hyper["b1"], hyper["b2"]
    return b1 * m + (1.0 - b1) * (-g if claim.maximize else g), b2 * v + (1.0 - b2) * g * g

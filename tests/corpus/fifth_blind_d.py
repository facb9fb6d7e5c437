"""Blind, fifth set: slips in maximum, look-ahead, complex numbers, absence, state and layout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from fifth_blind_frame import CommonHat, Dozat, Modulus
from fourth_blind_frame import Hat, Nadam, Uncorrected
from register import wrong


@wrong("amsgrad", "AMS.1", like="online-ml/river river/optim/ams_grad.py")
class FifthMaximumCorrectedInPlace(CommonHat):
    """The maximum is divided by the correction where it is kept, and compared with the next as it is."""

    dialect = "river.AMSGrad"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        s.top = np.maximum(s.top, s.v) / c2
        return (s.m / c1) / (np.sqrt(s.top) + s.h.eps / math.sqrt(c2))


@wrong("nesterov bias_correction", "NES.1", like="dotnet/TorchSharp#1154")
class FifthProductFromZero(Dozat):
    """The product of the schedule begins at 0, and stays there."""

    def begin(self) -> None:
        for s in self.slots:
            s.mu = 0.0


@wrong("nesterov", "NES.1", like="a transcription of b1*(1 - 0.5*0.96**(t*psi))")
class FifthPowerOfBracket(Dozat):
    """The schedule of the momentum is b1*(1 - 0.5*0.96)**(t*momentum_decay): a bracket closes too early."""

    def schedule(self, s: Slot, t: int) -> float:
        return float(s.h.b1 * (1 - 0.5 * 0.96) ** (t * s.h.momentum_decay))


@wrong("nesterov state", "NES.1", like="pytorch/pytorch#70229")
class FifthProductNotKept(Nadam):
    """The new product is the value of a list comprehension, and never stored: each step begins from 1."""

    def tick(self, s: Slot) -> None:
        s.mu = 1.0
        super().tick(s)


@wrong("complex", "CPX.2", like="FluxML/Optimisers.jl: abs2 for complex gradients")
class FifthModulusNotSquared(Modulus):
    """Of a complex gradient the modulus is averaged, and not its square."""

    def square(self, s: Slot, g: Array) -> Array:
        if s.dtype.kind != "c":
            return super().square(s, g)
        return np.repeat((1 - s.h.b2) * np.hypot(g[0::2], g[1::2]), 2)


@wrong("missing", "F1", like="two pages of parameters that change places in every step")
class FifthPageTurnedWhereAbsent(Frame):
    """Two pages of a parameter change places also where a gradient is absent: an older value comes back."""

    def update(self, s: Slot, g: Array) -> None:
        s.extra["page"] = s.p.copy()
        super().update(s, g)

    def missed(self, s: Slot) -> None:
        if "page" in s.extra:
            s.p, s.extra["page"] = s.extra["page"], s.p


@wrong("zero_gradient clock", "F2", like="a state that is made by the first gradient with a norm")
class FifthWaitsForNorm(Frame):
    """Until the first gradient that is not zero everywhere nothing is counted, and nothing decays."""

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all([
            None if s.t == 0 and g is not None and not g.any() else g
            for s, g in zip(self.slots, grads, strict=True)
        ])  # fmt: skip


@wrong("state", "STATE.4", like="piergiaj/pytorch-i3d#38")
class FifthSavedByShape(Hat):
    """Saved moments are found by the shape of their array, and of one shape the last is saved."""

    def set_state(self, state: dict[str, Any]) -> None:
        last = {a.shape: i for i, a in enumerate(np.asarray(x) for x in state["m"])}
        order = [last[s.shape] for s in self.slots]
        moments = {name: [state[name][i] for i in order] for name in ("m", "v")}
        super().set_state({**state, **moments})


@wrong("state mixed_precision", "MOM.4", like="pytorch/pytorch: load_state_dict casts what it loads")
class FifthLoadedAsFloat(Coupled):
    """Loaded moments are cast to float32, also for a float64 parameter."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.m, s.v = (np.asarray(a, np.float32).astype(a.dtype) for a in (s.m, s.v))


@wrong("nonfinite", "NF.2", like="google-deepmind/ferminet#105: reset_if_nan")
class FifthResetIfNan(Uncorrected):
    """A gradient with a number that is not finite sets all moments of its array back to zero."""

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        if not np.isfinite(g).all():
            s.m, s.v = np.zeros_like(s.m), np.zeros_like(s.v)


@wrong("layout", "NUM.5", like="xlite-dev/LeetCUDA#421")
class FifthPairsAlone(Frame):
    """Elements are stepped in pairs, and the last of an odd number is left as it is."""

    def update(self, s: Slot, g: Array) -> None:
        old = [a.copy() for a in (s.p, s.m, s.v)]
        super().update(s, g)
        if g.size % 2:
            for new, kept in zip((s.p, s.m, s.v), old, strict=True):
                new[-1] = kept[-1]


@wrong("layout", "NUM.5", like="a squeeze that was meant for the axis of the batch")
class FifthSqueezed(Frame):
    """Axes of length 1 are lost on the way out."""

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        return [np.squeeze(p) for p in super().step(grads)]

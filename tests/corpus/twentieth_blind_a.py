"""Blind, twentieth set: faults of attributes, masters, powers and states, after the bugs of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot
from fifth_blind_frame import Modulus
from fourth_blind_frame import Common, Keras
from register import wrong
from sixth_blind_frame import Running


@wrong(
    "decay hyperparameters",
    "DEC.2",
    like="PaddlePaddle/Paddle#36794: in dygraph the kernel gets coeff, and with_decay is what it is without",
)
class TwentiethWithDecayNotHanded(Running):
    """The kernel is given the weight decay, but not the attribute that it looks at: nothing decays."""

    dialect = "paddle.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        self.kernel(s, u, coeff=s.h.weight_decay)

    def kernel(self, s: Slot, u: Array, coeff: float = 0.01, *, with_decay: bool = False) -> None:
        kept = 1 - s.h.lr * coeff if with_decay else 1.0
        s.p = kept * s.p - s.h.lr * u


@wrong(
    "storage aliasing mixed_precision",
    "STEP.1",
    like="PaddlePaddle/PaddleCustomDevice#829: where the temporary master is FP32 the master gets no memory",
)
class TwentiethMasterWithoutMemory(Running):
    """In float32 a step begins at the master copy and goes into another array: the copy stays the first."""

    dialect = "paddle.AdamW"

    def begin(self) -> None:
        super().begin()
        self.master_param = [s.p.copy() for s in self.slots]

    def move(self, s: Slot, u: Array) -> None:
        master = self.master_param[s.index]
        s.p = master
        super().move(s, u)
        if s.p.dtype != np.float32:
            master[...] = s.p


@wrong(
    "bias_correction hyperparameters",
    "BC.1",
    like="PaddlePaddle/Paddle#33472: powers of the betas begin with what the betas are by default",
)
class TwentiethPowersOfDefaults(Running):
    """The powers begin at 0.9 and 0.999, whatever the betas are, and are multiplied by the betas then."""

    dialect = "paddle.AdamW"
    fill_values = (0.9, 0.999)

    def powers(self, s: Slot) -> dict[str, float]:
        first, second = self.fill_values
        return {"power1": first * s.h.b1**s.t, "power2": second * s.h.b2**s.t}

    def tick(self, s: Slot) -> None:
        s.t += 1

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        s.extra["power1"] *= s.h.b1
        s.extra["power2"] *= s.h.b2


@wrong(
    "moments epsilon",
    "MOM.1",
    like="hpcaitech/ColossalAI#247: each micro-step reduces all there is, and so what has been reduced",
)
class TwentiethReducedAgain(Common):
    """Of two micro-steps the first one's part is summed over two ranks in both: half of it is too much."""

    ranks, micro_steps = 2, 2

    def taken(self, g: Array) -> Array:
        part = super().taken(g) / (self.ranks * self.micro_steps)
        grad = np.zeros_like(part)
        for _ in range(self.micro_steps):
            grad = self.all_reduced(grad + part)
        return grad

    def all_reduced(self, grad: Array) -> Array:
        """Return the sum over ranks, which have the same here."""
        return grad * self.ranks


@wrong(
    "missing",
    "F1",
    like="extropic-ai/sparse-transformers#3: a frozen table is handed to AdamW, which has no mask",
)
class TwentiethFrozenTableShrinks(Frame):
    """What has no gradient is stepped by zeros as all other leaves are, and so it decays."""

    dialect = "timm.AdamW"

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all([self.stopped(s) if g is None else g for s, g in zip(self.slots, grads, strict=True)])

    def stopped(self, s: Slot) -> Array:
        """Return what is behind a stop_gradient."""
        return np.zeros(s.shape, s.dtype)


@wrong(
    "state storage mixed_precision",
    "STATE.4",
    like="FluxML/Optimisers.jl#180: cu(state) adapts a leaf by its structure, and makes it Float32",
)
class TwentiethAdaptedLeaf(Modulus):
    """A state that is taken over has its moments in float32, and they are kept so, of float64 ones too."""

    is_adapted = False

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.is_adapted = True
        for s in self.slots:
            self.adapt(s)

    def adapt(self, s: Slot) -> None:
        s.m, s.v = s.m.astype(np.float32), s.v.astype(np.float32)

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g)
        if self.is_adapted:
            self.adapt(s)

    def shaped(self, s: Slot, row: Array) -> Array:
        return super().shaped(s, row.astype(s.p.dtype))


@wrong(
    "state clock",
    "STATE.4",
    like="titu1994/keras-adabound#4: iterations are the base class', and are not among the saved weights",
)
class TwentiethIterationsNotAmongWeights(Keras):
    """What is loaded are moments alone: the clock is that of the optimizer that loads them."""

    dialect = "keras.Adam"

    def set_state(self, state: dict[str, Any]) -> None:
        iterations = [s.t for s in self.slots]
        super().set_state(state)
        for s, t in zip(self.slots, iterations, strict=True):
            s.t = t

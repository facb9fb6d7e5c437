"""Blind, thirty-seventh set, second half: faults of dtypes, rows and bounds, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from fifth_blind_frame import Plain
from register import wrong
from sixth_blind_frame import Running, Wanting
from tenth_blind_frame_b import CoupledHat


@wrong(
    "moments mixed_precision",
    "MOM.1",
    like="NVIDIA/warp#1593: set_params compares dtypes that always differ, and zeroes m and v in each call",
)
class ThirtySeventhBZeroedOnMismatch(Wanting):
    """Moments are wider than a float32 parameter: set_params, called in each step, zeroes them for that."""

    dialect = "warp.Adam"

    def begin(self) -> None:
        for s in self.slots:
            s.m, s.v = s.m.astype(np.float64), s.v.astype(np.float64)

    def set_params(self) -> None:
        for s in self.slots:
            for name in ("m", "v"):
                moment = getattr(s, name)
                if moment.shape != s.p.shape or moment.dtype != s.p.dtype:
                    setattr(s, name, np.zeros(s.p.shape, np.float64))

    def all(self, grads: Sequence[Array | None]) -> None:
        self.set_params()
        super().all(grads)

    def learn(self, s: Slot, g: Array) -> None:
        wide = g.astype(s.m.dtype)
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * wide
        s.v = s.h.b2 * s.v + ((1 - s.h.b2) * wide) * wide

    def move(self, s: Slot, u: Array) -> None:
        s.p = (s.p - s.h.lr * u).astype(s.p.dtype)

    def shaped(self, s: Slot, row: Array) -> Array:
        wide = np.complex128 if s.dtype.kind == "c" else np.float64
        return row.view(s.dtype if row.dtype == s.p.dtype else wide).reshape(s.shape).copy()


@wrong(
    "clock",
    "CLK.1",
    like="ArthurBrussee/brush#451: one step count serves all splats, also those that come later",
)
class ThirtySeventhBOneCountForSplats(Coupled):
    """One step count serves all: an array that comes later is corrected by the steps of the others."""

    dialect = "burn.Adam"

    def begin(self) -> None:
        self.time = 0

    def all(self, grads: Sequence[Array | None]) -> None:
        self.time += 1
        super().all(grads)

    def tick(self, s: Slot) -> None:
        s.t = self.time

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.time = max((s.t for s in self.slots), default=0)


@wrong(
    "mixed_precision storage",
    "NUM.1",
    like="chelsea0x3b/dfdx#748: all of the optimizer is done in f16, and finite gradients give NaN",
)
class ThirtySeventhBOptimizerInHalf(Coupled):
    """Moments, corrections, root and epsilon are float16, the parameter alone is not: 1e-8 is 0 there."""

    dialect = "torch.Adam"

    def update(self, s: Slot, g: Array) -> None:
        half, h = np.float16, s.h
        g_t = (g + h.weight_decay * s.p).astype(half)
        m = s.m.astype(half) * half(h.b1) + g_t * half(1 - h.b1)
        v = s.v.astype(half) * half(h.b2) + g_t * g_t * half(1 - h.b2)
        m_hat = m * half(1 / (1 - h.b1**s.t))
        v_hat = v * half(min(1 / (1 - h.b2**s.t), 65504.0))
        change = half(h.lr) * m_hat / (np.sqrt(v_hat) + half(h.eps))
        s.p = s.p - change.astype(s.p.dtype)
        s.m, s.v = m.astype(s.p.dtype), v.astype(s.p.dtype)


@wrong(
    "coefficients mixed_precision",
    "NUM.4",
    like="PaddlePaddle/Paddle#41670: the beta powers go through the kernel's data transform, as tensors do",
)
class ThirtySeventhBPowersTransformed(Running):
    """The powers of the betas go through the transform to the kernel's dtype, which is half precision."""

    dialect = "paddle.AdamW"

    def tick(self, s: Slot) -> None:
        s.t += 1
        for name, beta in (("power1", s.h.b1), ("power2", s.h.b2)):
            s.extra[name] = float(np.float16(np.float16(s.extra[name]) * np.float16(beta)))


@wrong(
    "clipping moments",
    "STEP.1",
    like="taki0112/AdaBound-Tensorflow#5: the bounds have gamma where gamma times the steps belongs",
)
class ThirtySeventhBBoundsNeverTighten(Plain):
    """The rate over the root is held between bounds that have a constant gamma: they never tighten."""

    final_lr, gamma = 0.1, 1e-3

    def begin(self) -> None:
        self.base = [s.h.lr for s in self.slots]

    def move(self, s: Slot, u: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        final = self.final_lr * s.h.lr / (self.base[s.index] or 1.0)
        lower = final * (1 - 1 / (self.gamma + 1))
        upper = final * (1 + 1 / self.gamma)
        size = s.h.lr / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)
        s.p = s.p - np.clip(size, lower, upper) * (s.m / c1)


@wrong(
    "state",
    "STATE.4",
    like="deepmodeling/deepmd-kit#5420: a checkpoint swaps in the average of an output bias changed since",
)
class ThirtySeventhBStaleBiasSwappedIn(Frame):
    """A save has shadows of the parameters, that of the last one from the start: a load swaps them in."""

    dialect = "torch.AdamW"

    def begin(self) -> None:
        self.shadow = [s.p.copy() for s in self.slots]

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        if s.index + 1 < len(self.slots):  # the last one is the output bias, which is changed in place
            self.shadow[s.index] = s.p.copy()

    def get_state(self) -> dict[str, Any]:
        shadow = [self.shaped(s, row) for s, row in zip(self.slots, self.shadow, strict=True)]
        return {**super().get_state(), "ema": shadow}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        if "ema" in state:
            for s, kept in zip(self.slots, state["ema"], strict=True):
                s.p = np.ascontiguousarray(kept).reshape(-1).view(s.p.dtype).copy()
                self.shadow[s.index] = s.p.copy()


@wrong(
    "sparse zero_gradient",
    "SPARSE.2",
    like="apache/mxnet#9177: with a row_sparse gradient there is the lazy update alone",
)
class ThirtySeventhBLazyAlone(CoupledHat):
    """A gradient's rows of zeros are not stored, and the update is lazy: m and v of others stay."""

    dialect = "mxnet.Adam"

    def update(self, s: Slot, g: Array) -> None:
        old, rows = (s.p, s.m, s.v), (s.shape or (1,))[0]
        stored = np.any(g.reshape(rows, -1) != 0, axis=1) if g.size else np.zeros(rows, bool)
        lanes = np.repeat(stored, g.size // max(rows, 1))
        super().update(s, g)
        s.p, s.m, s.v = (np.where(lanes, a, b) for a, b in zip((s.p, s.m, s.v), old, strict=True))


@wrong(
    "aliasing state",
    "STATE.2",
    like="mlverse/torch#1041: load_state_dict keeps references to the tensors that it is given",
)
class ThirtySeventhBLoadedByReference(Coupled):
    """What is loaded is kept and not copied: steps in place write into the state that was given."""

    dialect = "torch.Adam"

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            for name, attribute in self.kept():
                given = state[name][s.index] if name in state else None
                if isinstance(given, np.ndarray) and given.flags.c_contiguous and given.flags.writeable:
                    setattr(s, attribute, given.reshape(-1).view(s.p.dtype))

    def learn(self, s: Slot, g: Array) -> None:
        s.m *= s.h.b1
        s.m += (1 - s.h.b1) * g
        s.v *= s.h.b2
        s.v += ((1 - s.h.b2) * g) * g

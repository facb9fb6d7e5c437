"""Blind, twenty-third set: faults of resets, powers, states and layouts in NumPy, after others' bugs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, flat
from fifth_blind_frame import Modulus
from register import wrong
from tenth_blind_frame_b import Slotted
from twelfth_blind_frame import RunningCoupled
from twelfth_blind_frame_b import Legacy, begun


@wrong(
    "state",
    "F4",
    like="MrNeRF/LichtFeld-Studio#1229: moments are codes, and zeros that are written to reset them are lost",
    claim="torch.AdamW",
)
class TwentyThirdZerosNotWritten(Frame):
    """Zeros that are given for moments are not written: such elements keep the moment that they have."""

    def set_state(self, state: dict[str, Any]) -> None:
        before = [(s.m, s.v) for s in self.slots]
        super().set_state(state)
        for s, (m, v) in zip(self.slots, before, strict=True):
            s.m = np.where(s.m == 0, m, s.m)
            s.v = np.where(s.v == 0, v, s.v)


@wrong(
    "bias_correction decay",
    "BC.1",
    like="tensorflow/tensorflow#359: the powers of the betas are trainable, and so among what is optimised",
    claim="paddle.Adam",
)
class TwentyThirdPowersAreTrained(RunningCoupled):
    """The powers of the betas are trainable variables, and are stepped along their own penalty."""

    def tick(self, s: Slot) -> None:
        super().tick(s)
        for power in ("power1", "power2"):
            s.extra[power] *= 1 - s.h.lr * s.h.weight_decay


@wrong(
    "moments clock",
    "MOM.3",
    like="tensorflow/tensorflow#29675: an optimizer is made in each call of the function that trains",
    claim="tf1.Adam",
)
class TwentyThirdMadeInEachCall(Slotted):
    """Each step is made by a new optimizer: moments are zeros before it, and its clock is at 0."""

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        for s in self.slots:
            begun(s)
        super().all(grads)


@wrong(
    "moments layout",
    "STEP.1",
    like="Improbable-AI/walk-these-ways#68: one module is held by two Adams, each of which steps it",
    claim="torch.AdamW",
)
class TwentyThirdModuleOfTwoAdams(Frame):
    """The last parameter is held by two Adams: each batch steps it twice, of two states."""

    other: Frame

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        super().init_groups(params, hypers)
        self.other = Frame()
        self.other.init_groups(params[-1:], hypers[-1:])

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper(hyper)
        self.other.set_hyper(hyper)

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "adaptation": self.other.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        if "adaptation" in state:
            self.other.set_state(state["adaptation"])

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        for mine, theirs in zip(self.slots[-1:], self.other.slots, strict=True):
            theirs.p = mine.p
            self.other.all(grads[-1:])
            mine.p = theirs.p


@wrong(
    "decay",
    "DEC.1",
    like="chainer/chainer#267: decay times the parameter is taken from the gradient, so that weights grow",
    claim="torch.Adam",
)
class TwentyThirdPenaltySubtracted(Coupled):
    """The penalty is taken from the gradient where it is to be added."""

    def penalized(self, s: Slot, g: Array) -> Array:
        return g - s.h.weight_decay * s.p


@wrong(
    "state clock",
    "STATE.4",
    like="tensorflow/tensorflow#8057: the powers of the betas are no slots, and code of slots misses them",
    claim="tf_keras.legacy.Adam",
)
class TwentyThirdSlotsAlone(Legacy):
    """What is saved and restored are the slots, m and v: the powers of the betas are those of a start."""

    slot_names = ("m", "v")

    def get_state(self) -> dict[str, Any]:
        full = super().get_state()
        return {name: full[name] for name in self.slot_names}

    def set_state(self, state: dict[str, Any]) -> None:
        for s in self.slots:
            s.t = 0
            for name in self.slot_names:
                if name in state:
                    setattr(s, name, flat(np.asarray(state[name][s.index])).copy())


@wrong(
    "state layout sharding",
    "STATE.4",
    like="pytorch/pytorch#92823: a sharded state is saved in another layout than the flat one that is loaded",
    claim="optimisers_jl.AdamW",
)
class TwentyThirdShardsOfColumns(Modulus):
    """Moments are saved as shards of columns, one behind the other, and loaded as one flat row of rows."""

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        for name, _ in self.kept():
            state[name] = [self.flattened(a) for a in state[name]]
        return state

    def flattened(self, a: Array) -> Array:
        shards = [np.take(a, [i], axis=-1) for i in range(a.shape[-1])] if a.ndim > 1 and a.size else [a]
        return np.concatenate([shard.reshape(-1) for shard in shards]).reshape(a.shape)

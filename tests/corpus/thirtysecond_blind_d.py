"""Blind, thirty-second set: faults of rows, loads, offloads and of what is trained in NumPy."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled
from fifth_blind_frame import Plain
from fourth_blind_frame import Common
from register import wrong
from tenth_blind_frame_b import CoupledHat, Slotted
from twelfth_blind_frame import RunningCoupled
from twelfth_blind_frame_b import begun


@wrong(
    "sparse layout",
    "SPARSE.2",
    like="PaddlePaddle/Paddle#12909: recorded rows are cleared once the trainers go on, with the next ones",
)
class ThirtySecondBEarlyRowsWiped(RunningCoupled):
    """From the second step on the first half of a gradient's rows comes early, and is wiped to 0."""

    dialect = "paddle.Adam"

    def all(self, grads: Sequence[Array | None]) -> None:
        if any(s.t for s in self.slots):
            grads = [None if g is None else self.wiped(g) for g in grads]
        super().all(grads)

    def wiped(self, g: Array) -> Array:
        left = np.array(g)
        if left.ndim:
            left[: left.shape[0] // 2] = 0
        return left


@wrong(
    "state",
    "STATE.4",
    like="PaddlePaddle/Paddle#33984: a load before the first update holds LR_Scheduler as an accumulator",
)
class ThirtySecondBSchedulerIsHeld(RunningCoupled):
    """What is loaded before the first step is held, the scheduler's entry too, on which the step fails."""

    dialect = "paddle.Adam"

    def begin(self) -> None:
        super().begin()
        self.holder: dict[str, Any] = {}
        self.has_accumulators = False

    def get_state(self) -> dict[str, Any]:
        rates = {
            "last_lr": [s.h.lr for s in self.slots],
            "last_epoch": max((s.t for s in self.slots), default=0),
        }
        return {**super().get_state(), "LR_Scheduler": rates}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        if not self.has_accumulators:
            self.holder = copy.deepcopy(state)

    def all(self, grads: Sequence[Array | None]) -> None:
        for name, held in self.holder.items():
            if name != "t" and not isinstance(held, list):
                raise TypeError(f"{name} is no accumulator: {type(held).__name__} has no shape")
        self.holder, self.has_accumulators = {}, True
        super().all(grads)


@wrong(
    "layout groups",
    "STEP.1",
    like="ai4co/rl4co#186: the optimizer has the policy's parameters alone, and A2C's critic is in none",
)
class ThirtySecondBCriticLeftOut(Coupled):
    """Of several arrays the second half is the critic's, which is in no optimizer and never stepped."""

    dialect = "torch.Adam"

    def all(self, grads: Sequence[Array | None]) -> None:
        policy = (len(grads) + 1) // 2
        super().all([g if i < policy else None for i, g in enumerate(grads)])


@wrong(
    "missing",
    "F1",
    like="keras-team/keras#10222: TF's optimizer collects all variables, those not trainable among them",
)
class ThirtySecondBCollectsAllVariables(Slotted):
    """A variable that is not to be trained is collected too, and stepped by the gradient that it had last."""

    dialect = "tf1.Adam"

    def begin(self) -> None:
        self.variables: dict[int, Array] = {}

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        self.variables.update({i: np.array(g) for i, g in enumerate(grads) if g is not None})
        super().all([self.variables.get(i) for i in range(len(grads))])


@wrong(
    "state moments",
    "STATE.4",
    like="alibaba/ChatLearn#283: the offloading of states is wrong with Transformer Engine from 1.13 on",
)
class ThirtySecondBOffloadsByName(Common):
    """After each fourth step states are offloaded by name: second moments are freed, and come back as 0."""

    dialect = "transformer_engine.FusedAdam"
    episode, names = 4, ("m",)  # of what the offloading knows

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        for s in self.slots:
            if s.t % self.episode == 0:
                host = {name: getattr(s, name).copy() for name in self.names}
                s.m, s.v = (host.get(name, np.zeros_like(s.p)) for name in ("m", "v"))


@wrong(
    "state",
    "STATE.4",
    like="RLinf/RLinf#706: SAC's checkpoints lack alpha's optimizer, its scheduler and the update counter",
)
class ThirtySecondBAlphaNotSaved(Coupled):
    """The last of several arrays is alpha, of which a state that is saved has neither moments nor a clock."""

    dialect = "torch.Adam"

    def get_state(self) -> dict[str, Any]:
        whole = super().get_state()
        return {k: x[:-1] for k, x in whole.items()} if len(self.slots) > 1 else whole

    def set_state(self, state: dict[str, Any]) -> None:
        every = self.slots
        self.slots = every[: len(state["m"])]
        super().set_state(state)
        self.slots = every


@wrong(
    "state",
    "STATE.4",
    like="cselab/korali#648: learners do not serialize their optimizers, a restart has none of what they had",
)
class ThirtySecondBNotSerialized(Plain):
    """The optimizer has nothing to be serialized: behind a restart moments and clocks are 0."""

    dialect = "paper"

    def get_state(self) -> dict[str, Any]:
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        if "m" in state:
            super().set_state(state)
            return
        for s in self.slots:
            begun(s)


@wrong(
    "state",
    "STATE.4",
    like="apache/mxnet#9224: load_states right behind the construction comes before the kvstore is set up",
)
class ThirtySecondBLoadedBeforeStore(CoupledHat):
    """The first step sets up a store with an updater of its own: what was loaded before is lost."""

    dialect = "mxnet.Adam"

    def begin(self) -> None:
        self.kv_initialized = False

    def all(self, grads: Sequence[Array | None]) -> None:
        if not self.kv_initialized:
            self.kv_initialized = True
            for s in self.slots:
                begun(s)
        super().all(grads)

"""Blind, twenty-ninth set: faults of decays, gradients, maxima and saves, after the bugs of others."""

from __future__ import annotations

from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot
from fourth_blind_frame import Common, Keras
from register import wrong
from seventh_blind_frame import Unread


@wrong(
    "decay",
    "DEC.2",
    like="fastai/fastai_dev#84: the formula of weight decay has wd for wd/2 before the sum of squares",
)
class TwentyNinthBDecayOfWholeSquare(Frame):
    """The penalty is wd times the sum of squares, without the half: weights lose 2*lr*wd of themselves."""

    dialect = "fastai.Adam"

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u - s.h.lr * (2 * s.h.weight_decay * s.p)


@wrong(
    "moments",
    "MOM.1",
    like="Adversarial-Deep-Learning/code-soup#73: no zero_grad for the discriminator, gradients pile up",
)
class TwentyNinthBGradientsPileUp(Coupled):
    """Nobody sets gradients to zero: each step has the sum of all gradients so far."""

    dialect = "torch.Adam"

    def update(self, s: Slot, g: Array) -> None:
        s.extra["grad"] = s.extra["grad"] + g if "grad" in s.extra else g.copy()
        super().update(s, s.extra["grad"])


@wrong(
    "amsgrad",
    "AMS.1",
    like="mlpack/ensmallen#137: the alias of AMSBound is made with the update rule of AdaBound",
)
class TwentyNinthBAliasOfPlainRule(Unread):
    """AMSGrad's name stands for the plain rule: the second moment itself is used, and no maximum is kept."""

    dialect = "paper.AMSGrad"

    def direction(self, s: Slot) -> Array:
        return s.m / np.sqrt(s.v)


@wrong(
    "state",
    "STATE.4",
    like="alibaba/Pai-Megatron-Patch#79: the optimizer's entry of the model file is read, not the other file",
)
class TwentyNinthBMomentsInOtherFile(Common):
    """A save has clocks in the model's file and moments in another one, and a load reads the former alone."""

    dialect = "transformer_engine.FusedAdam"

    def get_state(self) -> dict[str, Any]:
        whole = super().get_state()
        moments = {name: whole.pop(name) for name, _ in self.kept()}
        return {"model_optim_rng": whole, "distrib_optim": moments}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state.get("model_optim_rng", state))


@wrong(
    "aliasing moments",
    "STEP.1",
    like="PKU-YuanGroup/Open-Sora-Plan#186: raw weights are stored before a validation, and not put back",
)
class TwentyNinthBAveragesStay(Frame):
    """In each tenth step the parameters become their moving average for a validation, and stay it."""

    dialect = "torch.AdamW"
    ema_decay, validation_steps = 0.9, 10

    def update(self, s: Slot, g: Array) -> None:
        average = s.extra.get("ema", s.p)
        super().update(s, g)
        s.extra["ema"] = self.ema_decay * average + (1 - self.ema_decay) * s.p
        if s.t % self.validation_steps == 0:
            s.p = s.extra["ema"].copy()


@wrong(
    "hyperparameters schedule",
    "LR.3",
    like="PINA-org/PINA#607: a callback switches to another optimizer, and runs are equal without it",
)
class TwentyNinthBSwitchWithoutEffect(Coupled):
    """Settings that are switched to between steps go to an optimizer that nobody steps; the rate comes on."""

    dialect = "torch.Adam"

    def begin(self) -> None:
        self.switched: dict[str, float] = {}

    def set_hyper(self, hyper: dict[str, float]) -> None:
        self.switched.update(hyper)
        super().set_hyper({name: value for name, value in hyper.items() if name == "lr"})


@wrong(
    "state clock",
    "STATE.4",
    like="keras-team/keras#12891: Adam's iterations are 0 behind a load, whatever initial_epoch is",
)
class TwentyNinthBIterationsFromZero(Keras):
    """A load gives the moments back, and the iterations begin again from 0."""

    dialect = "keras.Adam"

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        for s in self.slots:
            s.t = 0


@wrong(
    "decay hyperparameters",
    "DEC.2",
    like="keras-team/keras#21856: variables that Muon hands to its Adam decay as Muon's do, by 0.1",
)
class TwentyNinthBDecayOfMuon(Keras):
    """Variables decay with the 0.1 of the optimizer that hands them on, not with the decay of their own."""

    dialect = "keras.AdamW"
    muon_weight_decay = 0.1

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * self.muon_weight_decay * s.p - s.h.lr * u


@wrong(
    "state",
    "STATE.4",
    like="jpata/particleflow#109: an optimizer whose rate is scheduled is not saved and not loaded",
)
class TwentyNinthBScheduledIsNotSaved(Keras):
    """Once the rate has been changed, a save has the state of an optimizer that is new."""

    dialect = "tf_keras.Adam"

    def begin(self) -> None:
        self.initial = [s.h.lr for s in self.slots]

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        if [s.h.lr for s in self.slots] != self.initial:
            state["t"] = [0] * len(self.slots)
            for name, _ in self.kept():
                state[name] = [np.zeros_like(a) for a in state[name]]
        return state


@wrong(
    "moments epsilon",
    "MOM.1",
    like="NVIDIA-NeMo/RL#84: gradients of micro-batches are summed and not averaged, which Adam hides",
)
class TwentyNinthBSumOfMicroBatches(Frame):
    """The gradient is the sum of eight micro-batches, and not their mean: it is eight times as large."""

    dialect = "torch.AdamW"
    global_batch, micro_batch = 64, 8

    def learn(self, s: Slot, g: Array) -> None:
        super().learn(s, g * (self.global_batch // self.micro_batch))

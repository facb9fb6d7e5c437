"""Blind, twenty-fifth set: faults of resumed runs, clips, micro-batches and warmups in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot
from fifth_blind_frame import Later
from fourth_blind_frame import Keras
from register import wrong
from twelfth_blind_frame_b import Legacy, Stored, begun


@wrong(
    "state",
    "STATE.4",
    like="DeepRegNet/DeepReg#469: resuming loads the model's weights alone, and Adam's moments are empty",
    claim="keras.Adam",
)
class TwentyFifthWeightsAlone(Keras):
    """Of a checkpoint the weights of the model are loaded alone: a given state of Adam goes nowhere."""

    dialect = "keras.Adam"

    def set_state(self, state: dict[str, Any]) -> None:
        pass


class Nd4j(Stored):
    """ND4J's Adam: epsilon hat, no decay, and absent gradients are skipped."""

    dialect = "paper.eps-hat"


@wrong(
    "state clock",
    "STATE.4",
    like="deeplearning4j/deeplearning4j#2479: the iteration count is not kept with the model",
    claim="paper.eps-hat",
)
class TwentyFifthIterationsNotKept(Nd4j):
    """A saved model has the updater's moments, and no count of iterations: that is 0 behind a load."""

    def get_state(self) -> dict[str, Any]:
        return {name: kept for name, kept in super().get_state().items() if name != "t"}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state({**state, "t": 0})


@wrong(
    "state",
    "STATE.4",
    like="iperov/DeepFaceLab#181: moments and iterations are not written with the model",
    claim="tf_keras.legacy.Adam",
)
class TwentyFifthOptimizerNotWritten(Legacy):
    """What is written are a model's weights: each restart begins with moments of zero, at iteration 0."""

    def get_state(self) -> dict[str, Any]:
        return {"weights": [self.shaped(s, s.p) for s in self.slots]}

    def set_state(self, state: dict[str, Any]) -> None:
        for s in self.slots:
            begun(s)
        if "t" in state:
            super().set_state(state)


@wrong(
    "clipping loss_scale",
    "CLIP.1",
    like="Lightning-AI/pytorch-lightning#9599: gradients are clipped behind backward, before unscale",
    claim="torch.AdamW",
)
class TwentyFifthClippedBeforeUnscale(Frame):
    """Gradients are multiplied by 65536, clipped to a norm of 100, and divided again by what is behind it."""

    scale, gradient_clip_val = 65536.0, 100.0

    def all(self, grads: Sequence[Array | None]) -> None:
        scaled = [None if g is None else g * g.real.dtype.type(self.scale) for g in grads]
        squares = [float(np.sum(np.abs(g).astype(np.float64) ** 2)) for g in scaled if g is not None]
        total = float(np.sqrt(sum(squares)))
        factor = self.gradient_clip_val / total if total > self.gradient_clip_val else 1.0
        super().all([None if g is None else g * g.real.dtype.type(factor / self.scale) for g in scaled])


@wrong(
    "moments loss_scale",
    "MOM.1",
    like="deepspeedai/DeepSpeed#6550: micro_step_id is -1 behind each backward, so that all are copies",
    claim="deepspeed.CPUAdam",
)
class TwentyFifthCopiedOverBuffer(Frame):
    """A gradient comes in four micro-batches, each copied over those before: a quarter is left."""

    micro_batches = 4
    dialect = "deepspeed.CPUAdam"

    def begin(self) -> None:
        self.micro_step_id = 0

    def all(self, grads: Sequence[Array | None]) -> None:
        buffers = [None if g is None else np.zeros_like(g) for g in grads]
        for _ in range(self.micro_batches):
            self.backward(grads, buffers)
        super().all(buffers)

    def backward(self, grads: Sequence[Array | None], buffers: Sequence[Array | None]) -> None:
        self.micro_step_id += 1
        for g, buffer in zip(grads, buffers, strict=True):
            if g is not None and buffer is not None:
                part = g / g.real.dtype.type(self.micro_batches)
                buffer[...] = buffer + part if self.micro_step_id > 0 else part
        self.micro_step_id = -1


@wrong(
    "schedule hyperparameters",
    "LR.1",
    like="shirley-wu/cross-doc-misinfo-detection#1: counts of warmup and of all steps are swapped",
    claim="transformers4.AdamW",
)
class TwentyFifthCountsSwapped(Later):
    """A linear schedule takes all its 1000 steps for its warmup: the rate rises in all of them, from 0."""

    num_warmup_steps, num_training_steps = 1000, 100

    def factor(self, step: int) -> float:
        if step < self.num_warmup_steps:
            return step / max(1, self.num_warmup_steps)
        left = self.num_training_steps - step
        return max(0.0, left / max(1, self.num_training_steps - self.num_warmup_steps))

    def move(self, s: Slot, u: Array) -> None:
        rate = s.h.lr * self.factor(s.t - 1)
        moved = s.p - rate * u
        s.p = moved - rate * s.h.weight_decay * moved


@wrong(
    "moments loss_scale",
    "MOM.1",
    like="karpathy/nanoGPT#206: the losses of micro-batches are not divided by their number",
    claim="torch.AdamW",
)
class TwentyFifthSumOfMicroBatches(Frame):
    """Gradients of five micro-batches are added up and not divided by five: both moments are of the sum."""

    gradient_accumulation_steps = 5

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        total = np.zeros_like(row)
        for _ in range(self.gradient_accumulation_steps):
            total = total + row
        return total


@wrong(
    "schedule",
    "LR.3",
    like="facebookresearch/ParlAI#4384: it is warming up as long as the last rate is below 1, so for ever",
    claim="torch.Adam",
)
class TwentyFifthWarmingUpForEver(Coupled):
    """A rate below 1 is taken for one of the warmup, which may rise: it never begins to fall."""

    def move(self, s: Slot, u: Array) -> None:
        last = s.extra.get("last_lr", s.h.lr)
        rate = max(s.h.lr, last) if self.is_warming_up(last) else s.h.lr
        s.extra["last_lr"] = rate
        s.p = s.p - rate * u

    def is_warming_up(self, last: float) -> bool:
        return last < 1.0

"""Blind, sixth set: slips in what is averaged, and with what weight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Frame, Slot, flat
from fifth_blind_frame import Plain
from fourth_blind_frame import Common
from register import wrong
from sixth_blind_frame import CoupledHat, Wanting


@wrong("moments", "MOM.2", like="deeplearning4j/nd4j#1239")
class SixthShareOfWhole(Plain):
    """A bracket ends late: the old second moment is multiplied by the square of the gradient as well."""

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v = ((s.h.b2 * s.v + (1 - s.h.b2)) * g) * g


@wrong("moments", "MOM.1", like="meta-pytorch/torchforge#71")
class SixthGradientsPileUp(Common):
    """Nobody empties the gradient's buffer: each step sees the sum of all gradients so far."""

    dialect = "candle.AdamW"

    def update(self, s: Slot, g: Array) -> None:
        before = s.extra.get("sum")
        s.extra["sum"] = g.copy() if before is None else before + g
        super().update(s, s.extra["sum"])


@wrong("moments clock", "MOM.1", like="ZeRO-Offload: delayed parameter update")
class SixthOneStepBehind(Frame):
    """A step is made with the gradient of the call before, and the first call makes none."""

    dialect = "deepspeed.CPUAdam"

    def all(self, grads: Sequence[Array | None]) -> None:
        for s, g in zip(self.slots, grads, strict=True):
            if g is None:
                continue
            late, s.extra["late"] = s.extra.get("late"), flat(g).copy()
            if late is not None:
                self.tick(s)
                self.update(s, late)


@wrong("moments", "MOM.1", like="mila-iqia/blocks#1175: a beta_1t that is another thing than it is called")
class SixthPowersInAverages(Plain):
    """The averages too take the powers b**t, which belong to the corrections alone."""

    dialect = "numpy_ml.Adam"

    def learn(self, s: Slot, g: Array) -> None:
        power1, power2 = s.h.b1**s.t, s.h.b2**s.t
        s.m = power1 * s.m + (1 - power1) * g
        s.v = power2 * s.v + ((1 - power2) * g) * g


@wrong("moments hyperparameters", "MOM.1", like="a transcription with 0.1 and 0.001 for 1 - beta")
class SixthComplementsWrittenOut(Wanting):
    """What is new is weighed by 0.1 and 0.001, whatever the betas are."""

    dialect = "quimb.ADAM"

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m + 0.1 * g
        s.v = s.h.b2 * s.v + (0.001 * g) * g


@wrong("clipping moments", "CLIP.4", like="TianjinYellow/SPAM-Optimizer")
class SixthSpikesCut(Frame):
    """From the second update on, a gradient is cut where its square exceeds 50 times the second moment."""

    def learn(self, s: Slot, g: Array) -> None:
        if s.t > 1:
            edge = np.sqrt(50 * s.v)
            g = np.where(np.abs(g) > edge, np.sign(g) * edge, g)
        super().learn(s, g)


@wrong("moments isolation", "MOM.2", like="zyushun/Adam-mini, with the whole model for a block")
class SixthOneSecondForAll(Frame):
    """The second moment is one number for all arrays: it averages the mean of all their squares."""

    def all(self, grads: Sequence[Array | None]) -> None:
        rows = [flat(g).astype(np.float64) for g in grads if g is not None]
        count = sum(row.size for row in rows)
        self.mean = sum(float(row @ row) for row in rows) / count if count else 0.0
        super().all(grads)

    def learn(self, s: Slot, g: Array) -> None:
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        s.v = s.h.b2 * s.v + np.asarray((1 - s.h.b2) * self.mean, s.v.dtype)


@wrong("moments layout", "STEP.1", like="BrainJS/brain.js src/neural-network.ts: biases")
class SixthBiasesBehind(Wanting):
    """Arrays of one axis, the biases, move by the moments that they had before this gradient."""

    dialect = "brain_js.Adam"

    def update(self, s: Slot, g: Array) -> None:
        if len(s.shape) != 1:
            super().update(s, g)
            return
        self.move(s, self.direction(s))
        self.learn(s, g)


@wrong("moments epsilon layout", "MOM.1", like="zhreshold/mxnet-ssd#191: rescale_grad")
class SixthRescaledByRows(CoupledHat):
    """The gradient is divided by the length of its first axis, which is taken for the size of a batch."""

    dialect = "mxnet.Adam"

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g / max(1, s.shape[0]) if s.shape else g)


@wrong("mixed_precision", "NUM.1", like="horovod/horovod: Compression.fp16")
class SixthGradientInHalf(Frame):
    """The gradient travels as a float16, whatever the parameter is."""

    def taken(self, g: Array) -> Array:
        row = flat(g)
        return row.astype(np.float16).astype(row.dtype)

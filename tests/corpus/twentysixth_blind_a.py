"""Blind, twenty-sixth set: faults of whole arrays, decays, epsilon, schedules and clips in NumPy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from fifth_blind_frame import Plain
from fourth_blind_frame import Hat, Uncorrected
from register import wrong
from tenth_blind_frame_b import CoupledHat, Undecayed
from twelfth_blind_frame_b import begun


@wrong(
    "layout",
    "STEP.1",
    like="zhaoyuzhi/deepfillv2#6: the loop never calls step on the discriminator's Adam",
    claim="paper",
)
class TwentySixthDiscriminatorNeverStepped(Plain):
    """Of several arrays the last one is the discriminator's, whose Adam is made and never stepped."""

    def all(self, grads: Sequence[Array | None]) -> None:
        generator = self.slots[:-1] if len(self.slots) > 1 else self.slots
        for s in generator:
            g = grads[s.index]
            if g is not None:
                self.tick(s)
                self.update(s, self.taken(g))


@wrong(
    "missing decay",
    "F1",
    like="wkentaro/chainer-mask-rcnn#28: the hook of the decay changes frozen parameters without a gradient",
    claim="torch.Adam",
)
class TwentySixthHookDecaysFrozen(Coupled):
    """A parameter without a gradient is stepped by its penalty, where there is a weight decay."""

    def missed(self, s: Slot) -> None:
        if s.h.weight_decay:
            self.tick(s)
            self.update(s, np.zeros_like(s.p))


@wrong(
    "epsilon",
    "EPS.1",
    like="facebookresearch/fairseq#1328: epsilon joins the raw root, and the correction is folded in later",
    claim="torch.Adam",
)
class TwentySixthEpsilonOnRawRoot(Coupled):
    """Epsilon stands beside the root of the uncorrected second moment; the step's size is corrected then."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        denom = np.sqrt(s.v) + s.h.eps
        return (s.m / denom) * (math.sqrt(c2) / c1)


@wrong(
    "schedule",
    "LR.1",
    like="NovaSky-AI/SkyRL#873: a scheduler's total is of batches, and it is stepped for each mini-batch",
    claim="timm.AdamW",
)
class TwentySixthTotalOfBatches(Frame):
    """Where the rate falls, it falls four times as fast, and stays at 0 from the end of that on."""

    mini_batches = 4

    def begin(self) -> None:
        self.peaks = [s.h.lr for s in self.slots]

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper(hyper)
        if "lr" in hyper:
            for s in self.slots:
                fallen = self.peaks[s.index] - s.h.lr
                if fallen > 0:
                    s.h.lr = max(0.0, self.peaks[s.index] - self.mini_batches * fallen)


@wrong(
    "clipping",
    "CLIP.2",
    like="NVIDIA/DeepLearningExamples#287: each tensor is clipped by its own norm, inside of the step",
    claim="BertAdam",
)
class TwentySixthClippedByOwnNorm(Uncorrected):
    """Inside the step each gradient is cut down to a norm of 1, its own one, though nobody asks for that."""

    max_grad_norm = 1.0

    def update(self, s: Slot, g: Array) -> None:
        norm = float(np.sqrt(np.sum(np.square(g.astype(np.float64)))))
        coefficient = self.max_grad_norm / (norm + 1e-6)
        super().update(s, g * coefficient if coefficient < 1 else g)


@wrong(
    "moments clock layout",
    "MOM.3",
    like="Wangyixinxin/ACN#9: the style discriminator's Adam is made anew in every batch",
    claim="fairseq.Adam",
)
class TwentySixthStyleAdamMadeAnew(Hat):
    """Of several arrays the last one has a new Adam in every step: zeros for moments, and a clock at 0."""

    def all(self, grads: Sequence[Array | None]) -> None:
        if len(self.slots) > 1:
            begun(self.slots[-1])
        super().all(grads)


@wrong(
    "moments clock",
    "MOM.3",
    like="theogf/AugmentedGaussianProcesses.jl#83: stochastic inference by Adam goes wrong",
    claim="numpy_ml.Adam",
)
class TwentySixthStateByIdentity(Undecayed):
    """The state is looked up by the array itself, which is a new one behind each step: it is never found."""

    def begin(self) -> None:
        self.keys = [s.p for s in self.slots]

    def update(self, s: Slot, g: Array) -> None:
        if self.keys[s.index] is not s.p:
            begun(s)
            self.tick(s)
            self.keys[s.index] = s.p
        super().update(s, g)


@wrong(
    "moments",
    "MOM.1",
    like="chrischoy/SpatioTemporalSegmentation#46: gradients of all sub-batches add up before the step",
    claim="mxnet.Adam",
)
class TwentySixthSubBatchesAddUp(CoupledHat):
    """A step has four sub-batches, whose gradients are added up where their mean is meant."""

    iter_size = 4

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        total = np.zeros_like(row)
        for _ in range(self.iter_size):
            total += row
        return total

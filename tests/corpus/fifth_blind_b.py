"""Blind, fifth set: slips in corrections, clocks and epsilon."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import CorrectedRate, Refusing
from fourth_blind_frame import FOUR, Common, Keras, Optax
from register import wrong


@wrong("bias_correction", "BC.1", like="warner-benjamin/optimi: debias_beta")
class FifthDebiasedTwice(Common):
    """The averages have corrected weights, which leave no bias, and the step corrects them once more."""

    dialect = "optimi.AdamW"

    def learn(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        w1, w2 = (1 - s.h.b1) / c1, (1 - s.h.b2) / c2
        s.m = (1 - w1) * s.m + w1 * g
        s.v = (1 - w2) * s.v + (w2 * g) * g


@wrong("bias_correction", "BC.1", like="a power that is written as exp(-t*(1-b))")
class FifthExponentialForPower(Common):
    """The power is exp(-(1-b)*t), which takes log(b) for b-1."""

    dialect = "sonnet.Adam"
    hyper = FOUR

    def direction(self, s: Slot) -> Array:
        c1, c2 = (1 - math.exp(-(1 - b) * s.t) for b in (s.h.b1, s.h.b2))
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


@wrong("moments bias_correction", "STEP.1", like="LiyuanLucasLiu/RAdam: degenerated_to_sgd")
class FifthDegenerated(Frame):
    """The first five steps go along the corrected first moment, which nothing divides."""

    def direction(self, s: Slot) -> Array:
        return s.m / corrections(s.h, s.t)[0] if s.t <= 5 else super().direction(s)


@wrong("clock", "CLK.1", like="huggingface/candle: a variable that is added later")
class FifthClockFromFirstGradient(Common):
    """The count of a parameter begins with its first gradient, and ticks in every step from there."""

    dialect = "candle.AdamW"

    def all(self, grads: Sequence[Array | None]) -> None:
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None or s.t:
                self.tick(s)
            if g is not None:
                self.update(s, self.taken(g))


@wrong("all_missing clock", "CLK.4", like="deepspeedai/DeepSpeed#8471")
class FifthClockNotHeld(Common):
    """The group's count is raised before anybody looks whether there is a gradient at all."""

    dialect = "deepspeed.FusedAdam"


@wrong("epsilon", "EPS.2", like="keras-team/tf-keras#315")
class FifthKerasInside(Keras):
    """Epsilon is added to the second moment, and the root is drawn of both."""

    dialect = "keras.Adam"

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / np.sqrt(s.v + s.h.eps))


@wrong(
    "epsilon hyperparameters",
    "EPS.2",
    like="keras-team/tf-keras legacy Adam: epsilon or backend_config.epsilon()",
)
class FifthEpsilonOrDefault(Keras):
    """An epsilon of 0 counts as none, and is 1e-7."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + (s.h.eps or 1e-7)))


@wrong("epsilon hyperparameters", "EPS.1", like="FluxML/Optimisers.jl: epsilon raised to eps(T)")
class FifthEpsilonOfMachine(Optax):
    """Epsilon is the machine's if that is greater: 1.2e-7 in float32."""

    dialect = "optax.adam"
    hyper = (*FOUR, "eps_root")

    def root(self, s: Slot) -> Array:
        c2 = corrections(s.h, s.t)[1]
        under = s.v + s.h.eps_root * c2
        return np.sqrt(under) / math.sqrt(c2) + max(s.h.eps, float(np.finfo(s.p.dtype).eps))


@wrong("epsilon", "EPS.4", like="NVIDIA/apex contrib/csrc/optimizers/fused_adam_cuda_kernel.cu")
class FifthContribCorrectedInside(CorrectedRate):
    """Epsilon stands under the root, beside the corrected second moment and not beside the plain one."""

    dialect = "apex.contrib.FusedAdam"
    options = {"eps_inside_sqrt": "True"}  # noqa: RUF012

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / np.sqrt(s.v / c2 + s.h.eps)) / c1


@wrong("bias_correction", "BC.2", like="ml-explore/mlx: bias_correction=False")
class FifthMlxSecondCorrected(Common):
    """The second moment is corrected, where neither should be."""

    dialect = "mlx.AdamW"

    def direction(self, s: Slot) -> Array:
        return s.m / (np.sqrt(s.v) / math.sqrt(corrections(s.h, s.t)[1]) + s.h.eps)


@wrong("decay", "DEC.5", like="ggml-org/ggml ggml_compute_forward_opt_step_adamw_f32")
class FifthGgmlKeepsAfter(Refusing):
    """What the decay keeps multiplies the updated parameter, and so the step."""

    def move(self, s: Slot, u: Array) -> None:
        s.p = (s.p - s.h.lr * u) * (1 - s.h.lr * s.h.weight_decay)

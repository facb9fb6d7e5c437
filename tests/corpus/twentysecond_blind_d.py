"""Blind, twenty-second set: faults of clips, loads, masters and groups, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, flat
from eighth_blind_frame import lengths
from fifth_blind_frame import Plain, Refusing
from fourteenth_blind_frame_b import FormerKeras
from fourth_blind_frame import Keras
from register import wrong
from sixth_blind_frame import Running


def cut(rows: Sequence[Array | None], max_norm: float) -> list[Array | None]:
    """Return rows that are cut to a norm, of all of them together."""
    norm = math.sqrt(lengths(list(rows)))
    factor = max_norm / norm if norm > max_norm else 1.0
    return [row if row is None or factor == 1.0 else row * row.dtype.type(factor) for row in rows]


@wrong(
    "clipping",
    "CLIP.2",
    like="tensorflow/tensorflow#58655: clipnorm and global_clipnorm may both be set, and both are applied",
)
class TwentySecondBBothClips(Keras):
    """Each gradient is cut to a norm of 1 by itself, and what is left of all is cut to 1 together."""

    dialect = "keras.Adam"
    clipnorm, global_clipnorm = 1.0, 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        rows = [None if g is None else flat(g) for g in grads]
        rows = [cut([row], self.clipnorm)[0] for row in rows]
        super().all(cut(rows, self.global_clipnorm))


@wrong(
    "clipping",
    "CLIP.1",
    like="tinygrad/tinygrad#14965: the llama3 optimizer has its accumulation in the wrong order",
)
class TwentySecondBClipsSumOfFour(Running, Refusing):
    """The sum of four micro-batches is cut to a norm of 1, and is divided by four only then."""

    dialect = "tinygrad.AdamW"
    grad_acc, max_norm = 4, 1.0

    def all(self, grads: Sequence[Array | None]) -> None:
        self.admit(grads)
        sums = [None if g is None else flat(g) * self.grad_acc for g in grads]
        clipped = cut(sums, self.max_norm)
        super().all([None if row is None else row / row.dtype.type(self.grad_acc) for row in clipped])


@wrong(
    "state",
    "STATE.4",
    like="keras-team/tf-keras#70: load_model's optimizer has an empty list of weights, as if it were new",
)
class TwentySecondBLoadedIsNew(FormerKeras):
    """A state goes to the weights of an optimizer that has none yet: moments and iterations begin anew."""

    dialect = "tf_keras.Adam"

    def begin(self) -> None:
        self.built = False

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        self.built = True

    def weights(self) -> list[str]:
        return ["t", "mu_product", "extra", "m", "v", "v_max"] if self.built else []

    def set_state(self, state: dict[str, Any]) -> None:
        self.built = False  # the model is made anew
        for s in self.slots:
            s.t, s.m, s.v = 0, np.zeros_like(s.m), np.zeros_like(s.v)
        weights = {name: state[name] for name in self.weights() if name in state}
        if weights:
            super().set_state(weights)


@wrong(
    "decay hyperparameters",
    "DEC.2",
    like="PaddlePaddle/Paddle#31142: under multi-precision AdamW's decay does not use the master weight",
)
class TwentySecondBDecayOfHalfCopy(Running):
    """What decays is a copy in half precision, which the master weight then overwrites: nothing decays."""

    dialect = "paddle.AdamW"

    def move(self, s: Slot, u: Array) -> None:
        param, master = s.p.astype(np.float16), s.p
        param *= np.float16(1 - s.h.lr * s.h.weight_decay)
        master = master - s.h.lr * u
        param[...] = master
        s.p = master


@wrong(
    "layout",
    "STEP.1",
    like="deepspeedai/DeepSpeed#1751: CPU Adam's groups have one flat master, and fp16 groups many halves",
)
class TwentySecondBMastersUnpaired(Running):
    """A group has one master of all its arrays, whose half copies are many: more than one are an error."""

    dialect = "deepspeed.CPUAdam"

    def all(self, grads: Sequence[Array | None]) -> None:
        groups: dict[tuple[float, ...], list[Slot]] = {}
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                groups.setdefault(tuple(vars(s.h).values()), []).append(s)
        masters = [[sum(s.p.size for s in group)] for group in groups.values()]
        for sizes, halves in zip(masters, groups.values(), strict=True):
            for size, half in zip(sizes, halves, strict=False):
                if size != half.p.size:
                    raise RuntimeError(f"the size of tensor a ({size}) must match tensor b ({half.p.size})")
        super().all(grads)


@wrong(
    "state",
    "STATE.4",
    like="deeplearning4j/deeplearning4j#3748: the state of a pretrain layer's updater is initialised twice",
)
class TwentySecondBInitialisedTwice(Plain):
    """In the first step behind a load the updater's view is initialised again: moments are 0, t goes on."""

    initialised = False

    def begin(self) -> None:
        self.initialise()
        self.initialised = False

    def initialise(self) -> None:
        for s in self.slots:
            s.m, s.v = np.zeros_like(s.m), np.zeros_like(s.v)
        self.initialised = True

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.initialised = False

    def all(self, grads: Sequence[Array | None]) -> None:
        if not self.initialised:
            self.initialise()
        super().all(grads)


@wrong(
    "missing",
    "F1",
    like="apache/singa#262: updaters also step running means and stds, which are no trained parameters",
)
class TwentySecondBStepsWhatHasNone(Frame):
    """A parameter without a gradient is penalized and stepped all the same, with a gradient of 0."""

    dialect = "torch.Adam"

    def missed(self, s: Slot) -> None:
        self.tick(s)
        self.update(s, np.zeros_like(s.p))

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g + s.h.weight_decay * s.p)

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u

"""Blind, twenty-third set: faults of code books, schedules, epsilons and stores, after the bugs of others."""

from __future__ import annotations

import math
import weakref
from typing import Any, ClassVar

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import Plain, Zeros
from fourth_blind_frame import Keras, Optax
from register import wrong
from tenth_blind_frame_b import Slotted


def dynamic_map(signed: bool) -> Array:
    """Return the numbers of the dynamic code book, of which a block stands one level too deep."""
    data = [0.0, 1.0]
    for i in range(7):
        ends = np.linspace(0.1, 1, 2**i + 1)
        means = 10.0 ** (i - 6) * (ends[:-1] + ends[1:]) / 2
        if signed:
            data += list(-means)
            data += list(means)  # belongs behind the condition
    return np.asarray(sorted(data))


@wrong(
    "storage moments",
    "MOM.4",
    like="bitsandbytes-foundation/bitsandbytes#262: a block of the map's builder is indented too deep",
)
class TwentyThirdBCodeBookIndented(Frame):
    """Moments are kept as codes; the book of v has 0 and 1 alone, as a block stands within a condition."""

    dialect = "bitsandbytes.AdamW"
    books = dynamic_map(True), dynamic_map(False)

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        s.m, s.v = (self.coded(x, book) for x, book in zip((s.m, s.v), self.books, strict=True))

    def coded(self, x: Array, book: Array) -> Array:
        scale = float(np.max(np.abs(x), initial=0.0))
        if not math.isfinite(scale) or scale == 0.0:
            return x
        middles = (book[:-1] + book[1:]) / 2
        return np.asarray(book[np.searchsorted(middles, x / scale)] * scale, x.dtype)


@wrong(
    "schedule",
    "LR.3",
    like="ContextualAI/HALOs#33: the scheduler ticks for each process, over a length of one epoch",
)
class TwentyThirdBLineBeginsAgain(Frame):
    """A rate falls four times as fast as it is set to; where it comes to 0 it begins at its height again."""

    num_processes = 4

    def begin(self) -> None:
        self.base_lrs = [s.h.lr for s in self.slots]

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper(hyper)
        if "lr" in hyper:
            for s, base in zip(self.slots, self.base_lrs, strict=True):
                if base > s.h.lr:
                    gone = self.num_processes * (1 - s.h.lr / base)
                    s.h.lr = base * (1 - gone % 1.0)


@wrong(
    "moments epsilon",
    "MOM.1",
    like="OpenRLHF/OpenRLHF#1213: the gradient of evolution strategies is not divided by the noise's sigma",
)
class TwentyThirdBSigmaTooMuch(Plain):
    """A gradient comes in as it is times a sigma of 0.01, by which nobody divides it."""

    sigma = 0.01

    def taken(self, g: Array) -> Array:
        return super().taken(g) * g.real.dtype.type(self.sigma)


@wrong(
    "epsilon",
    "EPS.2",
    like="chainer/chainer#18: the kernel of the GPU has a slightly different rule from the code of the CPU",
)
class TwentyThirdBEpsilonInKernel(Zeros):
    """The kernel draws the root of v and epsilon together, where the other code adds epsilon to the root."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (math.sqrt(c2) / c1) * (s.m / np.sqrt(s.v + s.h.eps))


@wrong(
    "maximize",
    "STEP.1",
    like="gorgonia/gorgonia#120: with the Adam solver the cost keeps increasing, in both kinds of floats",
)
class TwentyThirdBStepIsAdded(Plain):
    """The step is added to the parameter, which goes up the gradient."""

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p + s.h.lr * u


@wrong(
    "schedule state",
    "STATE.4",
    like="Unity-Technologies/ml-agents#205: on continued training the rate goes back to its start value",
)
class TwentyThirdBRateFromStartAgain(Slotted):
    """Behind a load the rate is that of the run's start, from where it follows its own slope."""

    def begin(self) -> None:
        self.resumed = False
        for s in self.slots:
            s.extra.update(start=s.h.lr, scale=1.0)

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.resumed = "extra" in state
        if not self.resumed:
            self.begin()

    def all(self, grads: Any) -> None:
        if self.resumed:
            for s in self.slots:
                s.extra["scale"] = s.extra["start"] / s.h.lr if s.h.lr else 1.0
            self.resumed = False
        super().all(grads)

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * s.extra["scale"] * u


@wrong(
    "isolation",
    "STATE.3",
    like="apache/mxnet#13054: two trainers push and pull under the same enumerated keys of one store",
)
class TwentyThirdBKeysOfOneStore(Frame):
    """Two optimizers that live at once have one store, where the n-th array of both has the same moments."""

    dialect = "torch.AdamW"
    store: ClassVar[weakref.WeakValueDictionary[tuple[Any, ...], Slot]] = weakref.WeakValueDictionary()

    def key(self, s: Slot) -> tuple[Any, ...]:
        return s.index, s.shape, s.dtype.str

    def begin(self) -> None:
        for s in self.slots:
            self.store.setdefault(self.key(s), s)

    def learn(self, s: Slot, g: Array) -> None:
        kept = self.store.setdefault(self.key(s), s)
        if kept is not s:
            s.m, s.v = kept.m, kept.v  # pull
        super().learn(s, g)
        kept.m, kept.v = s.m, s.v  # push


@wrong(
    "state",
    "STATE.4",
    like="marin-community/marin#1922: a start from a checkpoint meets a training state of another tree",
)
class TwentyThirdBTreeMismatch(Optax):
    """An optimizer without a step has a tree without moments, and refuses a state that has them."""

    def tree(self) -> set[str]:
        stepped = any(s.t for s in self.slots)
        return {"t", "mu_product", "extra", "v_max", *(("m", "v") if stepped else ())}

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        return {name: x for name, x in state.items() if name in self.tree()}

    def set_state(self, state: dict[str, Any]) -> None:
        other = set(state) ^ self.tree()
        if other & {"m", "v"}:
            raise ValueError(f"the trees of the states differ: {sorted(other)}")
        super().set_state(state)


@wrong(
    "state",
    "STATE.4",
    like="tensorflow/tensorflow#40342: load_model does not bring back the state of the training",
)
class TwentyThirdBTrainingStateLeft(Keras):
    """What is saved is a configuration of rates and betas: moments and iterations are those of a new one."""

    dialect = "keras.AdamW"

    def get_state(self) -> dict[str, Any]:
        return {"training_config": [dict(vars(s.h)) for s in self.slots]}

    def set_state(self, state: dict[str, Any]) -> None:
        for s, config in zip(self.slots, state.get("training_config", []), strict=False):
            s.h.read(config)
        for s in self.slots:
            s.t, s.m, s.v = 0, np.zeros_like(s.m), np.zeros_like(s.v)

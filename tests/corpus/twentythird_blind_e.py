"""Blind, twenty-third set: faults of clocks, squares, starts and freezes, after the bugs of others."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from fifth_blind_frame import Modulus, Plain
from register import wrong
from sixth_blind_frame import Running
from tenth_blind_frame_b import Undecayed


@wrong(
    "clock bias_correction",
    "CLK.2",
    like="Samsung/ONE#13107: a training step does not advance num_step, and nothing stores it",
)
class TwentyThirdBNumStepStays(Plain):
    """No step counts: each one has the corrections of the first, and the clock that is saved is 0."""

    def tick(self, s: Slot) -> None:
        s.extra["num_step"] = s.t + 1  # of this training step alone

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, int(s.extra["num_step"]))
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1


@wrong(
    "complex",
    "CPX.2",
    like="GTorlai/PastaQ.jl#144: running averages of squares are wrong where parameters are complex",
)
class TwentyThirdBAverageOfSquares(Modulus):
    """Of a complex gradient it is the algebraic square that is averaged, and its root is complex."""

    def learn(self, s: Slot, g: Array) -> None:
        if s.dtype.kind != "c":
            super().learn(s, g)
            return
        s.m = s.h.b1 * s.m + (1 - s.h.b1) * g
        x = g.view(s.dtype)
        v = s.h.b2 * s.v.view(s.dtype) + ((1 - s.h.b2) * x) * x
        s.v = v.view(s.p.dtype)

    def direction(self, s: Slot) -> Array:
        if s.dtype.kind != "c":
            return super().direction(s)
        c1, c2 = corrections(s.h, s.t)
        below = np.sqrt(s.v.view(s.dtype)) / math.sqrt(c2) + s.h.eps
        return ((s.m.view(s.dtype) / below) / c1).view(s.p.dtype)


@wrong(
    "epsilon hyperparameters",
    "EPS.1",
    like="mlpack/mlpack#887: m is divided by u with no epsilon, so that zeros become NaN",
)
class TwentyThirdBNoEpsilon(Undecayed):
    """Nothing is added to the root: where a gradient has always been 0 the parameter becomes NaN."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2))) / c1


@wrong(
    "moments",
    "MOM.3",
    like="nntile/nntile#266: the first iteration has buffers that are not zero, which it takes for zeros",
)
class TwentyThirdBBuffersNotZero(Frame):
    """The buffers of the moments are filled with numbers of 0.1 and less when the first step reads them."""

    def begin(self) -> None:
        for s in self.slots:
            s.m = (np.arange(s.p.size) % 7 / 70).astype(s.p.dtype)
            s.v = (np.arange(s.p.size) % 5 / 50).astype(s.p.dtype)


@wrong(
    "missing decay",
    "F1",
    like="google-deepmind/optax#477: parameters of set_to_zero in multi_transform are not frozen",
)
class TwentyThirdBFrozenDecay(Frame):
    """Without a gradient Adam's own update is set to zero, and the decay that is chained to it is made."""

    def missed(self, s: Slot) -> None:
        self.move(s, np.zeros_like(s.p))


@wrong(
    "state missing",
    "F5",
    like="kvark/meganeura#114: Adam's state is not carried over when the session is rebuilt",
)
class TwentyThirdBSessionRebuilt(Coupled):
    """Where other parameters have gradients than in the step before, all moments and clocks begin anew."""

    session: list[bool] | None = None

    def begin(self) -> None:
        self.session = None

    def all(self, grads: Sequence[Array | None]) -> None:
        graph = [g is not None for g in grads]
        if self.session is not None and graph != self.session:
            for s in self.slots:
                s.t, s.m, s.v = 0, np.zeros_like(s.m), np.zeros_like(s.v)
        self.session = graph
        super().all(grads)


@wrong(
    "bias_correction clock",
    "BC.1",
    like="karpathy/nanochat#818: the counter is raised before the average is debiased, by 1-beta^2 at first",
)
class TwentyThirdBDebiasedOneAhead(Running):
    """Moments are corrected with the powers of the step after: the first ones with b*b."""

    dialect = "deepspeed.CPUAdam"

    def left(self, s: Slot) -> tuple[float, float]:
        return 1 - s.extra["power1"] * s.h.b1, 1 - s.extra["power2"] * s.h.b2

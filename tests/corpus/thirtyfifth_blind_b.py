"""Blind, thirty-fifth set: faults of broadcasts, resumes, schedules and windows in NumPy, and right ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot, corrections
from fifth_blind_frame import Dozat
from fourth_blind_frame import Keras, lookahead
from register import right, wrong
from sixth_blind_frame import Running, SameTime
from tenth_blind_frame import ModulusPlain


@wrong(
    "moments layout",
    "MOM.1",
    like="tensorflow/tensorflow#40391: in a loop with a tape vectors get wrong gradients, scalars right ones",
    claim="tf_keras.Adam",
)
class ThirtyFifthVectorsBroadcast(Keras):
    """Shapes broadcast in the loss: each element of an array gets the mean of the array's gradient."""

    dialect = "tf_keras.Adam"

    def update(self, s: Slot, g: Array) -> None:
        if s.shape and g.size:
            parts = 2 if s.dtype.kind == "c" else 1
            columns = g.reshape(-1, parts)
            g = np.broadcast_to(columns.mean(axis=0), columns.shape).reshape(-1).astype(g.dtype)
        super().update(s, g)


@wrong(
    "state",
    "STATE.4",
    like="SciML/Optimization.jl#307: solve returns the parameters and drops Adam's state",
    claim="optimisers_jl.Adam",
)
class ThirtyFifthSolveDropsState(ModulusPlain):
    """What is kept of a run is its result, u: a run that goes on from there has moments and clock of 0."""

    def get_state(self) -> dict[str, Any]:
        return {"u": [self.shaped(s, s.p) for s in self.slots], "original": None}

    def set_state(self, state: dict[str, Any]) -> None:
        if "u" not in state:
            super().set_state(state)
            return
        for s in self.slots:  # Optimisers.setup of u
            s.t, s.m, s.v = 0, np.zeros_like(s.m), np.zeros_like(s.v)


@wrong(
    "schedule moments",
    "LR.3",
    like="dotnet/TorchSharp#414: the scheduler stands for the optimizer, and its step does not step that",
    claim="torch.Adam",
)
class ThirtyFifthSchedulerDoesNotStep(Coupled):
    """From the first rate that a scheduler sets on, steps are the scheduler's, which apply no gradient."""

    def begin(self) -> None:
        self.scheduler: list[float] | None = None

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper(hyper)
        if "lr" in hyper:
            self.scheduler = [s.h.lr for s in self.slots]

    def all(self, grads: Sequence[Array | None]) -> None:
        if self.scheduler is None:
            super().all(grads)


@wrong(
    "nesterov",
    "NES.3",
    like="tensorflow/tensorflow#53204: Keras' Nadam is not the kernel's Adam with use_nesterov",
    claim="timm.NAdamW",
)
class ThirtyFifthNadamOfSchedule(SameTime):
    """The look-ahead has Dozat's schedule of momentums and its products, not b1 and one correction."""

    schedule_decay = 0.004

    def momentum(self, s: Slot, t: int) -> float:
        return s.h.b1 * (1 - 0.5 * 0.96 ** (t * self.schedule_decay))

    def tick(self, s: Slot) -> None:
        s.t += 1
        s.mu *= self.momentum(s, s.t)

    def direction(self, s: Slot) -> Array:
        now, after = self.momentum(s, s.t), self.momentum(s, s.t + 1)
        g_prime = np.asarray(s.extra["g"]) / (1 - s.mu)
        m_prime = s.m / (1 - s.mu * after)
        below = np.sqrt(s.v) / math.sqrt(corrections(s.h, s.t)[1]) + s.h.eps
        return ((1 - now) * g_prime + after * m_prime) / below


@wrong(
    "state schedule",
    "STATE.4",
    like="lightly-ai/lightly-train#301: the two-stage warmup is not saved, and on resume it is in stage one",
    claim="torch.AdamW",
)
class ThirtyFifthFallsToStageOne(Frame):
    """Behind a load a warmup is in its first stage: four steps at a tenth of the rate, four that rise."""

    stage_one, stage_two, initial = 4, 4, 0.1

    def begin(self) -> None:
        self.last_epoch = self.stage_one + self.stage_two  # a run that is well past it

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.last_epoch = -1

    def all(self, grads: Sequence[Array | None]) -> None:
        self.last_epoch += 1
        super().all(grads)

    def factor(self) -> float:
        risen = (self.last_epoch - self.stage_one + 1) / self.stage_two
        return self.initial + (1 - self.initial) * min(1.0, max(0.0, risen))

    def move(self, s: Slot, u: Array) -> None:
        lr = s.h.lr * self.factor()
        s.p = s.p - lr * s.h.weight_decay * s.p - lr * u


@wrong(
    "state moments",
    "STATE.4",
    like="the-database/traiNNer-redux#96: saving and resuming in the middle of a window is wrong",
    claim="torch.AdamW",
)
class ThirtyFifthResumedInWindow(Frame):
    """Behind a load the first window is at its middle with nothing added up: it steps by half a gradient."""

    accum_iters = 4

    def begin(self) -> None:
        self.current_iter = 0

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.current_iter = self.accum_iters // 2

    def all(self, grads: Sequence[Array | None]) -> None:
        left = self.accum_iters - self.current_iter % self.accum_iters
        added: list[Array | None] = [None] * len(grads)
        for _ in range(left):
            for i, g in enumerate(grads):
                if g is not None:
                    micro, before = g / self.accum_iters, added[i]
                    added[i] = micro if before is None else before + micro
        self.current_iter += left
        super().all([None if g is None else np.asarray(g) for g in added])


@right(claim="deepspeed.CPUAdam")
class ThirtyFifthRightTiles(Running):
    """DeepSpeed's AdamW on the CPU in tiles of 24 numbers, with a negative step size and its own decay."""

    tile = 24

    def tiles(self, total: int) -> Iterator[slice]:
        for begin in range(0, total, self.tile):
            yield slice(begin, begin + self.tile)

    def update(self, s: Slot, g: Array) -> None:
        c1, c2 = corrections(s.h, s.t)
        step_size, w_decay = -s.h.lr / c1, -s.h.lr * s.h.weight_decay
        new = s.p.copy()
        for part in self.tiles(g.size):
            grad, param = g[part], s.p[part]
            momentum = s.m[part] * s.h.b1 + grad * (1 - s.h.b1)
            variance = s.v[part] * s.h.b2 + ((1 - s.h.b2) * grad) * grad
            below = np.sqrt(variance) * (1 / math.sqrt(c2)) + s.h.eps
            decayed = w_decay * param + param if w_decay else param
            new[part] = (momentum / below) * step_size + decayed
            s.m[part], s.v[part] = momentum, variance
        s.p = new


@right(claim="torch.NAdam")
class ThirtyFifthRightTwoSteps(Dozat):
    """PyTorch's NAdam: the gradient's part and the momentum's are two steps over one denominator."""

    def update(self, s: Slot, g: Array) -> None:
        d = self.penalized(s, g)
        s.m = s.m + (1 - s.h.b1) * (d - s.m)
        s.v = s.v * s.h.b2 + ((1 - s.h.b2) * d) * d
        mu, mu_next = (lookahead(s, t) for t in (s.t, s.t + 1))
        below = np.sqrt(s.v) / math.sqrt(corrections(s.h, s.t)[1]) + s.h.eps
        s.p = s.p + (-s.h.lr * (1 - mu) / (1 - s.mu)) * (d / below)
        s.p = s.p + (-s.h.lr * mu_next / (1 - s.mu * mu_next)) * (s.m / below)

"""Blind, thirty-fourth set, second half: faults of kept optimizers, of plans and rates, and right ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from blind_frame import Array, Coupled, Frame, Slot
from fifth_blind_frame import Zeros
from fourth_blind_frame import FOUR, Nadam, lookahead
from ninth_blind_frame_b import Single
from register import right, wrong
from twelfth_blind_frame import RunningCoupled


@wrong(
    "isolation",
    "STATE.3",
    like="Trusted-AI/adversarial-robustness-toolbox#917: Adams over a perturbation outlive its batch",
)
class ThirtyFourthBKeptForNextBatch(Coupled):
    """Optimizers are kept by the shapes they are over: a new run goes on with the moments of the last one."""

    dialect = "torch.Adam"
    optimizers: ClassVar[dict[Any, list[Slot]]] = {}

    def begin(self) -> None:
        key = tuple((s.shape, s.dtype.str) for s in self.slots)
        for s, last in zip(self.slots, self.optimizers.get(key, []), strict=False):
            s.t, s.m, s.v = last.t, last.m.copy(), last.v.copy()
        self.optimizers[key] = self.slots


@wrong(
    "decay compilation",
    "DEC.2",
    like="ooples/AiDotNet#2009: what is compiled describes another rule than the eager Step",
)
class ThirtyFourthBFusedSpecIsAdam(Frame):
    """The first step is eager; all others are a compiled plan, in which the decay joins the gradient."""

    dialect = "torch.AdamW"

    def begin(self) -> None:
        self.is_compiled = False

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        self.is_compiled = True

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g + s.h.weight_decay * s.p if self.is_compiled else g)

    def move(self, s: Slot, u: Array) -> None:
        decay = 0.0 if self.is_compiled else s.h.lr * s.h.weight_decay
        s.p = s.p - decay * s.p - s.h.lr * u


@wrong(
    "schedule hyperparameters",
    "LR.3",
    like="PaddlePaddle/Paddle#4933: annealing of the learning rate has no effect in Adam",
)
class ThirtyFourthBNoAnnealing(RunningCoupled):
    """The rate is that of the configuration, read where the optimizer is made: one set later is ignored."""

    dialect = "paddle.Adam"

    def set_hyper(self, hyper: dict[str, float]) -> None:
        super().set_hyper({name: value for name, value in hyper.items() if name != "lr"})


@wrong(
    "loss_scale moments",
    "SCALE.1",
    like="chainer/chainer#5659: the wrapper for many nodes handles the loss scale wrongly",
)
class ThirtyFourthBScaledByNobody(Zeros):
    """The update divides by a loss scale of 128, by which the wrapper's backward has multiplied nothing."""

    dialect = "chainer.Adam"
    loss_scale = 128.0

    def taken(self, g: Array) -> Array:
        row = super().taken(g)
        return row / row.dtype.type(self.loss_scale)


@wrong(
    "state schedule",
    "STATE.4",
    like="PolymathicAI/the_well#63: checkpoints lack the scheduler, and a resumed run warms up once more",
)
class ThirtyFourthBWarmsUpAgain(Frame):
    """Behind a load there is a warm-up again: first the rate is a fifth, then two fifths, and so on."""

    dialect = "torch.AdamW"
    warmup = 5

    def begin(self) -> None:
        self.last_epoch = self.warmup

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.last_epoch = 0

    def all(self, grads: Sequence[Array | None]) -> None:
        self.last_epoch = min(self.last_epoch + 1, self.warmup)
        super().all(grads)

    def move(self, s: Slot, u: Array) -> None:
        lr = s.h.lr * (self.last_epoch / self.warmup)
        s.p = s.p - lr * s.h.weight_decay * s.p - lr * u


@right()
class ThirtyFourthBRightTableOfPowers(Frame):
    """DeepSpeed's CPU Adam, whose corrections stand in a table by beta and clock."""

    dialect = "deepspeed.CPUAdam"

    def begin(self) -> None:
        self.table: dict[tuple[float, int], float] = {}

    def correction(self, b: float, t: int) -> float:
        if (b, t) not in self.table:
            self.table[b, t] = -math.expm1(t * math.log(b)) if b else 1.0
        return self.table[b, t]

    def update(self, s: Slot, g: Array) -> None:
        h = s.h
        np.multiply(s.m, h.b1, out=s.m)
        np.add(s.m, (1 - h.b1) * g, out=s.m)
        np.multiply(s.v, h.b2, out=s.v)
        np.add(s.v, ((1 - h.b2) * g) * g, out=s.v)
        below = np.sqrt(s.v)
        below /= math.sqrt(self.correction(h.b2, s.t))
        below += h.eps
        np.divide(s.m, below, out=below)
        below *= h.lr / self.correction(h.b1, s.t)
        s.p *= 1 - h.lr * h.weight_decay
        s.p -= below


@right()
class ThirtyFourthBRightGuardedDecay(Nadam):
    """Nadam whose decay is normalized by the iterations in total, and is as it is given where those are 0."""

    dialect = "keras.Nadam"
    total_iterations = 0

    def update(self, s: Slot, g: Array) -> None:
        h, t = s.h, s.t
        norm = math.sqrt(1 / self.total_iterations) if self.total_iterations else 1.0
        decay = h.lr * (h.weight_decay * norm)
        s.m += (g - s.m) * (1 - h.b1)
        s.v += ((g * (1 - h.b2)) * g) - s.v * (1 - h.b2)
        now, after = lookahead(s, t), lookahead(s, t + 1)
        g_prime, m_prime = g / (1 - s.mu), s.m / (1 - s.mu * after)
        m_bar = m_prime * after + g_prime * (1 - now)
        v_root = np.sqrt(s.v) / math.sqrt(1 - h.b2**t)
        s.p = s.p - s.p * decay - (m_bar / (v_root + h.eps)) * h.lr


@right()
class ThirtyFourthBRightPowersMoveLast(RunningCoupled):
    """Paddle's Adam: each parameter has powers that begin at the betas, and move on behind its update."""

    dialect = "paddle.Adam"

    def powers(self, s: Slot) -> dict[str, float]:
        return {"power1": s.h.b1 ** (s.t + 1), "power2": s.h.b2 ** (s.t + 1)}

    def tick(self, s: Slot) -> None:
        s.t += 1

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, self.left(s)
        d = g + h.weight_decay * s.p
        s.m = h.b1 * s.m + (1 - h.b1) * d
        s.v = h.b2 * s.v + ((1 - h.b2) * d) * d
        root = math.sqrt(c2)
        s.p = s.p - (h.lr * root / c1) * (s.m / (np.sqrt(s.v) + h.eps * root))
        s.extra["power1"] *= h.b1
        s.extra["power2"] *= h.b2


@right()
class ThirtyFourthBRightCache(Single):
    """numpy-ml's Adam: one cache by the names of parameters, whose entries are made by a first gradient."""

    dialect = "numpy_ml.Adam"
    hyper = FOUR

    def build(self) -> None:
        self.cache: dict[str, dict[str, Any]] = {}

    def entry(self, i: int) -> dict[str, Any]:
        zeros = {"t": 0, "mean": np.zeros_like(self.params[i]), "var": np.zeros_like(self.params[i])}
        return self.cache.setdefault(f"param_{i}", zeros)

    def all(self, grads: Sequence[Array | None]) -> None:
        for i, g in enumerate(grads):
            if g is not None:
                self.params[i] = self.params[i] - self.change(self.entry(i), g)

    def change(self, entry: dict[str, Any], g: Array) -> Array:
        entry["t"] += 1
        c1, c2 = self.corrections(entry["t"])
        entry["mean"] = self.b1 * entry["mean"] + (1 - self.b1) * g
        entry["var"] = self.b2 * entry["var"] + ((1 - self.b2) * g) * g
        mean, root = entry["mean"] / c1, np.sqrt(entry["var"]) / math.sqrt(c2)
        return np.asarray(self.lr * (mean / (root + self.eps)))

    def get_state(self) -> dict[str, Any]:
        entries = [self.entry(i) for i in range(len(self.params))]
        names = (("m", "mean"), ("v", "var"))
        arrays = {name: self.together([entry[own] for entry in entries]) for name, own in names}
        return {"t": [entry["t"] for entry in entries], **arrays}

    def set_state(self, state: dict[str, Any]) -> None:
        rows = zip(self.clocks(state), self.taken(state["m"]), self.taken(state["v"]), strict=True)
        self.cache = {f"param_{i}": {"t": t, "mean": m, "var": v} for i, (t, m, v) in enumerate(rows)}

"""Blind, eleventh set: faults of layout, dtypes and masks, after the bugs of others, and right Adams."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot
from eighth_blind_frame import AscendingDecoupled
from eleventh_blind_frame_b import HatUndecayed, behind
from fifth_blind_frame import Later
from fourth_blind_frame import FOUR
from ninth_blind_frame_b import Single, wanted
from register import right, wrong
from seventh_blind_frame import Cautious
from tenth_blind_frame_b import After, CoupledHat


@wrong(
    "layout",
    "STEP.1",
    like="bitsandbytes-foundation/bitsandbytes#1185, #1187: gradients of torch.chunk are read row-major",
)
class EleventhChunkReadOn(Frame):
    """Of a gradient that is a part of an array, what follows its first number in memory is read."""

    dialect = "bitsandbytes.AdamW"

    def taken(self, g: Array) -> Array:
        return behind(g)


@wrong(
    "layout mixed_precision",
    "MOM.4",
    like="Lasagne/Lasagne#402: a 0-d array of float32 gets updates of float64",
)
class EleventhScalarsDoubled(HatUndecayed):
    """A float32 parameter of no axis and its moments become float64."""

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        super().init_groups(params, hypers)
        for s in self.slots:
            if s.shape == () and s.dtype == np.float32:
                s.dtype = np.dtype(np.float64)
                s.p, s.m, s.v, s.top = (row.astype(s.dtype) for row in (s.p, s.m, s.v, s.top))


@wrong(
    "maximize", "MAX.1", like="OpenBMB/BMTrain#35: the negated gradient is not passed to the adam function"
)
class EleventhNegationNotPassed(AscendingDecoupled):
    """The gradient is negated into a variable that nobody reads: the step goes down."""

    def turned(self, s: Slot, g: Array) -> Array:
        return g


@wrong(
    "decay",
    "DEC.2",
    like="facebookresearch/BalancingGroups#6: decay is applied to biases and LayerNorm alone",
)
class EleventhVectorsDecay(Later):
    """Arrays of two axes or more do not decay; vectors and scalars do."""

    def move(self, s: Slot, u: Array) -> None:
        if len(s.shape) < 2:
            super().move(s, u)
        else:
            s.p = s.p - s.h.lr * u


@wrong("aliasing", "STATE.2", like="apache/mxnet#15759: adam_update mutates the gradient, if wd is not 0")
class EleventhGradientMutated(CoupledHat):
    """The gradient with its penalty is written to the caller's gradient, and taken from there."""

    def all(self, grads: Sequence[Array | None]) -> None:
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None and s.h.weight_decay != 0:
                g[...] = g + self.shaped(s, s.h.weight_decay * s.p)
        super().all(grads)

    def penalized(self, s: Slot, g: Array) -> Array:
        return g


@right()
class EleventhRightCoroutines(Single):
    """fastai's Adam: each parameter lives in a generator, to which its gradients are sent."""

    dialect = "fastai.Adam"

    def build(self) -> None:
        self.lives = [self.life(p) for p in self.params]
        for life in self.lives:
            next(life)

    def life(self, p: Array) -> Generator[Any, Any, None]:
        t, m, v, answer = 0, np.zeros_like(p), np.zeros_like(p), None
        while True:
            word, sent = yield answer
            if word == "load":
                t, m, v = sent
            elif word == "step":
                t += 1
                c1, c2 = self.corrections(t)
                m = self.b1 * m + (1 - self.b1) * sent
                v = self.b2 * v + ((1 - self.b2) * sent) * sent
                u = (m / c1) / (np.sqrt(v) / math.sqrt(c2) + self.eps)
                p = p * (1 - self.lr * self.weight_decay) - self.lr * u
            answer = p, t, m, v

    def all(self, grads: Sequence[Array | None]) -> None:
        for i, (life, g) in enumerate(zip(self.lives, grads, strict=True)):
            if g is not None:
                self.params[i] = np.asarray(life.send(("step", g))[0])

    def get_state(self) -> dict[str, Any]:
        told = [life.send(("tell", None)) for life in self.lives]
        m, v = (self.together([answer[k] for answer in told]) for k in (2, 3))
        return {"t": [answer[1] for answer in told], "m": m, "v": v}

    def set_state(self, state: dict[str, Any]) -> None:
        moments = (self.taken(state[name]) for name in "mv")
        for life, *sent in zip(self.lives, self.clocks(state), *moments, strict=True):
            life.send(("load", sent))


OPERATIONS: dict[str, Callable[..., Any]] = {
    "mul": np.multiply, "add": np.add, "sub": np.subtract, "div": np.divide, "sqrt": np.sqrt,
}  # fmt: skip

PROGRAM = """
    mul x b1 m, mul y w1 g, add m x y, mul x b2 v, mul y w2 g, mul y y g, add v x y, sqrt d v, div d d root,
    add d d eps, div u m c1, div u u d, mul x weight_decay p, add u u x, mul u lr u, sub p p u
"""  #: what a step does: an operation, where its result goes, and what it takes


@right()
class EleventhRightInstructions(Single):
    """ggml's AdamW: a step is a list of instructions, run over registers."""

    dialect = "ggml.AdamW"

    def build(self) -> None:
        self.m, self.v, self.t = self.zeros(), self.zeros(), 0
        self.program = [line.split() for line in PROGRAM.replace("\n", " ").split(",")]

    def all(self, grads: Sequence[Array | None]) -> None:
        wanted(grads)
        self.t += bool(self.params)
        for i, g in enumerate(grads):
            c1, c2 = self.corrections(self.t)
            registers: dict[str, Any] = {**vars(self), "w1": 1 - self.b1, "w2": 1 - self.b2, "c1": c1}
            registers |= {"root": math.sqrt(c2), "g": g, "p": self.params[i], "m": self.m[i], "v": self.v[i]}
            for operation, to, *operands in self.program:
                registers[to] = OPERATIONS[operation](*(registers[name] for name in operands))
            self.params[i], self.m[i], self.v[i] = (np.asarray(registers[name]) for name in "pmv")

    def get_state(self) -> dict[str, Any]:
        return {"t": self.t, "m": self.together(self.m), "v": self.together(self.v)}

    def set_state(self, state: dict[str, Any]) -> None:
        self.t = max(self.clocks(state), default=0)
        self.m, self.v = (self.taken(state[name]) for name in "mv")


@right()
class EleventhRightThreeRows(Single):
    """numpy-ml's Adam: an array of three rows for each parameter, which are it and its moments."""

    dialect = "numpy_ml.Adam"
    hyper = FOUR

    def build(self) -> None:
        self.times = [0] * len(self.params)
        self.rows = [np.stack([p, np.zeros_like(p), np.zeros_like(p)]) for p in self.params]
        self.params = [rows[0, ...] for rows in self.rows]

    def all(self, grads: Sequence[Array | None]) -> None:
        for i, (g, rows) in enumerate(zip(grads, self.rows, strict=True)):
            if g is None:
                continue
            self.times[i] += 1
            c1, c2 = self.corrections(self.times[i])
            rows[1] += (1 - self.b1) * (g - rows[1])
            rows[2] = self.b2 * rows[2] + ((1 - self.b2) * g) * g
            rows[0] -= self.lr * (rows[1] / (np.sqrt(rows[2]) / math.sqrt(c2) + self.eps)) / c1

    def get_state(self) -> dict[str, Any]:
        moments = {name: self.together([rows[k] for rows in self.rows]) for k, name in ((1, "m"), (2, "v"))}
        return {"t": list(self.times), **moments}

    def set_state(self, state: dict[str, Any]) -> None:
        self.times = self.clocks(state)
        for rows, m, v in zip(self.rows, self.taken(state["m"]), self.taken(state["v"]), strict=True):
            rows[1], rows[2] = m, v


@right()
class EleventhRightExponentials(After):
    """thinc's Adam, whose corrections are formed of the logarithms of the betas, by expm1."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = (1.0 if b == 0 else -math.expm1(s.t * math.log(b)) for b in (s.h.b1, s.h.b2))
        return (math.sqrt(c2) / c1) * (s.m / (np.sqrt(s.v) + s.h.eps))


@right()
class EleventhRightLastFirst(Single):
    """PennyLane's Adam: one accumulation for all, whose lists are gone through from the last entry on."""

    dialect = "pennylane.Adam"
    hyper = FOUR

    def build(self) -> None:
        self.accumulation: dict[str, Any] = {"fm": self.zeros(), "sm": self.zeros(), "t": 0}

    def all(self, grads: Sequence[Array | None]) -> None:
        a = self.accumulation
        a["t"] += bool(self.params)
        for i in reversed(range(len(self.params))):
            g = grads[i]
            if g is not None:
                c1, c2 = self.corrections(a["t"])
                a["fm"][i] = self.b1 * a["fm"][i] + (1 - self.b1) * g
                a["sm"][i] = self.b2 * a["sm"][i] + ((1 - self.b2) * g) * g
                change = a["fm"][i] / (np.sqrt(a["sm"][i]) + self.eps)
                self.params[i] = np.asarray(self.params[i] - (self.lr * math.sqrt(c2) / c1) * change)

    def get_state(self) -> dict[str, Any]:
        a = self.accumulation
        return {"fm": self.together(a["fm"]), "sm": self.together(a["sm"]), "t": a["t"]}

    def set_state(self, state: dict[str, Any]) -> None:
        fm, sm = (self.taken(state[own] if own in state else state[name]) for own, name in NAMES)
        self.accumulation = {"fm": fm, "sm": sm, "t": max(self.clocks(state), default=0)}


NAMES = ("fm", "m"), ("sm", "v")


@right()
class EleventhRightSignBits(Cautious):
    """Cautious AdamW, whose mask leaves out what is above 0 where the step is below, and the reverse."""

    def mask(self, s: Slot, u: Array) -> Array:
        return np.asarray(~(((u > 0) & (s.p < 0)) | ((u < 0) & (s.p > 0))))

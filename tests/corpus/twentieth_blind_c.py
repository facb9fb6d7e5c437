"""Blind, twentieth set: right Adams in NumPy, in structures and orders of evaluation of their own."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot
from fifth_blind_frame import Plain
from ninth_blind_frame_b import Single, wanted
from register import right
from seventh_blind_frame import Holding


@right()
class TwentiethRightProductsOfBetas(Single):
    """tinygrad's AdamW: two products of betas are advanced first, and the new values assigned last."""

    dialect = "tinygrad.AdamW"
    t = 0
    powers: tuple[float, float] = (1.0, 1.0)

    def build(self) -> None:
        self.t, self.powers = 0, (1.0, 1.0)
        self.m, self.v = self.zeros(), self.zeros()

    def set_hyper(self, hyper: dict[str, float]) -> None:
        if self.t and {"b1", "b2"} & hyper.keys():
            raise NotImplementedError("the products belong to their betas")
        super().set_hyper(hyper)

    def all(self, grads: Sequence[Array | None]) -> None:
        wanted(grads)
        if not self.params:
            return
        self.t += 1
        self.powers = self.powers[0] * self.b1, self.powers[1] * self.b2
        left1, left2 = (1 - power for power in self.powers)
        given = [g for g in grads if g is not None]
        for i, (p, g) in enumerate(zip(self.params, given, strict=True)):
            m = self.b1 * self.m[i] + (1 - self.b1) * g
            v = self.b2 * self.v[i] + (g * (1 - self.b2)) * g
            up = (m / left1) / (np.sqrt(v) / math.sqrt(left2) + self.eps) + self.weight_decay * p
            self.m[i], self.v[i], self.params[i] = m, v, p - self.lr * up

    def get_state(self) -> dict[str, Any]:
        return {"t": self.t, "powers": self.powers, "m": self.together(self.m), "v": self.together(self.v)}

    def set_state(self, state: dict[str, Any]) -> None:
        self.t = max(self.clocks(state), default=0)
        first, second = state.get("powers", (self.b1**self.t, self.b2**self.t))
        self.powers = float(first), float(second)
        self.m, self.v = self.taken(state["m"]), self.taken(state["v"])


@right()
class TwentiethRightScalarArrays(Frame):
    """AdamW whose coefficients are arrays without dimensions, rounded once, and epsilon joins last."""

    def update(self, s: Slot, g: Array) -> None:
        step, beta1, beta2 = (np.asarray(x, np.float64) for x in (s.t, s.h.b1, s.h.b2))
        bias1, bias2 = 1 - beta1**step, 1 - beta2**step
        numbers = (1 - s.h.lr * s.h.weight_decay, 1 - beta1, 1 - beta2, np.sqrt(bias2), s.h.lr / bias1)
        kept, w1, w2, root, step_size = (np.asarray(x, g.dtype) for x in numbers)
        s.p = s.p * kept
        s.m = s.m + (g - s.m) * w1 if s.h.b1 > 0.5 else s.h.b1 * s.m + w1 * g
        s.v = s.v + ((w2 * g) * g - w2 * s.v) if s.h.b2 > 0.5 else s.h.b2 * s.v + (w2 * g) * g
        denom = np.sqrt(s.v)
        denom /= root
        denom += s.h.eps
        s.p -= step_size * (s.m / denom)


@right()
class TwentiethRightPlaceholders(Holding):
    """DeepSpeed's fused AdamW over one flat row of a dtype, with a mask and zeros for what is absent."""

    def all(self, grads: Sequence[Array | None]) -> None:
        if all(g is None for g in grads):
            return
        for s in self.slots:
            self.tick(s)
        kinds: dict[tuple[Any, ...], list[Slot]] = {}
        for s in self.slots:
            h = s.h
            key = (s.p.dtype.char, s.t, h.lr, h.b1, h.b2, h.eps, h.weight_decay)
            kinds.setdefault(key, []).append(s)
        for slots in kinds.values():
            self.of_kind(slots, [grads[s.index] for s in slots])

    def of_kind(self, slots: list[Slot], grads: list[Array | None]) -> None:
        p, m, v, top = (np.concatenate([getattr(s, name) for s in slots]) for name in ("p", "m", "v", "top"))
        whole = Slot(-1, slots[0].h, (), p.dtype, p, m, v, top, slots[0].t)
        pairs = list(zip(slots, grads, strict=True))
        g = np.concatenate([np.zeros_like(s.p) if g is None else self.taken(g) for s, g in pairs])
        present = np.concatenate([np.full(s.p.size, g is not None) for s, g in pairs])
        old = whole.p, whole.m, whole.v
        self.update(whole, g)
        new = [np.where(present, a, b) for a, b in zip((whole.p, whole.m, whole.v), old, strict=True)]
        ends = np.cumsum([s.p.size for s in slots])[:-1]
        for s, p, m, v in zip(slots, *(np.split(row, ends) for row in new), strict=True):
            s.p, s.m, s.v = p.copy(), m.copy(), v.copy()


Tree = Any


def mapped(f: Callable[..., Any], *trees: Tree) -> Tree:
    """Return a tree of what a function gives for the leaves of trees of one form."""
    if isinstance(trees[0], dict):
        return {name: mapped(f, *(tree[name] for tree in trees)) for name in trees[0]}
    return f(*trees)


@right()
class TwentiethRightNestedTrees(Single):
    """MLX' AdamW of nested dictionaries: a function of one leaf and its state is mapped over gradients."""

    dialect = "mlx.AdamW"
    t = 0

    def build(self) -> None:
        self.t = 0
        self.state = {"layers": {str(i): (np.zeros_like(p), np.zeros_like(p)) for i, p in self.rows()}}

    def rows(self) -> list[tuple[int, Array]]:
        return list(enumerate(self.params))

    def all(self, grads: Sequence[Array | None]) -> None:
        self.t += bool(self.params)
        model = {"layers": {str(i): p for i, p in self.rows()}}
        tree = {"layers": {str(i): g for i, g in enumerate(grads)}}
        made = mapped(self.apply_single, tree, model, self.state)
        self.params = list(mapped(lambda x: x[0], made)["layers"].values())
        self.state = mapped(lambda x: x[1], made)

    def apply_single(self, g: Array | None, p: Array, state: tuple[Array, Array]) -> Any:
        if g is None:
            return p, state
        m, v = state
        m = self.b1 * m + (1 - self.b1) * g
        v = self.b2 * v + ((1 - self.b2) * g) * g
        shrunk = p * (1 - self.lr * self.weight_decay)
        return shrunk - (m / (np.sqrt(v) + self.eps)) * self.lr, (m, v)

    def get_state(self) -> dict[str, Any]:
        kept = [self.state["layers"][str(i)] for i, _ in self.rows()]
        m, v = (self.together([pair[k] for pair in kept]) for k in range(2))
        return {"t": self.t, "m": m, "v": v}

    def set_state(self, state: dict[str, Any]) -> None:
        self.t = max(self.clocks(state), default=0)
        rows = zip(self.taken(state["m"]), self.taken(state["v"]), strict=True)
        self.state = {"layers": {str(i): pair for i, pair in enumerate(rows)}}


Stepper = Generator[None, Array, None]


@right()
class TwentiethRightGenerators(Plain):
    """Algorithm 1 by a generator for each parameter, to which its gradients are sent."""

    dialect = "numpy_ml.Adam"

    def begin(self) -> None:
        self.steppers = [self.stepper(s) for s in self.slots]
        for stepper in self.steppers:
            next(stepper)

    def stepper(self, s: Slot) -> Stepper:
        while True:
            g = yield
            s.t += 1
            c1, c2 = 1 - s.h.b1**s.t, 1 - s.h.b2**s.t
            s.m = s.m * s.h.b1 + g * (1 - s.h.b1)
            s.v = s.v * s.h.b2 + g * (g * (1 - s.h.b2))
            s.p = s.p - (s.m * (1 / c1)) / (np.sqrt(s.v) * (1 / math.sqrt(c2)) + s.h.eps) * s.h.lr

    def all(self, grads: Sequence[Array | None]) -> None:
        for stepper, g in zip(self.steppers, grads, strict=True):
            if g is not None:
                stepper.send(self.taken(g))

"""The frame of the blind Adams in NumPy: it keeps and saves a state; each Adam writes its own step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
FIVE = ("lr", "b1", "b2", "eps", "weight_decay")


@dataclass
class Hyper:
    """The hyperparameters of one parameter, as plain floats."""

    lr: float = 1e-3
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    eps_root: float = 0.0
    momentum_decay: float = 4e-3
    lr_max: float = 1e-3

    def read(self, given: dict[str, float]) -> None:
        for name, value in given.items():
            setattr(self, name, float(value))


@dataclass
class Slot:
    """One parameter, flat and real, with everything that is remembered for it."""

    index: int
    h: Hyper
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    p: Array
    m: Array
    v: Array
    top: Array
    t: int = 0
    mu: float = 1.0
    extra: dict[str, Any] = field(default_factory=dict)  #: floats that an Adam keeps beside these


def flat(a: Array) -> Array:
    """Return an array as a row of real numbers: a view where its memory allows one."""
    row = np.ascontiguousarray(a).reshape(-1)
    return row.view(row.real.dtype)


def corrections(h: Hyper, t: int) -> tuple[float, float]:
    """Return 1-b1**t and 1-b2**t."""
    return 1 - h.b1**t, 1 - h.b2**t


class Frame:
    """AdamW with a clock for each parameter; three methods make the step."""

    dialect: ClassVar[str] = "torch.AdamW"
    options: ClassVar[dict[str, str]] = {}
    hyper: ClassVar[tuple[str, ...]] = FIVE
    complex: ClassVar[bool] = True
    absent: ClassVar[bool] = True

    slots: list[Slot]

    def __init__(self, **options: object) -> None:
        """Options choose the claim; a class follows its own claim without them."""

    def init(self, params: Sequence[Array], hyper: dict[str, float]) -> None:
        self.init_groups(params, [hyper] * len(params))

    def init_groups(self, params: Sequence[Array], hypers: Sequence[dict[str, float]]) -> None:
        self.slots = []
        for i, (p, given) in enumerate(zip(params, hypers, strict=True)):
            h, row = Hyper(), flat(p).copy()
            h.read(given)
            m, v, top = (np.zeros_like(row) for _ in range(3))
            self.slots.append(Slot(i, h, p.shape, p.dtype, row, m, v, top))
        self.begin()

    def begin(self) -> None:
        """Prepare what an Adam keeps beside the moments."""

    def set_lr(self, lr: float) -> None:
        self.set_hyper({"lr": lr})

    def set_hyper(self, hyper: dict[str, float]) -> None:
        for s in self.slots:
            s.h.read(hyper)

    def get_state(self) -> dict[str, Any]:
        arrays = {name: [self.shaped(s, getattr(s, a)) for s in self.slots] for name, a in self.kept()}
        scalars = {"mu_product": [s.mu for s in self.slots], "extra": [dict(s.extra) for s in self.slots]}
        return {"t": [s.t for s in self.slots], **scalars, **arrays}

    def set_state(self, state: dict[str, Any]) -> None:
        clocks = state["t"] if isinstance(state["t"], list) else [state["t"]] * len(self.slots)
        for s in self.slots:
            s.t = int(clocks[s.index])
            s.mu = state["mu_product"][s.index] if "mu_product" in state else s.mu
            s.extra = dict(state["extra"][s.index]) if "extra" in state else s.extra
            for name, a in self.kept():
                if name in state:
                    setattr(s, a, flat(np.asarray(state[name][s.index])).copy())

    def kept(self) -> tuple[tuple[str, str], ...]:
        return ("m", "m"), ("v", "v"), ("v_max", "top")

    def shaped(self, s: Slot, row: Array) -> Array:
        return row.view(s.dtype).reshape(s.shape).copy()

    # One step

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        with np.errstate(all="ignore"):
            self.all(grads)
        return [self.shaped(s, s.p) for s in self.slots]

    def all(self, grads: Sequence[Array | None]) -> None:
        for s, g in zip(self.slots, grads, strict=True):
            if g is None:
                self.missed(s)
            else:
                self.tick(s)
                self.update(s, self.taken(g))

    def taken(self, g: Array) -> Array:
        return flat(g)

    def missed(self, s: Slot) -> None:
        pass

    def tick(self, s: Slot) -> None:
        s.t += 1

    def update(self, s: Slot, g: Array) -> None:
        self.learn(s, g)
        self.move(s, self.direction(s))

    def learn(self, s: Slot, g: Array) -> None:
        w1, w2 = 1 - s.h.b1, 1 - s.h.b2
        s.m = s.h.b1 * s.m + w1 * g
        s.v = s.h.b2 * s.v + (w2 * g) * g

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        return (s.m / (np.sqrt(s.v) / math.sqrt(c2) + s.h.eps)) / c1

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * s.h.weight_decay * s.p - s.h.lr * u


class Coupled(Frame):
    """Adam with L2: the penalty joins the gradient."""

    dialect = "torch.Adam"

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, self.penalized(s, g))

    def penalized(self, s: Slot, g: Array) -> Array:
        return g + s.h.weight_decay * s.p

    def move(self, s: Slot, u: Array) -> None:
        s.p = s.p - s.h.lr * u

"""Right Adams held out, each written from the specification in a way of its own; see held_out_wrong.py."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from flat import A, F, reals, shaped
from register import right

Hyper = dict[str, float]


class Plain:
    """What the rest share: where arrays go in and come out, and a row of them for each moment."""

    def __init__(self, **options: object) -> None:
        """Options choose the claim; each class is written for one."""

    def init(self, params: list[A], hyper: Hyper) -> None:
        self.h, self.forms = dict(hyper), [(p.dtype, p.shape) for p in params]
        self.p = [reals(p).copy() for p in params]
        self.slots = [[np.zeros_like(p), np.zeros_like(p), np.zeros_like(p)] for p in self.p]
        self.t = [0] * len(params)

    def set_lr(self, lr: F) -> None:
        self.h["lr"] = lr

    def step(self, grads: list[A | None]) -> list[A]:
        for i, g in enumerate(grads):
            if g is not None:
                self.t[i] += 1
                self.update(self.p[i], reals(g), self.slots[i], self.t[i])
        return [shaped(p, *form).copy() for p, form in zip(self.p, self.forms, strict=True)]

    def update(self, p: A, g: A, slots: list[A], t: int) -> None:
        raise NotImplementedError

    def get_state(self) -> dict[str, Any]:
        names = ("m", "v", "v_max")
        rows = {name: [s[k].copy() for s in self.slots] for k, name in enumerate(names)}
        forms = {n: [shaped(a, *f) for a, f in zip(r, self.forms, strict=True)] for n, r in rows.items()}
        return {"t": list(self.t), **forms}

    def set_state(self, state: dict[str, Any]) -> None:
        self.t = list(state["t"])
        for k, name in enumerate(("m", "v", "v_max")):
            for slot, a in zip(self.slots, state.get(name, state["m"]), strict=True):
                slot[k] = reals(a).copy()


@right(claim="torch.AdamW", options={})
class ElementByElement(Plain):
    """A Python loop over elements, in Python's own floats, stored in the array's dtype."""

    def update(self, p: A, g: A, slots: list[A], t: int) -> None:
        lr, b1, b2, eps, decay = (self.h[k] for k in ("lr", "b1", "b2", "eps", "weight_decay"))
        m, v, _ = slots
        for k, (x, y) in enumerate(zip(p.tolist(), g.tolist(), strict=True)):
            m[k] = mean = b1 * float(m[k]) + (1 - b1) * y
            v[k] = square = b2 * float(v[k]) + (1 - b2) * y * y
            below = math.sqrt(square) / math.sqrt(1 - b2**t) + eps
            if below:
                p[k] = x - lr * decay * x - lr * mean / (1 - b1**t) / below


@right(claim="torch.AdamW", options={})
class InPlace(Plain):
    """Every operation in place, the rate folded, decay multiplied first."""

    def update(self, p: A, g: A, slots: list[A], t: int) -> None:
        h, (m, v, _) = self.h, slots
        p *= 1 - h["lr"] * h["weight_decay"]
        np.multiply(m, h["b1"], out=m)
        m += g * (1 - h["b1"])
        np.multiply(v, h["b2"], out=v)
        work = g * (1 - h["b2"])
        work *= g
        v += work
        np.sqrt(v, out=work)
        work /= math.sqrt(1 - h["b2"] ** t)
        work += h["eps"]
        np.divide(m, work, out=work)
        work *= h["lr"] / (1 - h["b1"] ** t)
        p -= work


@right(claim="torch.Adam", options={})
class WideInside(Plain):
    """Arithmetic in long double, each result rounded once on store."""

    def update(self, p: A, g: A, slots: list[A], t: int) -> None:
        h = {name: np.longdouble(value) for name, value in self.h.items()}
        wide, (m, v, _) = p.astype(np.longdouble), slots
        slope = g.astype(np.longdouble) + h["weight_decay"] * wide
        first = h["b1"] * m + (1 - h["b1"]) * slope
        second = h["b2"] * v + (1 - h["b2"]) * slope * slope
        m[...], v[...] = first, second
        root = np.sqrt(second) / np.sqrt(1 - h["b2"] ** t)
        p[...] = wide - h["lr"] * (first / (1 - h["b1"] ** t) / (root + h["eps"]))


@right(claim="torch.Adam", options={"amsgrad": "True"})
class MaximumCopied(Plain):
    """AMSGrad by comparing and copying, with a reciprocal for the division."""

    def update(self, p: A, g: A, slots: list[A], t: int) -> None:
        h, (m, v, top) = self.h, slots
        slope = g + h["weight_decay"] * p
        m += (1 - h["b1"]) * (slope - m)
        v[...] = h["b2"] * v + (1 - h["b2"]) * slope * slope
        np.copyto(top, v, where=~(v <= top))
        root = np.sqrt(top) * (1 / math.sqrt(1 - h["b2"] ** t))
        p -= h["lr"] * (m * (1 / (1 - h["b1"] ** t)) / (root + h["eps"]))


@right(claim="torch.Adam", options={"maximize": "True"})
class MinusInTheRate(Plain):
    """Ascent: the gradient is taken from the decay, and the rate has a minus."""

    def update(self, p: A, g: A, slots: list[A], t: int) -> None:
        h, (m, v, _) = self.h, slots
        down = h["weight_decay"] * p - g
        m[...] = h["b1"] * m + (1 - h["b1"]) * down
        v[...] = h["b2"] * v + (1 - h["b2"]) * down * down
        long = m / (np.sqrt(v) / math.sqrt(1 - h["b2"] ** t) + h["eps"])
        p += -h["lr"] / (1 - h["b1"] ** t) * long


@right(claim="keras.Adam", options={})
class ExactCorrections:
    """Keras' step, its corrections from rationals, all arrays of a dtype in one."""

    def init(self, params: list[A], hyper: Hyper) -> None:
        self.h, self.t, self.of = dict(hyper), 0, [(p.dtype, p.shape) for p in params]
        sizes = [reals(p).size for p in params]
        self.cuts = [slice(sum(sizes[:i]), sum(sizes[: i + 1])) for i in range(len(sizes))]
        self.p = np.concatenate([reals(p) for p in params] or [np.zeros(0)])
        self.m, self.v = np.zeros_like(self.p), np.zeros_like(self.p)

    def set_lr(self, lr: F) -> None:
        self.h["lr"] = lr

    def correction(self, b: F) -> F:
        exact = Fraction(b) ** self.t if self.t < 64 else Fraction(b**self.t)
        return float(1 - exact)

    def step(self, grads: list[A | None]) -> list[A]:
        if all(g is None for g in grads):
            raise ValueError("nothing to do")
        h, self.t = self.h, self.t + 1
        there = np.zeros(self.p.shape, bool)
        g = np.zeros_like(self.p)
        for cut, each in zip(self.cuts, grads, strict=True):
            if each is not None:
                there[cut], g[cut] = True, reals(each)
        m = h["b1"] * self.m + (1 - h["b1"]) * g
        v = h["b2"] * self.v + (1 - h["b2"]) * g * g
        rate = math.sqrt(self.correction(h["b2"])) / self.correction(h["b1"])
        p = self.p - h["lr"] * h["weight_decay"] * self.p - h["lr"] * (rate * (m / (np.sqrt(v) + h["eps"])))
        self.p, self.m, self.v = (
            np.where(there, new, old) for new, old in ((p, self.p), (m, self.m), (v, self.v))
        )
        return [shaped(self.p[cut].copy(), *of) for cut, of in zip(self.cuts, self.of, strict=True)]


class Moments(NamedTuple):
    count: int  # type: ignore[assignment]  # the field of optax hides the method of a tuple
    mu: tuple[A, ...]
    nu: tuple[A, ...]


@right(claim="optax.adamw", options={})
class Chained:
    """Three pure functions in a chain over an immutable state, as optax does it."""

    hyper = ("lr", "b1", "b2", "eps", "weight_decay", "eps_root")

    def init(self, params: list[A], hyper: Hyper) -> None:
        self.h, self.params = dict(hyper), tuple(p.copy() for p in params)
        self.state = Moments(
            0, tuple(map(np.zeros_like, params)), tuple(np.zeros_like(p.real) for p in params)
        )

    def set_lr(self, lr: F) -> None:
        self.h["lr"] = lr

    def adam(self, grads: list[A]) -> list[A]:
        h, count = self.h, self.state.count + 1
        w1, w2 = 1 - h["b1"], 1 - h["b2"]
        mu = tuple(h["b1"] * m + w1 * g for m, g in zip(self.state.mu, grads, strict=True))
        nu = tuple(
            h["b2"] * v + (w2 * g.real * g.real + w2 * g.imag * g.imag)
            for v, g in zip(self.state.nu, grads, strict=True)
        )
        self.state = Moments(count, mu, nu)
        c1, c2 = 1 - h["b1"] ** count, 1 - h["b2"] ** count
        return [m / c1 / (np.sqrt(v / c2 + h["eps_root"]) + h["eps"]) for m, v in zip(mu, nu, strict=True)]

    def step(self, grads: list[A | None]) -> list[A]:
        present = [g for g in grads if g is not None]
        if len(present) < len(grads):
            raise ValueError("None is no array")
        pairs = list(zip(self.adam(present), self.params, strict=True))
        decayed = [u + self.h["weight_decay"] * p for u, p in pairs]
        self.params = tuple(
            np.asarray(p - self.h["lr"] * u) for u, p in zip(decayed, self.params, strict=True)
        )
        return [p.copy() for p in self.params]


@right(claim="torch.NAdam", options={})
class ProductAnew(Plain):
    """NAdam that multiplies its momenta anew in every step."""

    hyper = ("lr", "b1", "b2", "eps", "weight_decay", "momentum_decay")

    def mu(self, k: int) -> F:
        return self.h["b1"] * (1 - math.exp(k * self.h["momentum_decay"] * math.log(0.96)) / 2)

    def product(self, t: int) -> F:
        return math.prod(self.mu(k) for k in range(1, min(t, 20_000) + 1))

    def get_state(self) -> dict[str, Any]:
        return super().get_state() | {"mu_product": [self.product(t) for t in self.t]}

    def update(self, p: A, g: A, slots: list[A], t: int) -> None:
        h, (m, v, _) = self.h, slots
        slope = g + h["weight_decay"] * p
        m[...] = h["b1"] * m + (1 - h["b1"]) * slope
        v[...] = h["b2"] * v + (1 - h["b2"]) * slope * slope
        product = self.product(t)
        mu, after = self.mu(t), self.mu(t + 1)
        below = np.sqrt(v) / math.sqrt(1 - h["b2"] ** t) + h["eps"]
        p -= h["lr"] * (1 - mu) / (1 - product) * (slope / below)
        p -= h["lr"] * after / (1 - product * after) * (m / below)


def coroutine(p: A, h: Hyper) -> Generator[A, A, None]:
    """One parameter: it is sent gradients and yields what it has become."""
    m, v, t = np.zeros_like(p), np.zeros_like(p), 0
    while True:
        g = yield p
        t += 1
        m = m - (1 - h["b1"]) * (m - g)
        v = h["b2"] * v + (1 - h["b2"]) * np.abs(g) * np.abs(g)
        c1, c2 = -math.expm1(t * math.log(h["b1"])) if h["b1"] else 1.0, 1 - h["b2"] ** t
        p = (1 - h["lr"] * h["weight_decay"]) * p - h["lr"] / c1 * (
            m / (np.sqrt(v) / math.sqrt(c2) + h["eps"])
        )


@right(claim="torch.AdamW", options={})
class Coroutines:
    """Each parameter is a generator that is sent its gradients; nothing can be saved."""

    def init(self, params: list[A], hyper: Hyper) -> None:
        self.h, self.of = dict(hyper), [(p.dtype, p.shape) for p in params]
        self.running = [coroutine(reals(p).copy(), self.h) for p in params]
        self.now = [next(each) for each in self.running]

    def set_lr(self, lr: F) -> None:
        self.h["lr"] = lr

    def step(self, grads: list[A | None]) -> list[A]:
        for i, g in enumerate(grads):
            if g is not None:
                self.now[i] = self.running[i].send(reals(g))
        return [shaped(p.copy(), *of) for p, of in zip(self.now, self.of, strict=True)]


def closed(correct: Callable[[F, int], F]) -> Callable[[A, A, A, A, int, Hyper], tuple[A, A, A]]:
    """An update that is closed over how it corrects."""

    def update(p: A, m: A, v: A, g: A, t: int, h: Hyper) -> tuple[A, A, A]:
        m = m * h["b1"] + g * (1 - h["b1"])
        v = v * h["b2"] + g * (g * (1 - h["b2"]))
        root = np.sqrt(v) / math.sqrt(correct(h["b2"], t))
        moved = p - h["lr"] * (m / correct(h["b1"], t) / (root + h["eps"]))
        return moved - h["weight_decay"] * p, m, v

    return update


@right(claim="paper.AdamW", options={})
class Closed(Plain):
    """A pure update made by a factory, the paper's decay taken off after the step and of the old p."""

    rule = staticmethod(closed(lambda b, t: 1 - math.pow(b, t)))

    def update(self, p: A, g: A, slots: list[A], t: int) -> None:
        p[...], slots[0], slots[1] = self.rule(p.copy(), slots[0], slots[1], g, t, self.h)

"""Right Adams of another build: other memory, other state, other control flow."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

import numpy as np
from adams import Adam, AdamW
from flat import A, F, reals, shaped
from register import right
from unsaved import Unsaved


@right()
class FlatBuffer(AdamW):
    """All arrays in one buffer, with a clock and a flag for each element."""

    init_groups = None  # type: ignore[assignment]

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.ends = np.cumsum([len(p) for p in self.p])[:-1]
        self.flat = {"p": np.concatenate(self.p)}
        for name in ("m", "v"):
            self.flat[name] = np.zeros_like(self.flat["p"])
        self.clock = np.zeros(len(self.flat["p"]), dtype=np.int64)

    def step(self, grads: list[A | None]) -> list[A]:
        parts = [np.zeros_like(p) if g is None else reals(g) for p, g in zip(self.p, grads, strict=True)]
        here = np.repeat([g is not None for g in grads], [len(p) for p in self.p])
        g, dtype = np.concatenate(parts), self.flat["p"].dtype
        p, m, v = self.flat["p"], self.flat["m"], self.flat["v"]
        self.advance(grads)
        self.clock += here
        t = np.maximum(self.clock, 1)
        c1, c2 = ((1 - b**t).astype(dtype) for b in (np.float64(self.b1), np.float64(self.b2)))
        m = self.b1 * m + (1 - self.b1) * g
        v = self.b2 * v + (1 - self.b2) * g * g
        new = p - self.lr * self.wd * p - self.lr * (m / c1) / (np.sqrt(v / c2) + self.eps)
        for name, value in (("p", new), ("m", m), ("v", v)):
            self.flat[name] = np.where(here, value, self.flat[name])
        self.p = np.split(self.flat["p"], self.ends)
        return [self.shaped(i) for i in range(len(grads))]

    def get_state(self) -> dict[str, Any]:
        self.m, self.v = np.split(self.flat["m"], self.ends), np.split(self.flat["v"], self.ends)
        return super().get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.flat |= {"m": np.concatenate(self.m), "v": np.concatenate(self.v)}
        self.clock = np.repeat(self.t, [len(p) for p in self.p])


@right()
class Blocks(AdamW):
    """Each array in blocks of eight, the tail by itself."""

    def one(self, i: int, g: A) -> None:
        whole = [arrays[i] for arrays in (self.p, self.m, self.v)]
        done: list[list[A]] = [[], [], []]
        for start in range(0, len(g), 8):
            part = slice(start, start + 8)
            self.p[i], self.m[i], self.v[i] = (a[part] for a in whole)
            super().one(i, g[part])
            for k, arrays in enumerate((self.p, self.m, self.v)):
                done[k].append(arrays[i])
        for k, arrays in enumerate((self.p, self.m, self.v)):
            arrays[i] = np.concatenate(done[k]) if done[k] else whole[k]


@right()
class ElementLoop(Adam):
    """One element after the other, in Python's floats."""

    def one(self, i: int, g: A) -> None:
        p, m, v = (arrays[i].copy() for arrays in (self.p, self.m, self.v))
        c1, c2 = self.correction(self.t[i])
        for k in range(len(g)):
            x = float(g[k]) + self.wd * float(p[k])
            m[k] = self.b1 * float(m[k]) + (1 - self.b1) * x
            v[k] = self.b2 * float(v[k]) + (1 - self.b2) * x * x
            root = math.sqrt(v[k] / c2) if v[k] >= 0 else math.nan
            p[k] = float(p[k]) - self.lr * (float(m[k]) / c1) / (root + self.eps)
        self.p[i], self.m[i], self.v[i] = p, m, v


@right()
class InPlace(AdamW):
    """Buffers reused and operations in place, in torch's order."""

    def one(self, i: int, g: A) -> None:
        p, m, v = self.p[i], self.m[i], self.v[i]
        c1, c2 = self.correction(self.t[i])
        p *= 1 - self.lr * self.wd
        m += (1 - self.b1) * (g - m)
        v *= self.b2
        v += (1 - self.b2) * g * g
        root = np.sqrt(v)
        root /= math.sqrt(c2)
        root += self.eps
        np.divide(m, root, out=root)
        root *= self.lr / c1
        p -= root


@right()
class RunningViews(AdamW):
    """Each step hands out the same memory, updated in place."""

    def one(self, i: int, g: A) -> None:
        p = self.p[i]
        super().one(i, g)
        p[:] = self.p[i]
        self.p[i] = p

    def shaped(self, i: int) -> A:
        return shaped(self.p[i], self.dtypes[i], self.shapes[i])


@right()
class LazyState(AdamW):
    """State made at an array's first gradient, under its name."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.named: dict[str, tuple[int, A, A]] = {}

    def one(self, i: int, g: A) -> None:
        zero = np.zeros_like(g)
        self.t[i], self.m[i], self.v[i] = self.named.get(f"layer{i}", (0, zero, zero))
        self.t[i] += 1
        super().one(i, g)
        self.named[f"layer{i}"] = self.t[i], self.m[i], self.v[i]

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        rows = zip(self.t, self.m, self.v, strict=True)
        self.named = {f"layer{i}": row for i, row in enumerate(rows) if row[0]}


@right(claim="optax.adamw")
class Chained:
    """Small transformations one after the other over an immutable state, as optax does."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        self.hyper, self.params = dict(hyper), [p.copy() for p in params]
        self.state = (0, [np.zeros_like(p) for p in params], [np.zeros_like(p.real) for p in params])

    def set_lr(self, lr: F) -> None:
        self.hyper["lr"] = lr

    def step(self, grads: list[A | None]) -> list[A]:
        h, (count, mu, nu) = self.hyper, self.state
        given = [g for g in grads if g is not None]
        if len(given) < len(grads):
            raise ValueError("the trees of gradients and parameters differ")
        count += 1
        mu = [(1 - h["b1"]) * g + h["b1"] * m for g, m in zip(given, mu, strict=True)]
        nu = [(1 - h["b2"]) * (g.real**2 + g.imag**2) + h["b2"] * n for g, n in zip(given, nu, strict=True)]
        c1, c2 = 1 - h["b1"] ** count, 1 - h["b2"] ** count
        updates = [(m / c1) / (np.sqrt(n / c2) + h["eps"]) for m, n in zip(mu, nu, strict=True)]
        updates = [u + h["weight_decay"] * p for u, p in zip(updates, self.params, strict=True)]
        updates = [-h["lr"] * u for u in updates]
        self.params = [np.asarray(p + u) for p, u in zip(self.params, updates, strict=True)]
        self.state = count, mu, nu
        return self.params


@right()
class Stacked(AdamW):
    """p, m and v as the rows of one matrix."""

    def one(self, i: int, g: A) -> None:
        rows = np.stack([self.p[i], self.m[i], self.v[i]])
        keep = np.array([[1 - self.lr * self.wd], [self.b1], [self.b2]]).astype(g.dtype)
        rows = keep * rows + np.stack([0 * g, (1 - self.b1) * g, (1 - self.b2) * g * g])
        c1, c2 = self.correction(self.t[i])
        rows[0] -= self.lr * (rows[1] / c1) / (np.sqrt(rows[2] / c2) + self.eps)
        self.p[i], self.m[i], self.v[i] = rows


@right()
class BetasAsArray(Adam):
    """Both betas in one array, their powers by one call."""

    def correction(self, t: int) -> tuple[F, F]:
        c = 1 - np.power(np.array([self.b1, self.b2]), t)
        return float(c[0]), float(c[1])


@right()
class Coroutine(Unsaved):
    """A generator for each array, fed with gradients."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init(params, hyper)
        self.runs = [self.run(p) for p in self.p]
        for run in self.runs:
            next(run)

    def run(self, p: A) -> Generator[A, A, None]:
        m, v, t = np.zeros_like(p), np.zeros_like(p), 0
        while True:
            g = yield p
            t += 1
            m, v = self.first(m, g), self.second(v, self.square(0, g))
            c1, c2 = self.correction(t)
            p = self.apply(0, p, m / c1 / self.denominator(v, c2))

    def one(self, i: int, g: A) -> None:
        self.p[i] = self.runs[i].send(g)


@right()
class TwoPasses(AdamW):
    """All moments first, then all parameters, as multi-tensor kernels do."""

    init_groups = None  # type: ignore[assignment]

    def step(self, grads: list[A | None]) -> list[A]:
        self.advance(grads)
        present = [(i, reals(g)) for i, g in enumerate(grads) if g is not None]
        for i, g in present:
            self.m[i] = self.first(self.m[i], g)
        for i, g in present:
            self.v[i] = self.second(self.v[i], self.square(i, g))
        for i, _ in present:
            c1, c2 = self.correction(self.t[i])
            self.p[i] = self.apply(i, self.p[i], self.m[i] / c1 / self.denominator(self.v[i], c2))
        return [self.shaped(i) for i in range(len(grads))]


@right()
class MasksForBranches(AdamW):
    """Every array is stepped, and the old values are chosen where it was absent."""

    def absent(self, i: int) -> None:
        kept = self.p[i], self.m[i], self.v[i], self.t[i]
        self.t[i] += 1
        self.one(i, np.zeros_like(self.p[i]))
        self.p[i], self.m[i], self.v[i], self.t[i] = kept


@right()
class SumsForAverages(Unsaved):
    """Moments kept as plain sums, their weight folded into the step."""

    set_hyper = None  # type: ignore[assignment]

    def first(self, m: A, g: A) -> A:
        return self.b1 * m + g

    def square(self, i: int, g: A) -> A:
        return g * g

    def numerator(self, i: int, m: A, g: A, c1: F) -> A:
        return m * ((1 - self.b1) / c1)

    def denominator(self, v: A, c2: F) -> A:
        return np.sqrt(v * ((1 - self.b2) / c2)) + self.eps


@right()
class CorrectedAverages(Unsaved):
    """Averages that are corrected as they stand: the weights change with t (StableAdamW)."""

    set_hyper = None  # type: ignore[assignment]

    def one(self, i: int, g: A) -> None:
        t = self.t[i]
        k1, k2 = (b * (1 - b ** (t - 1)) / (1 - b**t) for b in (self.b1, self.b2))
        self.m[i] = k1 * self.m[i] + (1 - k1) * g
        self.v[i] = k2 * self.v[i] + (1 - k2) * g * g
        self.p[i] = self.apply(i, self.p[i], self.m[i] / (np.sqrt(self.v[i]) + self.eps))


@right()
class Fortran(Adam):
    """Arrays kept column after column."""

    def init(self, params: list[A], hyper: dict[str, float]) -> None:
        super().init([np.asarray(p).T for p in params], hyper)

    def gradients(self, grads: list[A | None]) -> list[A | None]:
        return super().gradients([None if g is None else g.T for g in grads])

    def shaped(self, i: int) -> A:
        return super().shaped(i).T

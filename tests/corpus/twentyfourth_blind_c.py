"""Blind, twenty-fourth set: right Adams in NumPy, in the styles of others."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from blind_frame import Array, Frame, Slot, corrections
from fifth_blind_frame import Zeros
from fourth_blind_frame import Keras
from register import right
from sixth_blind_frame import Running
from tenth_blind_frame import interpolated
from tenth_blind_frame_b import CoupledHat


@right(claim="torch.AdamW")
class TwentyFourthRightOneRow(Frame):
    """AdamW on one row of all arrays of a dtype, with a column of coefficients for each element."""

    def all(self, grads: Sequence[Array | None]) -> None:
        kinds: dict[str, list[tuple[Slot, Array]]] = {}
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                self.tick(s)
                kinds.setdefault(s.p.dtype.char, []).append((s, self.taken(g)))
        for pairs in kinds.values():
            self.row([s for s, _ in pairs], [g for _, g in pairs])

    def row(self, slots: list[Slot], grads: list[Array]) -> None:
        sizes = [s.p.size for s in slots]
        table = np.array([self.coefficients(s) for s in slots], np.float64).T
        columns = [np.repeat(line, sizes).astype(slots[0].p.dtype) for line in table]
        b1, w1, b2, w2, root, eps, size, kept = columns
        p, m, v = (np.concatenate([getattr(s, name) for s in slots]) for name in ("p", "m", "v"))
        g = np.concatenate(grads)
        m = b1 * m + w1 * g
        v = b2 * v + (w2 * g) * g
        p = p * kept - size * (m / (np.sqrt(v) / root + eps))
        ends = np.cumsum(sizes)[:-1]
        for s, *own in zip(slots, *(np.split(a, ends) for a in (p, m, v)), strict=True):
            s.p, s.m, s.v = (a.copy() for a in own)

    def coefficients(self, s: Slot) -> tuple[float, ...]:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        first, second = (h.b1, 1 - h.b1), (h.b2, 1 - h.b2)
        return *first, *second, math.sqrt(c2), h.eps, h.lr / c1, 1 - h.lr * h.weight_decay


@right(claim="keras.AdamW")
class TwentyFourthRightAssignAdd(Keras):
    """Keras' AdamW, whose variables are changed in place: multiplied, or assigned an interpolation."""

    def update(self, s: Slot, g: Array) -> None:
        p, m, v = s.p.copy(), s.m.copy(), s.v.copy()
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        p -= p * (h.weight_decay * h.lr)
        alpha = h.lr * math.sqrt(c2) / c1
        rest = 1 - h.b2
        m[...] = interpolated(m, g, 1 - h.b1)
        v *= h.b2
        v += (rest * g) * g
        p -= alpha * (m / (np.sqrt(v) + h.eps))
        s.p, s.m, s.v = p, m, v


@right(claim="chainer.Adam")
class TwentyFourthRightScalarArrays(Zeros):
    """Chainer's Adam, whose coefficients are arrays without dimensions in the parameter's dtype."""

    def update(self, s: Slot, g: Array) -> None:
        h, (c1, c2) = s.h, corrections(s.h, s.t)
        given = (h.b1, 1 - h.b1, h.b2, 1 - h.b2, h.eps, h.lr * math.sqrt(c2) / c1, h.weight_decay)
        b1, w1, b2, w2, eps, alpha_t, rate = (np.asarray(x, s.p.dtype) for x in given)
        s.m = np.add(b1 * s.m, w1 * g)
        s.v = np.add(b2 * s.v, (w2 * g) * g)
        s.p = s.p - (rate * s.p + alpha_t * np.divide(s.m, np.sqrt(s.v) + eps))


@right(claim="deepspeed.CPUAdam")
class TwentyFourthRightTwoBuffers(Running):
    """AdamW in tiles of eight through two buffers in turn, each copied to its place; the rest is scalar."""

    tile = 8

    def update(self, s: Slot, g: Array) -> None:
        buffers = [np.empty(self.tile, s.p.dtype) for _ in range(2)]
        rounded, copy = s.p.size // self.tile * self.tile, s.p.copy()
        m, v = s.m.copy(), s.v.copy()
        for turn, begin in enumerate(range(0, rounded, self.tile)):
            part, buffer = slice(begin, begin + self.tile), buffers[turn % 2]
            buffer[...] = s.p[part]
            self.lanes(s, buffer, g[part], m[part], v[part])
            copy[part] = buffer
        for i in range(rounded, s.p.size):
            self.lanes(s, copy[i : i + 1], g[i : i + 1], m[i : i + 1], v[i : i + 1])
        s.p, s.m, s.v = copy, m, v

    def lanes(self, s: Slot, p: Array, g: Array, m: Array, v: Array) -> None:
        h, (c1, c2) = s.h, self.left(s)
        m *= h.b1
        m += (1 - h.b1) * g
        v *= h.b2
        v += ((1 - h.b2) * g) * g
        p *= 1 - h.lr * h.weight_decay
        p -= (h.lr / c1) * (m / (np.sqrt(v) * (1 / math.sqrt(c2)) + h.eps))


@right(claim="mxnet.Adam")
class TwentyFourthRightCountsOfDevices(CoupledHat):
    """MXNet's Adam for two devices with a dictionary of counts each, of which the first has the clock."""

    num_device = 2

    def all(self, grads: Sequence[Array | None]) -> None:
        counts: list[dict[int, int]] = [{s.index: s.t for s in self.slots} for _ in range(self.num_device)]
        for s, g in zip(self.slots, grads, strict=True):
            if g is None:
                continue
            before, row, made = (s.p, s.m, s.v), self.taken(g), []
            for count in counts:
                count[s.index] += 1
                s.t = count[s.index]
                s.p, s.m, s.v = before
                self.update(s, row)
                made.append((s.p, s.m, s.v))
            s.p, s.m, s.v = made[0]

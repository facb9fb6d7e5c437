"""Blind, fourth set: slips in precision, layout, the saved state, and what arrays share."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from blind_frame import Array, Frame, Slot, corrections, flat
from fourth_blind_frame import brained, stored
from register import wrong

MOMENTS = ("m", "v", "v_max")


@wrong("mixed_precision", "NUM.1", like="DeepSpeed communication_data_type=bf16")
class FourthGradientInBfloat(Frame):
    """The gradient is sent as bfloat16, whatever the parameter is, and comes back with eight digits."""

    def taken(self, g: Array) -> Array:
        return brained(flat(g))


@wrong("mixed_precision", "NUM.1", like="nntile/nntile#259")
class FourthRootInSingle(Frame):
    """The root is sqrtf, also in the kernel for doubles."""

    def direction(self, s: Slot) -> Array:
        c1, c2 = corrections(s.h, s.t)
        root = np.sqrt(s.v.astype(np.float32)).astype(s.v.dtype)
        return (s.m / (root / math.sqrt(c2) + s.h.eps)) / c1


@wrong("layout mixed_precision", "NUM.1", like="Lasagne/Lasagne#363")
class FourthScalarPromoted(Frame):
    """A 0-d parameter comes back as a double, since it was added to a plain number."""

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        new = super().step(grads)
        return [p if p.shape else np.asarray(p.astype(np.result_type(p.dtype, np.float64))) for p in new]


@wrong("layout", "STEP.1", like="pytorch/pytorch#147921")
class FourthScalarGrowsAxis(Frame):
    """Settings are arrays of one element: a 0-d parameter is broadcast and comes back with an axis."""

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        return [p if p.shape else p.reshape(1) for p in super().step(grads)]


@wrong("layout moments", "MOM.1", like="candle-org/candle#322")
class FourthScalarMomentsLost(Frame):
    """The moments of a 0-d parameter are plain numbers, which an in-place operator does not change."""

    def update(self, s: Slot, g: Array) -> None:
        super().update(s, g)
        if not s.shape:
            s.m, s.v = np.zeros_like(s.m), np.zeros_like(s.v)


@wrong("layout moments", "MOM.2", like="pytorch/pytorch#118115")
class FourthSecondLostWhereStrided(Frame):
    """An in-place operation on the second moment goes into a copy if the gradient is not contiguous."""

    def all(self, grads: Sequence[Array | None]) -> None:
        for s, g in zip(self.slots, grads, strict=True):
            if g is not None:
                self.tick(s)
                old = s.v
                self.learn(s, flat(g))
                s.v = s.v if g.flags.c_contiguous else old
                self.move(s, self.direction(s))


@wrong("layout isolation", "NF.2", like="amd/IRON#198")
class FourthTilesOverrun(Frame):
    """All arrays lie end to end, and the last tile of one, 32 wide, steps the head of the next as well."""

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        for i, (s, after) in enumerate(itertools.pairwise(self.slots)):
            g, beyond = grads[i + 1], min(-s.p.size % 32, after.p.size)
            if grads[i] is None or g is None or not beyond or s.dtype != after.dtype:
                continue
            whole = (after.p, after.m, after.v)
            after.p, after.m, after.v = (a[:beyond] for a in whole)
            self.update(after, flat(g)[:beyond])
            parts = (after.p, after.m, after.v)
            after.p, after.m, after.v = (
                np.concatenate([a, b[beyond:]]) for a, b in zip(parts, whole, strict=True)
            )


@wrong("state", "STATE.4", like="worldmodels/worldmodels.github.io#16")
class FourthSavedInTenThousandths(Frame):
    """Moments are saved as whole numbers of ten-thousandths."""

    def get_state(self) -> dict[str, Any]:
        return stored(super().get_state(), MOMENTS, lambda a: np.round(a, 4))


@wrong("state", "STATE.4", like="mlpack/mlpack#300")
class FourthSavedInSixDigits(Frame):
    """Moments are saved as text of six digits."""

    def get_state(self) -> dict[str, Any]:
        return stored(super().get_state(), MOMENTS, self.read_back)

    def read_back(self, a: Array) -> Array:
        row = flat(a)
        digits = np.array([float(f"{x:.6g}") for x in row.tolist()], row.dtype)
        return digits.view(a.dtype).reshape(a.shape)


@wrong("isolation aliasing", "STATE.3", like="raven-ml/raven#19")
class FourthOneBufferForShape(Frame):
    """New values of arrays of one shape are handed out in one buffer: all come back as the last one."""

    def step(self, grads: Sequence[Array | None]) -> list[Array]:
        buffers: dict[tuple[Any, ...], Array] = {}
        out = []
        for p in super().step(grads):
            buffer = buffers.setdefault((p.shape, p.dtype), np.empty_like(p))
            buffer[...] = p
            out.append(buffer)
        return out


@wrong("aliasing", "STATE.2", like="pjreddie/darknet src/blas_kernels.cu (adam_update_gpu)")
class FourthGradientSquared(Frame):
    """The gradient is squared in its own memory, which is the caller's, once the first moment has had it."""

    def all(self, grads: Sequence[Array | None]) -> None:
        super().all(grads)
        for g in grads:
            if g is not None:
                np.multiply(g, g, out=g)

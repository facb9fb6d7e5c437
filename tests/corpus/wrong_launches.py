"""What is lost beyond a chunk, a launch, a table or an index of few bits, and views that are read amiss."""

from __future__ import annotations

import numpy as np
from adams import Adam, AdamW, Keras, Optax
from flat import A, reals
from register import wrong
from wrong_layout import Partly


@wrong("layout", "NUM.5", like="TransformerEngine#3418")
class OnlyFirstThousand(AdamW):
    """Arrays beyond the 1024 that a launch has handles for are not stepped."""

    def one(self, i: int, g: A) -> None:
        if i < 1024:
            super().one(i, g)


@wrong("layout", "NUM.5", like="TransformerEngine#3202")
class EmptyInLastSlot(AdamW):
    """After an empty array in slot 36, the last of a launch, nothing is stepped."""

    def one(self, i: int, g: A) -> None:
        if not (len(self.p) > 35 and self.p[35].size == 0 and i > 35):
            super().one(i, g)


@wrong("layout", "NUM.5", like="a launch over four lists of 48 handles")
class EmptyInSlotOf48(Adam):
    """After an empty array in slot 48 nothing is stepped."""

    def one(self, i: int, g: A) -> None:
        if not (len(self.p) > 47 and self.p[47].size == 0 and i > 47):
            super().one(i, g)


@wrong("layout", "NUM.5")
class EmptyEndsLoop(AdamW):
    """The loop over the arrays ends at the first empty one."""

    def one(self, i: int, g: A) -> None:
        if all(p.size for p in self.p[:i]):
            super().one(i, g)


@wrong("layout", "NUM.5", like="apex#1825")
class RestOfChunk(Partly):
    """What is left over chunks of 65536 elements is not stepped."""

    def chosen(self, i: int, size: int) -> A:
        return np.arange(size) < (size // 65536 * 65536 if size > 65536 else size)


@wrong("layout", "NUM.5")
class RestOfSmallerChunk(Partly):
    """What is left over chunks of 32768 elements is not stepped."""

    def chosen(self, i: int, size: int) -> A:
        return np.arange(size) < (size // 32768 * 32768 if size > 32768 else size)


@wrong("layout", "NUM.5")
class RestOfPage(Partly):
    """What is left over blocks of 4096 elements is not stepped."""

    def chosen(self, i: int, size: int) -> A:
        return np.arange(size) < (size // 4096 * 4096 if size > 4096 else size)


@wrong("layout", "NUM.5", like="an index of 16 bits")
class ShortIndex(Partly):
    """Elements from index 65536 on are not stepped."""

    def chosen(self, i: int, size: int) -> A:
        return np.arange(size) < 65536


@wrong("layout", "NUM.5", like="an index of 16 bits with a sign")
class SignedIndex(Partly):
    """Elements from index 32768 on are not stepped."""

    def chosen(self, i: int, size: int) -> A:
        return np.arange(size) < 32768


@wrong("layout", "NUM.5", like="a grid of 65535 blocks without a loop")
class OneChunkOnly(AdamW):
    """Each chunk of 65536 elements is stepped with the gradient of the first."""

    def one(self, i: int, g: A) -> None:
        super().one(i, np.resize(g[:65536], g.shape) if len(g) > 65536 else g)


@wrong("layout", "NUM.5", like="a batch loop without its rest")
class BatchesOfSixtyFour(AdamW):
    """Arrays that are left over whole batches of 64 are not stepped."""

    def one(self, i: int, g: A) -> None:
        count = len(self.p)
        if count <= 64 or i < count - count % 64:
            super().one(i, g)


@wrong("layout", "NUM.5", like="chunks of a few hundred arrays, without the last")
class BatchesOfFiveHundred(Optax):
    """Arrays that are left over whole batches of 500 are not stepped."""

    def one(self, i: int, g: A) -> None:
        count = len(self.p)
        if count <= 500 or i < count - count % 500:
            super().one(i, g)


@wrong("layout", "NUM.5", like="a table of 110 handles")
class TableOfHandles(Keras):
    """Arrays beyond the 110 of a table are not stepped."""

    def one(self, i: int, g: A) -> None:
        if i < 110:
            super().one(i, g)


@wrong("layout", "NUM.5")
class OnlyFirstQuarter(AdamW):
    """Arrays after the first 256 are not stepped: an index of 8 bits."""

    def one(self, i: int, g: A) -> None:
        if i < 256:
            super().one(i, g)


@wrong("layout mixed_precision", "NUM.5", like="a kernel that is there for float32 alone")
class NothingInDouble(Partly):
    """In float64 nothing is stepped."""

    def chosen(self, i: int, size: int) -> A:
        return np.full(size, self.p[i].dtype != np.float64)


@wrong("layout", "NUM.5", like="storage_offset() forgotten")
class OffsetIgnored(AdamW):
    """A gradient that begins inside its memory is read from the beginning."""

    def gradients(self, grads: list[A | None]) -> list[A | None]:
        return super().gradients([
            g.base[: g.size].reshape(g.shape)
            if g is not None and isinstance(g.base, np.ndarray) and g.base.size == g.size + 1 else g
            for g in grads
        ])  # fmt: skip


@wrong("layout", "NUM.5", like="the address of an array taken for that of its first element")
class BackwardsForwards(AdamW):
    """A gradient with negative strides is read forwards."""

    def gradients(self, grads: list[A | None]) -> list[A | None]:
        return super().gradients([
            np.flip(g) if g is not None and g.ndim and min(g.strides) < 0 else g for g in grads
        ])  # fmt: skip


@wrong("layout", "NUM.5", like="torch's fused CPU kernel under an expanded gradient")
class StrideZeroWritten(AdamW):
    """Of a gradient of stride 0 only the row that is in memory is read; the other rows get 0."""

    def gradients(self, grads: list[A | None]) -> list[A | None]:
        seen = []
        for g in grads:
            if g is not None and g.ndim and g.strides[0] == 0 and g.shape[0] > 1:
                g = np.concatenate([g[:1], np.zeros_like(g[1:])])
            seen.append(g if g is None else reals(g))
        return seen

"""Elements, arrays and memory orders that are left out or mixed up."""

from __future__ import annotations

import numpy as np
from adams import Adam, AdamW, Keras
from flat import A
from register import wrong


class Partly(AdamW):
    """Steps the elements of a flat array for which ``chosen`` is true."""

    def chosen(self, i: int, size: int) -> A:
        raise NotImplementedError

    def one(self, i: int, g: A) -> None:
        p, m, v = self.p[i], self.m[i], self.v[i]
        super().one(i, g)
        steps = self.chosen(i, len(p))
        for arrays, old in ((self.p, p), (self.m, m), (self.v, v)):
            arrays[i] = np.where(steps, arrays[i], old)


@wrong("layout", "NUM.5", like="a vector loop without its tail")
class TailOfFourLost(Partly):
    """What is left over four lanes is not stepped."""

    def chosen(self, i: int, size: int) -> A:
        return np.arange(size) < max(size // 4 * 4, size if size < 4 else 0)


@wrong("layout", "NUM.5", like="a vector loop without its tail")
class TailOfEightLost(Partly):
    """What is left over eight lanes is not stepped, where there are eight."""

    def chosen(self, i: int, size: int) -> A:
        return np.arange(size) < (size // 8 * 8 if size > 8 else size)


@wrong("layout", "NUM.5", like="AVX-512 without its tail")
class TailOfSixteenLost(Partly):
    """What is left over sixteen lanes is not stepped, where there are sixteen."""

    def chosen(self, i: int, size: int) -> A:
        return np.arange(size) < (size // 16 * 16 if size > 16 else size)


@wrong("layout", "NUM.5")
class TailOfThirtyTwoLost(Partly):
    """Only the first 32 elements are stepped: a warp for a grid."""

    def chosen(self, i: int, size: int) -> A:
        return np.arange(size) < 32


@wrong("layout", "NUM.5")
class LastElementLost(Partly):
    """The last element of arrays of more than one is not stepped."""

    def chosen(self, i: int, size: int) -> A:
        return np.arange(size) < (size - 1 if size > 1 else size)


@wrong("layout", "NUM.5")
class FirstElementLost(Partly):
    """Element 0 is not stepped: a loop that counts from 1."""

    def chosen(self, i: int, size: int) -> A:
        return np.arange(size) > 0


@wrong("layout", "NUM.5")
class FirstRowOnly(Partly):
    """Of a matrix the first row is stepped."""

    def chosen(self, i: int, size: int) -> A:
        shape = self.shapes[i]
        return np.arange(size) < (shape[-1] if len(shape) > 1 else size)


@wrong("layout", "NUM.5")
class ScalarsLost(Partly):
    """0-d arrays are not stepped."""

    def chosen(self, i: int, size: int) -> A:
        return np.full(size, len(self.shapes[i]) > 0)


@wrong("layout", "NUM.5")
class SingletonsLost(Partly):
    """Arrays of one element are not stepped."""

    def chosen(self, i: int, size: int) -> A:
        return np.full(size, size != 1)


@wrong("layout", "NUM.5", like="a multi-tensor launch with a fixed table")
class ManyArraysLost(Partly):
    """Arrays after the eighth are not stepped."""

    def chosen(self, i: int, size: int) -> A:
        return np.full(size, i < 8)


@wrong("layout", "NUM.5")
class TailStale(AdamW):
    """The tail over four lanes is stepped with the first lanes' gradients."""

    def one(self, i: int, g: A) -> None:
        whole = len(g) // 4 * 4
        if 0 < whole < len(g):
            g = np.concatenate([g[:whole], g[: len(g) - whole]])
        super().one(i, g)


@wrong("layout", "NUM.5", like="a block index computed without its offset")
class BlocksOfThousand(AdamW):
    """Beyond 1024 elements each block is stepped with the first block's gradient."""

    def one(self, i: int, g: A) -> None:
        super().one(i, np.resize(g[:1024], g.shape) if len(g) > 1024 else g)


@wrong("layout", "NUM.5", like="Fortran order read as C")
class FortranScrambled(AdamW):
    """Memory is walked in its own order, and handed back row after row."""

    def gradients(self, grads: list[A | None]) -> list[A | None]:
        return [None if g is None else g.ravel(order="K").view(g.real.dtype).copy() for g in grads]


@wrong("layout", "NUM.5")
class MatrixTransposed(Adam):
    """A matrix gets its gradient's columns for rows."""

    def gradients(self, grads: list[A | None]) -> list[A | None]:
        turned = [g if g is None else np.ascontiguousarray(g.T) for g in grads]
        return super().gradients(turned)


@wrong("layout", "NUM.5", like="a view that is read from its base")
class StridesIgnored(AdamW):
    """A gradient that is a view is read from the start of its base."""

    def gradients(self, grads: list[A | None]) -> list[A | None]:
        packed = [
            g.base.ravel()[: g.size].reshape(g.shape)
            if g is not None and isinstance(g.base, np.ndarray) and g.base.size >= g.size else g
            for g in grads
        ]  # fmt: skip
        return super().gradients(packed)


@wrong("layout", "NUM.5")
class EmptyRaises(AdamW):
    """An empty array is an error."""

    def one(self, i: int, g: A) -> None:
        if not g.size:
            raise IndexError("index 0 is out of bounds for size 0")
        super().one(i, g)


@wrong("layout", "NUM.5")
class ShapeLost(Keras):
    """Parameters come back flat."""

    def shaped(self, i: int) -> A:
        return super().shaped(i).reshape(-1)


@wrong("layout", "NUM.5", like="a float64 scalar that promotes")
class Promoted(AdamW):
    """Parameters come back in float64."""

    def shaped(self, i: int) -> A:
        p = super().shaped(i)
        return p.astype(np.complex128 if p.dtype.kind == "c" else np.float64)


@wrong("layout", "NUM.5", like="TorchScript's broadcasting of one lr per array")
class OddIndicesSwapped(AdamW):
    """Neighbouring elements exchange their steps in arrays of more than 16."""

    def one(self, i: int, g: A) -> None:
        if len(g) > 16:
            g = g.copy()
            g[:16:2], g[1:16:2] = g[1:16:2].copy(), g[:16:2].copy()
        super().one(i, g)

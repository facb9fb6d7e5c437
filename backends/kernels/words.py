"""Numbers and their bits in LLVM's language: what :mod:`adamcore.storage` asks of a library.

The functions of :mod:`adamcore.storage` run on a :class:`Value` as they run on an array of NumPy.  Each of
their operations becomes a line of the kernel, so that no rule of storage stands here.
"""

from __future__ import annotations

import math
import struct
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

from adamcore.backends.kernels.formats import Lines
from adamcore.storage.bits import SIZE
from adamcore.types import DType

Kind = Literal["i32", "float", "i1"]  #: of an element: a word, a float32 number or a truth

INTEGERS = {"add": "add", "sub": "sub", "mul": "mul", "and": "and", "or": "or", "xor": "xor"}
FLOATS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
TRUTHS = {"and": "and", "or": "or", "xor": "xor"}
OPERATIONS = {"i32": INTEGERS, "float": FLOATS, "i1": TRUTHS}
COMPARISONS = {
    "i32": {how: f"icmp {'eq' if how == 'eq' else 'u' + how}" for how in ("gt", "ge", "lt", "le", "eq")},
    "float": {how: f"fcmp o{how}" for how in ("gt", "ge", "lt", "le", "eq")},
}


class Value:
    """A vector of elements in the loop of a kernel, or one element: an operation on it is a line.

    Args:
        lines: gets the lines.
        name: of the value in LLVM's language.
        kind: of an element.
    """

    __slots__ = ("kind", "lines", "name")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, lines: Lines, name: str, kind: Kind) -> None:
        self.lines, self.name, self.kind = lines, name, kind

    def put(self, kind: Kind, operation: str) -> Value:
        """Return the result of an operation, by a line that is added."""
        lines = self.lines
        return Value(lines, lines.put(f"%w{lines.tag}.{len(lines)}", operation), kind)

    def text(self, x: Any) -> str:
        """Return an operand: the name of a value, or a number as a constant of this value's type."""
        if isinstance(x, Value):
            return x.name
        if self.kind == "i32":
            x = (x & 0xFFFFFFFF ^ 0x80000000) - 0x80000000  # as LLVM writes it
        return self.lines.constant(x, self.kind)

    def typed(self, x: Any) -> str:
        return f"{self.lines.kind(self.kind)} {self.text(x)}"

    def by(self, operation: str, a: Any, b: Any) -> Value:
        """Return ``a`` and ``b``, of which one is this value, combined."""
        return self.put(self.kind, f"{OPERATIONS[self.kind][operation]} {self.typed(a)}, {self.text(b)}")

    def compared(self, how: str, other: Any) -> Value:
        return self.put("i1", f"{COMPARISONS[self.kind][how]} {self.typed(self)}, {self.text(other)}")

    def cast(self, operation: str, kind: Kind) -> Value:
        return self.put(kind, f"{operation} {self.typed(self)} to {self.lines.kind(kind)}")

    def __add__(self, other: Any) -> Value:
        return self.by("add", self, other)

    def __radd__(self, other: Any) -> Value:
        return self.by("add", other, self)

    def __sub__(self, other: Any) -> Value:
        return self.by("sub", self, other)

    def __rsub__(self, other: Any) -> Value:
        return self.by("sub", other, self)

    def __mul__(self, other: Any) -> Value:
        return self.by("mul", self, other)

    def __rtruediv__(self, other: Any) -> Value:
        return self.by("div", other, self)

    def __and__(self, other: Any) -> Value:
        return self.by("and", self, other)

    def __or__(self, other: Any) -> Value:
        return self.by("or", self, other)

    def __xor__(self, other: Any) -> Value:
        return self.by("xor", self, other)

    def __invert__(self) -> Value:
        return self.by("xor", self, -1)

    def __gt__(self, other: Any) -> Value:
        return self.compared("gt", other)

    def __ge__(self, other: Any) -> Value:
        return self.compared("ge", other)

    def __lt__(self, other: Any) -> Value:
        return self.compared("lt", other)

    def __le__(self, other: Any) -> Value:
        return self.compared("le", other)

    def __eq__(self, other: Any) -> Value:  # type: ignore[override]
        return self.compared("eq", other)

    def __abs__(self) -> Value:
        return (self.cast("bitcast", "i32") & SIZE).cast("bitcast", "float")


@lru_cache(maxsize=8)
def buckets(borders: tuple[float, ...]) -> tuple[int, list[int]]:
    """Return the numbers of borders that are not above the least number with each upper half of a word.

    Returns:
        The first of these halves, with which all smaller ones go, and the numbers: of halves from there to
        that of the largest border, then of the same with the other sign.

    Raises:
        ValueError: two borders have the same upper half, so that one comparison is not enough.
    """

    def half(x: float) -> int:
        word: int = struct.unpack("<I", struct.pack("<f", abs(x)))[0]
        return word >> 16

    def number(word: int) -> float:
        x: float = struct.unpack("<f", struct.pack("<I", word))[0]
        return x

    first, last = min(map(half, borders)) - 1, max(map(half, borders)) + 1
    found = []
    for sign in (1.0, -1.0):
        for k in range(first, last + 1):
            near, far = number(k << 16) if k > first else 0.0, number((k << 16) + 0xFFFF)
            ends = sorted((sign * near, sign * far))
            low, high = bisect_right(borders, ends[0]), bisect_right(borders, ends[1])
            if high - low > 1:
                raise ValueError(f"{high - low} borders between {ends[0]} and {ends[1]}")
            found.append(low)
    return first, found


class ValueWords:
    """The operations on bits: see :class:`adamcore.storage.bits.Words`.

    Args:
        elements: the numbers of the elements, as words; None where nobody asks for them.
    """

    def __init__(self, elements: Value | None = None) -> None:
        self.elements = elements

    def words(self, x: Value) -> Value:
        return x.cast("bitcast", "i32")

    def floats(self, w: Value) -> Value:
        return w.cast("bitcast", "float")

    def signed(self, w: Value) -> Value:
        return w

    def unsigned(self, x: Value) -> Value:
        return x

    def number(self, x: Value) -> Value:
        return x.cast("sitofp", "float")

    def word(self, value: Any) -> Any:
        return value

    def right(self, w: Value, count: Any) -> Value:
        return w.put("i32", f"lshr {w.typed(w)}, {w.text(count)}")

    def where(self, condition: Value, new: Any, old: Any) -> Value:
        like: Value = new if isinstance(new, Value) else old
        both = f"{like.typed(new)}, {like.typed(old)}"
        return like.put(like.kind, f"select {condition.typed(condition)}, {both}")

    def index(self, like: Value) -> Value:
        assert self.elements is not None
        return self.elements

    def root(self, x: Value) -> Value:
        return x.put("float", f"call {x.lines.kind('float')} @llvm.sqrt.v{x.lines.lanes}f32({x.typed(x)})")

    def places(self, borders: Sequence[float], x: Value) -> Value:
        """Return how many of the borders are not above each number: a table has all but the last step of it.

        The upper half of a word says between which two borders a number is, or on which side of one.
        """
        first, bases = buckets(tuple(borders))
        w, count = self.words(x), len(bases) // 2
        key = self.right(w & SIZE, 16)
        key = self.where(key > first, key - first, 0)
        key = self.where(key < count - 1, key, count - 1)
        key = self.where(w > SIZE, key + count, key)
        lines = x.lines
        base = Value(lines, lines.gathered(f"%w{lines.tag}.{len(lines)}", bases, "i32", key.name), "i32")
        ends = [*borders, math.nan]
        end = Value(lines, lines.gathered(f"%w{lines.tag}.{len(lines)}", ends, "float", base.name), "float")
        place = self.where(x >= end, base + 1, base)
        return self.where(x == x, place, len(borders))

    def entries(self, table: Sequence[float], places: Value) -> Value:
        lines = places.lines
        return Value(
            lines, lines.gathered(f"%w{lines.tag}.{len(lines)}", table, "float", places.name), "float"
        )

    # A vector is a block: what stands for a block is a vector in which all elements are the same.

    def blocks(self, x: Value, size: int) -> Value:
        assert x.lines.lanes == size
        return x

    def unblocked(self, rows: Value, like: Value) -> Value:
        return rows

    def most(self, rows: Value) -> Value:
        lines = rows.lines
        kind, name = lines.kind("i32"), f"%w{lines.tag}.{len(lines)}"
        reduce = f"@llvm.vector.reduce.umax.v{lines.lanes}i32"
        largest = lines.put(f"{name}.most", f"call i32 {reduce}({rows.typed(rows)})")
        first = lines.put(f"{name}.first", f"insertelement {kind} poison, i32 {largest}, i64 0")
        zeros = f"<{lines.lanes} x i32> zeroinitializer"
        return rows.put("i32", f"shufflevector {kind} {first}, {kind} poison, {zeros}")

    def each_block(self, column: Value, like: Value) -> Value:
        return column

    def column(self, vector: Value) -> Value:
        return vector

    def zero_scales(self, like: Value, size: int, dtype: DType) -> Value:
        raise NotImplementedError  # a kernel makes no states

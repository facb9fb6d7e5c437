"""Numbers and their bits in LLVM's language: what :mod:`adamcore.storage` asks of a library.

The functions of :mod:`adamcore.storage` run on a :class:`Value` as they run on an array of NumPy.  Each of
their operations becomes a line of the kernel, so that no rule of storage stands here.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any, Literal

from adamcore.backends.kernels.conversions import places
from adamcore.backends.kernels.formats import Lines
from adamcore.backends.kernels.llvm import native_tables
from adamcore.backends.kernels.quick import BYTES, from_memory, from_registers
from adamcore.storage import blockwise
from adamcore.storage.bits import SIZE
from adamcore.types import DType

Kind = Literal["i32", "float", "i1"]  #: of an element: a word, a float32 number or a truth

PART = 64  #: elements that are looked up in tables at a time

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

    def call(self, kind: Kind, function: str, *given: tuple[str, str]) -> Value:
        """Return the result of one of LLVM's functions: see :meth:`Lines.call`."""
        lines = self.lines
        name = lines.call(f"%w{lines.tag}.{len(lines)}", lines.kind(kind), function, *given)
        return Value(lines, name, kind)

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


def in_parts(function: Callable[[Value], Value], x: Value, width: int = PART) -> Value:
    """Return what a function makes of a vector, one part of so many elements after the other."""
    lines = x.lines
    if lines.lanes <= width:
        return function(x)
    made = []
    for name in lines.parts(f"%part.{len(lines)}{lines.tag}", x.kind, x.name, width):
        part = Lines(width, tag=f"{lines.tag}.{len(lines)}")
        part.outside = lines.outside
        made.append(function(Value(part, name, x.kind)))
        lines += part
    kind = made[0].kind
    return Value(lines, lines.joined(kind, [y.name for y in made]), kind)


def word_of(x: float) -> int:
    """Return the word of a number of float32."""
    word: int = struct.unpack("<I", struct.pack("<f", x))[0]
    return word


def looked_up(table: Sequence[float], at: Value) -> Value:
    """Return the numbers at these places of a table of 256."""
    lines = at.lines
    look_up = from_registers if native_tables() and lines.lanes == BYTES else from_memory
    return Value(lines, look_up(lines, f"%w{lines.tag}.{len(lines)}", table, at.name), "float")


class ValueWords:
    """The operations on bits: see :class:`adamcore.storage.bits.Words`.

    Args:
        elements: the numbers of the elements, as words; None where nobody asks for them.
        block: how many elements share a scale; None where nobody asks for blocks.
    """

    def __init__(self, elements: Value | None = None, block: int | None = None) -> None:
        self.elements, self.block = elements, block

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

    def byte(self, w: Value, signed: bool) -> Value:
        return w  # the lowest byte is all that is written

    def usual(self, condition: Value, new: Any, old: Any) -> Value:
        return self.where(condition, new, old)

    def index(self, like: Value) -> Value:
        assert self.elements is not None
        return self.elements

    def root(self, x: Value) -> Value:
        return x.put("float", f"call {x.lines.kind('float')} @llvm.sqrt.v{x.lines.lanes}f32({x.typed(x)})")

    def places(self, borders: Sequence[float], x: Value) -> Value:
        """Return how many of the borders are not above each number: an estimate of it, or one less.

        See :func:`adamcore.storage.blockwise.rising`.
        """
        below = sum(border < 0 for border in borders)
        ends = [-math.inf, *borders]

        def place(x: Value) -> Value:
            size = abs(x) if below else self.where(x < 0.0, 0.0, x)
            least: Any = word_of(len(borders) - below + 0.5)
            for slope, start in blockwise.rising(bool(below)):
                line = self.words(size * slope + start)  # in the order of these numbers, NaN is the last
                least = self.where(line < least, line, least)
            at = self.floats(least).cast("fptosi", "i32")
            if below:
                at = self.where(x < 0.0, below + 1 - at, at + below)
            return self.where(x < looked_up(ends, at), at - 1, at)

        return in_parts(place, x)

    def entries(self, table: Sequence[float], places: Value) -> Value:
        return in_parts(lambda part: looked_up(table, part), places)

    # A vector is a block, or several: in what stands for a block all its elements are the same.

    def blocks(self, x: Value, size: int) -> Value:
        assert size == self.block
        return x

    def unblocked(self, rows: Value, like: Value) -> Value:
        return rows

    def most(self, rows: Value) -> Value:
        lines, block = rows.lines, self.block
        assert block is not None
        name, count = f"%w{lines.tag}.{len(lines)}", lines.lanes // block
        largest = "poison"
        for k in range(count):
            part = places(k * block, (k + 1) * block)
            row = f"shufflevector {rows.typed(rows)}, {lines.kind('i32')} poison, {part}"
            given = f"<{block} x i32>", lines.put(f"{name}.row.{k}", row)
            one = lines.call(f"{name}.most.{k}", "i32", f"@llvm.vector.reduce.umax.v{block}i32", given)
            with_it = f"insertelement <{count} x i32> {largest}, i32 {one}, i64 {k}"
            largest = lines.put(f"{name}.largest.{k}", with_it)
        return Value(lines, lines.spread(f"{name}.most", "i32", largest, count), "i32")

    def each_block(self, column: Value, like: Value) -> Value:
        return column

    def column(self, vector: Value) -> Value:
        return vector

    def zero_scales(self, like: Value, size: int, dtype: DType) -> Value:
        raise NotImplementedError  # a kernel makes no states

"""Blocks of ordinary numbers, where moments are in 8 bits: most blocks have no NaN and no infinity.

Rules of storage say what becomes of these, and a block without them takes fewer operations.  The loop steps
each block as if its numbers were ordinary.  If they were not, nothing of it has been written yet, and the
general body steps the block.

The codes of a block are made while the next block is stepped.  A step waits for roots and divisions, and the
codes of a block wait for its largest moment.  A processor does not look far enough ahead to find other work
in the meantime.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from adamcore.backends.kernels.body import read, stepped, target, write
from adamcore.backends.kernels.conversions import both_halves, store, store_integer
from adamcore.backends.kernels.formats import Format, Lines
from adamcore.backends.kernels.kept import store_at_random, store_parameter, store_scales
from adamcore.backends.kernels.words import Value, ValueWords
from adamcore.storage import companded
from adamcore.storage.bits import INFINITY
from adamcore.tracing import Program

LANES = companded.BLOCK


class OrdinaryWords(ValueWords):
    """The operations on bits of ordinary numbers, which meet every condition of :meth:`usual`.

    They meet it if no code is that of NaN, the new parameter is no NaN, and neither infinity nor NaN is the
    largest number of a block: an infinite moment and a NaN have the largest words, and less than the largest
    finite number is below the end of the codes.
    """

    def __init__(self, elements: Value | None = None, block: int | None = None) -> None:
        super().__init__(elements, block)
        self.largest: list[str] = []  #: the largest words of blocks

    def usual(self, condition: Value, new: Any, old: Any) -> Value:
        assert isinstance(new, Value)
        return new

    def most(self, rows: Value) -> Value:
        largest = super().most(rows)
        self.largest.append(first(largest))
        return largest


class Pending(NamedTuple):
    """What is left of a moment when its block has been stepped, by the names in LLVM's language."""

    name: str  #: of the moment
    words: str  #: those of m, or of the roots of v
    over: str  #: the reciprocal of the scale
    at: str  #: the address of the codes


class Ordinary(NamedTuple):
    """The lines of a loop that steps blocks of ordinary numbers apart."""

    tag: str  #: what the names of the arrays' addresses end with
    before: str  #: what the block before has left, at the head of the loop
    step: str  #: the step of a block, up to the label of the general body
    after: str  #: what the block leaves, behind both
    last: str  #: the codes of the last block, behind the loop
    outside: dict[str, str]  #: see :class:`adamcore.backends.kernels.formats.Lines`


NONE = Ordinary(".m", "", "", "", "", {})  #: where the general body steps all blocks


def serves(dtypes: Format, masked: bool) -> bool:
    """True if blocks of these dtypes can be stepped apart."""
    return dtypes.block == LANES and dtypes.work == "float32" and not masked


def ordinary(program: Program, dtypes: Format, targets: Mapping[str, str], half: bool) -> Ordinary:
    """Return the lines for blocks of ordinary numbers.

    Args:
        program, dtypes, targets, half: see :func:`adamcore.backends.kernels.body.body`.
    """
    coded = [name for name, _ in program.outputs if dtypes.coding(name) is not None]
    lines, words = Lines(LANES, tag=".q"), OrdinaryWords(block=LANES)
    write_codes(lines, coded, dtypes)
    lines.put("%i.q", "add i64 %i.m, 0")
    raw = read(lines, program, dtypes)
    names = stepped(lines, program, raw, dtypes, half, OrdinaryWords)
    values = {name: names[value] for name, value in program.outputs}
    scales: dict[str, str] = {}
    pending = []
    for name in coded:
        x = Value(lines, values[name], "float")
        w, scale = scaled(words, x, name)
        kept = words.right(scale, 16) if name == "m" else words.floats(scale)
        scales[f"{name}_scale"] = store_scales(kept, name, dtypes)
        over = first(1.0 / words.floats(scale))
        pending.append(Pending(name, w.name, over, target(lines, name, dtypes, targets)))
    flags = [code_of_nan(lines, raw[name], name) for name in coded]
    flags += [lines.put(f"{x}.endless", f"icmp uge i32 {x}, {INFINITY}") for x in words.largest]
    if dtypes.policy is not None:
        flags.append(some_nan(lines, values["p"]))
    special = flags[0]
    for k, flag in enumerate(flags[1:]):
        special = lines.put(f"%special.{k}", f"or i1 {special}, {flag}")
    lines.append(f"  br i1 {special}, label %general, label %ordinary, !prof !3")
    lines.append("ordinary:")
    new = stored(lines, {name: x for name, x in values.items() if name not in coded}, dtypes, half)
    for name, written in (new | scales).items():
        write(lines, name, written, dtypes, target(lines, name, dtypes, targets))
    lines += ["  br label %many.end", "general:"]
    last = Lines(LANES, tag=".l")
    write_codes(last, coded, dtypes)
    return Ordinary(
        lines.tag,
        "\n".join(map(before, coded)),
        "\n".join(lines),
        "\n".join(map(after, pending)),
        "\n".join(last),
        lines.outside | last.outside,
    )


def first(vector: Value) -> str:
    """Return the first element of a vector, by a line that is added."""
    lines = vector.lines
    return lines.put(f"%w{lines.tag}.{len(lines)}", f"extractelement {vector.typed(vector)}, i64 0")


def scaled(words: OrdinaryWords, x: Value, name: str) -> tuple[Value, Value]:
    """Return the words of which the codes are made, and those of the scale."""
    if name == "m":
        w = words.words(x)
        return w, companded.m_scale(words, w)
    w = words.words(words.root(x))
    return w, companded.v_scale(words, w)


def write_codes(lines: Lines, coded: Sequence[str], dtypes: Format) -> None:
    """Add lines that write the codes of the block before."""
    words = OrdinaryWords(block=LANES)
    for name in coded:
        w = Value(lines, f"%{name}.before", "i32")
        over = Value(
            lines, lines.repeated(f"%{name}.over{lines.tag}", "float", f"%{name}.over.before"), "float"
        )
        made = companded.m_codes(words, w, over) if name == "m" else companded.v_codes(words, w, over, w > 0)
        x = store_integer(lines, made.name, dtypes.of(name), f"%{name}.codes{lines.tag}")
        write(lines, name, x, dtypes, f"%{name}.to.before")


def stored(lines: Lines, values: Mapping[str, str], dtypes: Format, half: bool) -> dict[str, str]:
    """Return what is written of the numbers that have no codes, by the names of the arrays."""
    new: dict[str, str] = {}
    for name, x in values.items():
        if name == "p" and dtypes.policy is not None:
            new |= store_parameter(lines, x, dtypes, half, OrdinaryWords)
        elif dtypes.random(name):
            new |= store_at_random(lines, x, name, dtypes, half)
        else:
            new[name] = store(lines, x, dtypes.of(name), dtypes.work, half, f"%{name}.new{lines.tag}")
    return new


def code_of_nan(lines: Lines, codes: str, name: str) -> str:
    """Return whether one of the codes stands for NaN, by lines that are added."""
    nan = lines.constant(-128 if name == "m" else -1, "i8")
    flags = lines.put(f"%{name}.nans.q", f"icmp eq {lines.kind('i8')} {codes}, {nan}")
    return lines.some(f"%{name}.nan.q", flags, LANES)


def some_nan(lines: Lines, p: str) -> str:
    """Return whether a parameter is NaN, by lines that are added."""
    half = Lines(LANES // 2)
    both = ", ".join(both_halves(lines, half, p, "%p.nans.q", "float"))
    lines += [*half, f"  %p.nans.q = fcmp uno {half.kind('float')} {both}"]
    return lines.some("%p.nan.q", "%p.nans.q", LANES // 2)


def before(name: str) -> str:
    """Return lines that name what the block before has left of a moment; the first finds what is dropped."""
    return f"""  %{name}.before = phi <{LANES} x i32> [ zeroinitializer, %load ], [ %{name}.after, %many.end ]
  %{name}.over.before = phi float [ 1.0, %load ], [ %{name}.over.after, %many.end ]
  %{name}.to.before = phi ptr [ %{name}.copy, %load ], [ %{name}.to.after, %many.end ]"""


def after(x: Pending) -> str:
    """Return lines that name what a block leaves: the general body has made its codes itself."""
    return f"""  %{x.name}.after = phi <{LANES} x i32> [ {x.words}, %ordinary ], [ zeroinitializer, %general ]
  %{x.name}.over.after = phi float [ {x.over}, %ordinary ], [ 1.0, %general ]
  %{x.name}.to.after = phi ptr [ {x.at}, %ordinary ], [ %{x.name}.copy, %general ]"""

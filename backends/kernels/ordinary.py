"""Blocks of ordinary numbers, where moments are in 8 bits: most blocks have no NaN and no infinity.

Rules of storage say what becomes of these, and a block without them takes fewer operations.  The loop steps
each block as if its numbers were ordinary.  If they were not, nothing of it has been written yet, and the
general body steps the block.

Parts of the first stage of a block take turns with parts of the second stage of the block before (see
:mod:`adamcore.backends.kernels.stages`).  A processor makes one root or division at a time, and looks some
110 operations on 512 bits ahead.  So roots and divisions are spread over the loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from adamcore.backends.kernels.body import (
    carry_out,
    coefficients,
    inputs_of,
    loaded,
    place,
    read_at,
    scaled_by,
    target,
    write,
)
from adamcore.backends.kernels.conversions import both_halves
from adamcore.backends.kernels.formats import BITS, SIZES, Format, Lines
from adamcore.backends.kernels.llvm import native_tables
from adamcore.backends.kernels.stages import OrdinaryWords, SecondStage, Stages, leading_to, stages
from adamcore.backends.kernels.words import Value, ValueWords
from adamcore.storage import companded
from adamcore.storage.bits import INFINITY, SIZE
from adamcore.tracing import Program

LANES = companded.BLOCK
PART = 16  #: elements of a vector of 512 bits
MOST = 7  #: vectors of a block that registers hold at a time, besides single numbers


class Ordinary(NamedTuple):
    """The lines of a loop that steps blocks of ordinary numbers apart."""

    tag: str  #: what the names of the arrays' addresses end with
    entry: str  #: what stands before all loops
    before: str  #: what the block before has left, at the head of the loop
    step: str  #: the step of a block, up to the label of the general body
    after: str  #: what the block leaves, behind both
    last: str  #: the second stage of the last block, behind the loop
    outside: dict[str, str]  #: see :class:`adamcore.backends.kernels.formats.Lines`


NONE = Ordinary(".m", "", "", "", "", "", {})  #: where the general body steps all blocks


def serves(dtypes: Format, masked: bool) -> bool:
    """True if blocks of these dtypes can be stepped apart."""
    return dtypes.block == LANES and dtypes.work == "float32" and not masked


def ordinary(program: Program, dtypes: Format, targets: Mapping[str, str], half: bool) -> Ordinary:
    """Return the lines for blocks of ordinary numbers.

    Args:
        program, dtypes, targets, half: see :func:`adamcore.backends.kernels.body.body`.
    """
    s, lines = stages(program, dtypes), Lines(LANES, tag=".q")
    lines.put("%i.q", "add i64 %i.m, 0")
    for name in inputs_of(program, dtypes):
        place(lines, name, dtypes)
    first, second = coefficients(lines, program), SecondStage(lines, s, targets, half)
    over = in_turn(lines, s, half, first, second)
    flags = [code_of_nan(lines, name) for name in s.sized]
    flags += [f"%{name}.endless" for name in s.sized]
    special = some(lines, "special", flags)
    nan = [] if dtypes.policy is None else [some_nan(lines, second.names[s.plain["p"]])]
    lines.append(f"  br i1 {some(lines, 'odd', [special, *nan])}, label %odd, label %usual, !prof !3")
    odd, usual = second.write_plain(".o", ValueWords), second.write_plain(".u", OrdinaryWords)
    lines += ["odd:", *odd, f"  br i1 {special}, label %general, label %ordinary"]
    lines += ["usual:", *usual, "  br label %ordinary", "ordinary:"]
    for name in s.sized:
        scale = f"{name}_scale"
        write(lines, scale, f"%{scale}.new", dtypes, target(lines, scale, dtypes, targets))
    lines += ["  br label %many.end", "general:"]
    ending = SecondStage(Lines(LANES, tag=".l"), s, targets, half)
    for name in s.sized:
        ending.begin_codes(name)
        ending.end_codes(name)
    ending.divide()
    ending.finish()
    last = ending.write_plain(".z", ValueWords)
    phis = [("%pending", "i1", "false", "true")]
    phis += [(f"%{x}.before", f"<{LANES} x float>", "zeroinitializer", first[x]) for x in s.carried]
    phis += [(f"%{name}.over.before", "float", "1.0", x) for name, x in over.items()]
    head = (f"  {x} = phi {kind} [ {none}, %load ], [ {x}.next, %many.end ]" for x, kind, none, _ in phis)
    end = (
        f"  {x}.next = phi {kind} [ {new}, %ordinary ], [ {none}, %general ]" for x, kind, none, new in phis
    )
    outside = [each.outside for each in (lines, odd, usual, ending.lines, last)]
    return Ordinary(
        lines.tag,
        zeros(s),
        "\n".join(head),
        "\n".join(lines),
        "\n".join(end),
        "\n".join([*ending.lines, *last]),
        {at: text for each in outside for at, text in each.items()},
    )


def in_turn(
    lines: Lines, s: Stages, half: bool, first: dict[str, str], second: SecondStage
) -> dict[str, str]:
    """Add the lines of the first stage of a block, between those of the second stage of the block before.

    Args:
        lines: gets the lines.
        s: the operations.
        half: see :func:`adamcore.backends.kernels.body.body`.
        first: gets the values of the first stage.
        second: the second stage, of which what is written without codes is left.

    Returns:
        the reciprocals of the scales, by the names of the moments.
    """
    squares, ms = [name for name in s.sized if name != "m"], [name for name in s.sized if name == "m"]

    def turn(later: Sequence[str], over: dict[str, str] | None = None) -> None:
        mine = [x for x in s.carried if x in first]
        kept = [*((first, x) for x in mine), *((second.names, x) for x in dict.fromkeys(later))]
        keep_order(lines, kept, over or {})

    begin(lines, s, half, first, squares)
    turn(s.carried)
    for name in squares:
        second.begin_codes(name)
    begin(lines, s, half, first, ms)
    turn([*s.carried, *(x for x in second.names if x.endswith((".square", ".about", ".bent")))])
    second.divide()
    for name in squares:
        second.end_codes(name)
    turn([*second.needed, *(s.sized[name] for name in ms)])
    over = scales(lines, s, first)
    for name in ms:
        second.begin_codes(name)
    second.finish()
    turn([*second.needed, *(x for name in ms for x in (s.sized[name], f"{name}.bent"))], over)
    for name in ms:
        second.end_codes(name)
    return over


def begin(lines: Lines, s: Stages, half: bool, names: dict[str, str], coded: Sequence[str]) -> None:
    """Add the lines of the first stage that these moments need, and put their values among ``names``."""
    ops = leading_to(s.first, [s.sized[name] for name in coded])
    used = {x for op in ops for x in op.args} | {s.sized[name] for name in coded}
    inputs = [name for name in s.inputs if name in used and name not in names]
    raw = {}
    for name in inputs_of(s.program, s.dtypes):
        if name in inputs or scaled_by(name) in inputs or (name == "p_rest" and "p" in inputs):
            raw[name] = read_at(lines, name, s.dtypes, f"%{name}.p.q")
    for name in inputs:
        names[name] = loaded(lines, raw, name, s.dtypes, half, OrdinaryWords)
    carry_out(lines, [op for op in ops if op.out not in names], names, s.dtypes.work)


class OneNumber(OrdinaryWords):
    """The operations on the largest number of a block."""

    def most(self, rows: Value) -> Value:
        return rows


def scales(lines: Lines, s: Stages, names: Mapping[str, str]) -> dict[str, str]:
    """Return the reciprocals of the new scales, by the names of the moments, by lines that are added.

    The scales are ``%m_scale.new`` and so on; ``%m.endless`` and so on say that a largest number is infinite
    or NaN.
    """
    over, words = {}, OneNumber()
    for name, value in s.sized.items():
        w, one = Value(lines, names[value], "float").cast("bitcast", "i32"), Lines(1, tag=f".{name}.q")
        size = w & SIZE if name == "m" else w
        given = lines.kind("i32"), size.name
        most = lines.call(f"%{name}.most", "i32", f"@llvm.vector.reduce.umax.v{LANES}i32", given)
        largest = Value(one, most, "i32")
        scale = companded.m_scale(words, largest) if name == "m" else companded.v_scale(words, largest)
        over[name] = (1.0 / words.floats(scale)).name
        kept = words.right(scale, 16) if name == "m" else words.floats(scale)
        x, element = kept.name, BITS[s.dtypes.of(f"{name}_scale")]
        if element == "i16":
            x = one.put(f"%{name}_scale.narrow", f"trunc i32 {x} to i16")
        one.put(f"%{name}_scale.new", f"insertelement <1 x {element}> poison, {element} {x}, i64 0")
        one.put(f"%{name}.endless", f"icmp uge i32 {most}, {INFINITY}")
        lines += one
    return over


def keep_order(lines: Lines, kept: Sequence[tuple[dict[str, str], str]], numbers: dict[str, str]) -> None:
    """Have values computed by what stands before this place, and used by what stands behind it.

    LLVM would put operations elsewhere.  An instruction that is none takes the values, and gives them back.
    More than :data:`MOST` vectors have no place in registers, and are left to LLVM.

    Args:
        lines: gets the lines.
        kept: where the name of each vector stands, and gets its new name.
        numbers: the names of single numbers, which get new names too.
    """
    if not native_tables() or len(kept) > MOST:
        return
    name, kind = f"%turn{lines.tag}.{len(lines)}", f"<{PART} x float>"
    given = []
    for k, (table, x) in enumerate(kept):
        given += [(kind, part) for part in lines.parts(f"{name}.{k}", "float", table[x], PART)]
    given += [("float", x) for x in numbers.values()]
    kinds = ", ".join(each for each, _ in given)
    places = ",".join([*(["=v"] * len(given)), *map(str, range(len(given)))])
    arguments = ", ".join(map(" ".join, given))
    lines.put(name, f'call {{{kinds}}} asm sideeffect "", "{places}"({arguments})')
    found = [lines.put(f"{name}.out.{k}", f"extractvalue {{{kinds}}} {name}, {k}") for k in range(len(given))]
    number = LANES // PART
    for k, (table, x) in enumerate(kept):
        table[x] = lines.joined("float", found[number * k : number * k + number])
    numbers |= zip(numbers, found[number * len(kept) :], strict=True)


def zeros(s: Stages) -> str:
    """Return lines that put numbers in the copies that the second stage reads where no block was before."""
    read = [name for name in inputs_of(s.program, s.dtypes) if name in s.later or name == "p_rest"]
    elements = ((name, BITS[s.dtypes.of(name)], SIZES[s.dtypes.of(name)]) for name in read)
    return "\n".join(
        f"  store <{LANES} x {element}> zeroinitializer, ptr %{name}.copy, align {size}"
        for name, element, size in elements
    )


def some(lines: Lines, name: str, flags: Sequence[str]) -> str:
    """Return whether one of these flags is set, by lines that are added."""
    found = flags[0]
    for k, flag in enumerate(flags[1:]):
        found = lines.put(f"%{name}.{k}", f"or i1 {found}, {flag}")
    return found


def code_of_nan(lines: Lines, name: str) -> str:
    """Return whether one of the codes stands for NaN, by lines that are added."""
    nan = lines.constant(-128 if name == "m" else -1, "i8")
    codes = lines.put(f"%{name}.again", f"load {lines.kind('i8')}, ptr %{name}.p.q, align 1")
    flags = lines.put(f"%{name}.nans", f"icmp eq {lines.kind('i8')} {codes}, {nan}")
    return lines.some(f"%{name}.nan", flags, LANES)


def some_nan(lines: Lines, p: str) -> str:
    """Return whether a parameter is NaN, by lines that are added."""
    half = Lines(LANES // 2)
    both = ", ".join(both_halves(lines, half, p, "%p.nans.q", "float"))
    lines += [*half, f"  %p.nans.q = fcmp uno {half.kind('float')} {both}"]
    return lines.some("%p.nan.q", "%p.nans.q", LANES // 2)

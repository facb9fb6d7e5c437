"""What some processors have an instruction for: rounding to bfloat16, and tables in registers.

The instruction that rounds (AVX512-BF16) rounds to the nearest, ties to even, but takes subnormal numbers
for 0.  So it serves vectors of which no result is 0; the others are rounded by integer arithmetic, which is
slower.

The one for tables (AVX512-VBMI) looks up 64 bytes in a table of 128.  The bytes of 64 floats from a table of
256 take eight of it, a fifth of the time in which the floats are read from memory.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence

from adamcore.backends.kernels.conversions import both_halves
from adamcore.backends.kernels.formats import Lines

LANES = 32  #: the elements that the instruction rounds
INTRINSIC = "@llvm.x86.avx512bf16.cvtne2ps2bf16.512"
BYTES = 64  #: the places that the instruction for tables looks up; its table has twice as many
LOOKUP = "@llvm.x86.avx512.vpermi2var.qi.512"


def rounded_quickly(
    lines: Lines, results: Mapping[str, str], exact: Callable[[str, str], str], before: str
) -> dict[str, str]:
    """Return results rounded to bfloat16, in the order of the array, by lines that are added.

    Args:
        lines: gets the operations; their vectors have :data:`LANES` elements in the order of ``Lines.pairs``.
        results: the names of the numbers, by the names of their arrays.
        exact: adds lines to the same, and returns a number rounded by integer arithmetic: (array, number).
        before: the label of the block that the lines are a part of; another one ends them.
    """
    tag, quick, flags = lines.tag, {}, []
    for name, x in results.items():
        quick[name] = by_processor(lines, x, f"%{name}.quick{tag}")
        size = lines.put(
            f"%{name}.size{tag}",
            f"and {lines.kind('i16')} {quick[name]}, {lines.constant(0x7FFF, 'i16')}",
        )
        flags.append(lines.put(f"%{name}.zero{tag}", f"icmp eq {lines.kind('i16')} {size}, zeroinitializer"))
    some = flags[0]
    for k, flag in enumerate(flags[1:]):
        some = lines.put(f"%zeros.{k}{tag}", f"or {lines.kind('i1')} {some}, {flag}")
    bits = lines.put(f"%zeros.bits{tag}", f"bitcast {lines.kind('i1')} {some} to i{lines.lanes}")
    lines.put(f"%zeros.some{tag}", f"icmp ne i{lines.lanes} {bits}, 0")
    lines.append(f"  br i1 %zeros.some{tag}, label %exact{tag}, label %rounded{tag}")
    lines.append(f"exact{tag}:")
    slow = {name: exact(name, x) for name, x in results.items()}
    lines.append(f"  br label %rounded{tag}")
    lines.append(f"rounded{tag}:")
    kind = lines.kind("i16")
    return {
        name: lines.put(
            f"%{name}.chosen{tag}", f"phi {kind} [ {x}, %{before} ], [ {slow[name]}, %exact{tag} ]"
        )
        for name, x in quick.items()
    }


def by_processor(lines: Lines, x: str, name: str) -> str:
    """Return numbers rounded by the processor, in the order of the array, by lines that are added."""
    half = Lines(lines.lanes // 2)
    first, second = both_halves(lines, half, x, name, "float")
    lines += half
    kind = half.kind("float")
    made = lines.call(f"{name}.made", "<32 x bfloat>", INTRINSIC, (kind, second), (kind, first))
    words = lines.put(f"{name}.words", f"bitcast <32 x bfloat> {made} to {lines.kind('i16')}")
    order = ", ".join(f"i32 {k // 2 + LANES // 2 * (k % 2)}" for k in range(LANES))
    both = f"{lines.kind('i16')} {words}, {lines.kind('i16')} poison"
    return lines.put(f"{name}.stored", f"shufflevector {both}, <{LANES} x i32> <{order}>")


def from_memory(lines: Lines, name: str, table: Sequence[float], at: str) -> str:
    """Give the numbers at these places, a vector of i32, of a table a name and return it."""
    n, kind = lines.lanes, lines.kind("float")
    pointers = f"getelementptr float, ptr {lines.numbers(table)}, {lines.kind('i32')} {at}"
    lines.put(f"{name}.at", pointers)
    every = (lines.kind("i1"), f"<{', '.join(['i1 1'] * n)}>")
    given = [(f"<{n} x ptr>", f"{name}.at"), ("i32", "4"), every, (kind, "poison")]
    return lines.call(name, kind, f"@llvm.masked.gather.v{n}f32.v{n}p0", *given)


def from_registers(lines: Lines, name: str, table: Sequence[float], at: str) -> str:
    """Do what :func:`from_memory` does with :data:`BYTES` places and a table of 256, byte after byte."""
    words, kind = struct.pack("<256f", *table), lines.kind("i8")
    lines.put(f"{name}.at", f"trunc {lines.kind('i32')} {at} to {kind}")
    lines.put(f"{name}.high", f"icmp slt {kind} {name}.at, zeroinitializer")
    for byte in range(4):
        quarters = (words[first + byte : first + 256 : 4] for first in range(0, 1024, 256))
        a, b, c, d = ((kind, f"<{', '.join(f'i8 {x}' for x in quarter)}>") for quarter in quarters)
        lines.call(f"{name}.low.{byte}", kind, LOOKUP, a, (kind, f"{name}.at"), b)
        lines.call(f"{name}.up.{byte}", kind, LOOKUP, c, (kind, f"{name}.at"), d)
        lines.select(f"{name}.byte.{byte}", f"{name}.high", "i8", f"{name}.up.{byte}", f"{name}.low.{byte}")
    alternating = ", ".join(f"i32 {k}, i32 {BYTES + k}" for k in range(BYTES))
    mixed, pair = f"<{2 * BYTES} x i32> <{alternating}>", lines.kind("i16")
    for k in (0, 2):
        both = f"{kind} {name}.byte.{k}, {kind} {name}.byte.{k + 1}"
        lines.put(f"{name}.bytes.{k}", f"shufflevector {both}, {mixed}")
        lines.put(f"{name}.pairs.{k}", f"bitcast <{2 * BYTES} x i8> {name}.bytes.{k} to {pair}")
    lines.put(f"{name}.words", f"shufflevector {pair} {name}.pairs.0, {pair} {name}.pairs.2, {mixed}")
    return lines.put(name, f"bitcast <{2 * BYTES} x i16> {name}.words to {lines.kind('float')}")

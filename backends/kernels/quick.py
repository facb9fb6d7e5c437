"""Results rounded to bfloat16 by the processor, where it rounds as it should.

The processors' instruction (AVX512-BF16) rounds to the nearest, ties to even, but takes subnormal numbers
for 0.  So it serves vectors of which no result is 0; the others are rounded by integer arithmetic, which is
slower.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from adamcore.backends.kernels.conversions import both_halves
from adamcore.backends.kernels.formats import Lines

LANES = 32  #: the elements that the instruction rounds
INTRINSIC = "@llvm.x86.avx512bf16.cvtne2ps2bf16.512"
DECLARATION = f"declare <32 x bfloat> {INTRINSIC}(<16 x float>, <16 x float>)"


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
    made = lines.put(f"{name}.made", f"call <32 x bfloat> {INTRINSIC}({kind} {second}, {kind} {first})")
    words = lines.put(f"{name}.words", f"bitcast <32 x bfloat> {made} to {lines.kind('i16')}")
    order = ", ".join(f"i32 {k // 2 + LANES // 2 * (k % 2)}" for k in range(LANES))
    both = f"{lines.kind('i16')} {words}, {lines.kind('i16')} poison"
    return lines.put(f"{name}.stored", f"shufflevector {both}, <{LANES} x i32> <{order}>")

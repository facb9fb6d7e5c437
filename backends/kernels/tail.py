"""The elements of an array that fill no vector: one after the other, or a last block in memory of its own.

Where moments are kept in 8 bits, a vector is a block, or several.  The last one of an array may be a part of
it: its elements and scales are copied, zeros fill the rest, and the loop's own operations are carried out on
the copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from adamcore.backends.kernels.body import inputs_of, scaled_by
from adamcore.backends.kernels.formats import BITS, SIZES, Format
from adamcore.storage import blockwise
from adamcore.tracing import Program


def single_text(single: Sequence[str]) -> str:
    """Return the loop over single elements, whose operations are ``single``."""
    lines = "\n".join(single)
    return f"""single.test:
  %i.s = phi i64 [ %i.m, %many.test ], [ %i.s.next, %single ]
  %i.s.next = add i64 %i.s, 1
  %rest = icmp slt i64 %i.s, %b
  br i1 %rest, label %single, label %done
single:
{lines}
  br label %single.test, !llvm.loop !0"""


def whole_blocks(block: int | None) -> str:
    """Return lines that move a piece's first element and its end, to where blocks begin if there are any."""
    if block is None:
        return "  %a = add i64 %a.own, 0\n  %b = add i64 %b.own, 0"
    return "\n".join(
        f"""  %{x}.over = add i64 %{x}.own, {block - 1}
  %{x}.block = udiv i64 %{x}.over, {block}
  %{x}.up = mul i64 %{x}.block, {block}
  %{x}.in = icmp slt i64 %{x}.up, %size
  %{x} = select i1 %{x}.in, i64 %{x}.up, i64 %size"""
        for x in "ab"
    )


class Copied(NamedTuple):
    """An array whose last elements are copied."""

    name: str
    element: str  #: the type of an element
    size: int  #: bytes of an element
    number: int  #: of elements in the copy
    share: int  #: elements of p that belong to one of the array


def copied(program: Program, dtypes: Format, targets: Mapping[str, str]) -> list[Copied]:
    """Return the arrays that a kernel reads or writes."""
    names = [*inputs_of(program, dtypes), *(at for name, at in targets.items() if at != name)]
    made = []
    for name in names:
        stored = dtypes.of(name.removesuffix("_new"))
        number = dtypes.scales(scaled_by(name)) or dtypes.lanes
        made.append(Copied(name, BITS[stored], SIZES[stored], number, dtypes.lanes // number))
    return made


def copies(program: Program, dtypes: Format, targets: Mapping[str, str]) -> str:
    """Return lines that set memory for a block of each array apart."""
    return "\n".join(
        f"  %{x.name}.copy = alloca <{x.number} x {x.element}>, align {x.size}"
        for x in copied(program, dtypes, targets)
    )


def zero_of(dtypes: Format, name: str) -> str:
    """Return a vector of what stands for 0 in an array: in the codebook of m it is not the code 0."""
    coding = dtypes.coding(name)
    if coding is None or coding.policy != "blockwise8" or not coding.signed:
        return "zeroinitializer"
    code = blockwise.table(True).index(0.0)
    return f"<{', '.join([f'i8 {code}'] * dtypes.lanes)}>"


def tail_text(program: Program, dtypes: Format, targets: Mapping[str, str], block: Sequence[str]) -> str:
    """Return the step of a last part of a block, whose operations are ``block``.

    Args:
        program, dtypes, targets: see :func:`adamcore.backends.kernels.body.body`.
        block: the body of a copied block.
    """
    arrays = copied(program, dtypes, targets)
    read = [x for x in arrays if not x.name.endswith("_new")]
    written = [x for x in arrays if x.name in targets.values()]
    zeros = "\n".join(
        f"  store <{x.number} x {x.element}> {zero_of(dtypes, x.name)}, ptr %{x.name}.copy, align {x.size}"
        for x in arrays
    )

    def moved(x: Copied, way: str) -> str:
        name, element, size = x[:3]
        return f"""  %{name}.{way}.at = udiv i64 %{way}.at, {x.share}
  %{name}.{way}.k = udiv i64 %{way}.k, {x.share}
  %{name}.{way}.own = getelementptr {element}, ptr %{name}.base, i64 %{name}.{way}.at
  %{name}.{way}.copy = getelementptr {element}, ptr %{name}.copy, i64 %{name}.{way}.k
  %{name}.{way}.x = load {element}, ptr %{name}.{way}.{"own" if way == "in" else "copy"}, align {size}
  store {element} %{name}.{way}.x, ptr %{name}.{way}.{"copy" if way == "in" else "own"}, align {size}"""

    def loop(way: str, before: str, after: str, rows: Sequence[Copied]) -> str:
        return f"""{way}.test:
  %{way}.k = phi i64 [ 0, %{before} ], [ %{way}.next, %{way} ]
  %{way}.at = add i64 %i.t, %{way}.k
  %{way}.next = add i64 %{way}.k, 1
  %{way}.more = icmp slt i64 %{way}.at, %b
  br i1 %{way}.more, label %{way}, label %{after}
{way}:
{chr(10).join(moved(x, way) for x in rows)}
  br label %{way}.test, !llvm.loop !0"""

    lines = "\n".join(block)
    return f"""single.test:
  %i.t = add i64 %i.m, 0
  %part = icmp slt i64 %i.t, %b
  br i1 %part, label %tail, label %done
tail:
{zeros}
  br label %in.test
{loop("in", "tail", "last", read)}
last:
{lines}
  br label %out.test
{loop("out", "last", "done", written)}"""

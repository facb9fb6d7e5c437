"""The elements of an array that fill no vector: one after the other, or a last block in memory of its own.

Where moments are kept in 8 bits, a vector is a block.  The last block of an array may be a part of one: its
elements are copied, zeros fill the rest, and the loop's own operations are carried out on the copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adamcore.backends.kernels.body import inputs_of
from adamcore.backends.kernels.formats import BITS, SIZES, Format
from adamcore.storage import blockwise
from adamcore.tracing import Program


def single_text(single: Sequence[str]) -> str:
    """Return the loop over single elements, whose operations are ``single``."""
    lines = "\n".join(single)
    return f"""single.test:
  %i.s = phi i64 [ %i.m, %whole.end ], [ %i.s.next, %single ]
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


def copied(program: Program, dtypes: Format, targets: Mapping[str, str]) -> list[tuple[str, str, int]]:
    """Return the arrays of elements that are copied: name, type and bytes of an element."""
    names = [name for name in inputs_of(program, dtypes) if not name.endswith("_scale")]
    names += [at for name, at in targets.items() if at != name and not name.endswith("_scale")]
    stored = {name: dtypes.of(name.removesuffix("_new")) for name in names}
    return [(name, BITS[stored[name]], SIZES[stored[name]]) for name in names]


def copies(program: Program, dtypes: Format, targets: Mapping[str, str]) -> str:
    """Return lines that set memory for a block of each array apart."""
    return "\n".join(
        f"  %{name}.copy = alloca <{dtypes.block} x {element}>, align {size}"
        for name, element, size in copied(program, dtypes, targets)
    )


def zero_of(dtypes: Format, name: str) -> str:
    """Return a vector of what stands for 0 in an array: in the codebook of m it is not the code 0."""
    coding = dtypes.coding(name)
    if coding is None or coding.policy != "blockwise8" or not coding.signed:
        return "zeroinitializer"
    code = blockwise.table(True).index(0.0)
    return f"<{', '.join([f'i8 {code}'] * coding.block)}>"


def tail_text(program: Program, dtypes: Format, targets: Mapping[str, str], block: Sequence[str]) -> str:
    """Return the step of a last part of a block, whose operations are ``block``.

    Args:
        program, dtypes, targets: see :func:`adamcore.backends.kernels.body.body`.
        block: the body of a copied block.
    """
    arrays = copied(program, dtypes, targets)
    read = [row for row in arrays if not row[0].endswith("_new")]
    written = [row for row in arrays if row[0] in targets.values()]
    zeros = "\n".join(
        f"  store <{dtypes.block} x {element}> {zero_of(dtypes, name)}, ptr %{name}.copy, align {size}"
        for name, element, size in arrays
    )

    def moved(rows: Sequence[tuple[str, str, int]], way: str) -> str:
        return "\n".join(
            f"""  %{name}.{way}.own = getelementptr {element}, ptr %{name}.base, i64 %{way}.at
  %{name}.{way}.copy = getelementptr {element}, ptr %{name}.copy, i64 %{way}.k
  %{name}.{way}.x = load {element}, ptr %{name}.{way}.{"own" if way == "in" else "copy"}, align {size}
  store {element} %{name}.{way}.x, ptr %{name}.{way}.{"copy" if way == "in" else "own"}, align {size}"""
            for name, element, size in rows
        )

    def loop(way: str, before: str, after: str, rows: Sequence[tuple[str, str, int]]) -> str:
        return f"""{way}.test:
  %{way}.k = phi i64 [ 0, %{before} ], [ %{way}.next, %{way} ]
  %{way}.at = add i64 %i.t, %{way}.k
  %{way}.next = add i64 %{way}.k, 1
  %{way}.more = icmp slt i64 %{way}.at, %b
  br i1 %{way}.more, label %{way}, label %{after}
{way}:
{moved(rows, way)}
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

"""The program as one loop of machine code that reads and writes each array once.

:func:`text` writes the loop in LLVM's language around the lines of :mod:`adamcore.backends.kernels.body`, and
:func:`kernel` compiles it.  A kernel takes a table of addresses, so one call steps a whole list of arrays.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from functools import lru_cache

from adamcore.backends.kernels.body import body, inputs_of, outputs_of
from adamcore.backends.kernels.formats import LLVM, SIZES, Format
from adamcore.backends.kernels.kept import key_lines
from adamcore.backends.kernels.llvm import function, native_bfloat16, native_half, native_tables
from adamcore.backends.kernels.ordinary import NONE, ordinary, serves
from adamcore.backends.kernels.quick import LANES
from adamcore.backends.kernels.tail import copies, single_text, tail_text, whole_blocks
from adamcore.tracing import Program

DISTANCES = (512, 2048)  #: bytes that the loop prefetches ahead; :mod:`.table` finds out which is faster here
LINE = 64  #: bytes of a line of the cache
ATTRIBUTES = 'attributes #0 = { nounwind "min-legal-vector-width"="512" "prefer-vector-width"="512" }'

Kernel = Callable[[int, int, int], None]  #: (first element, end, address of the table); see :func:`kernel`


@lru_cache(maxsize=256)
def kernel(
    program: Program, dtypes: Format, in_place: bool, masked: bool = False, ahead: int = DISTANCES[0]
) -> Kernel:
    """Return the machine code of a program for arrays of these dtypes, with a distance of prefetching.

    The kernel steps the elements from ``lo`` to ``hi`` of n arrays, counted as if they lay end to end.  If
    ``in_place``, it writes the results into p, m and v, else into a second set of arrays.  Its third
    argument is the address of six words:

    * n;
    * the address of n + 1 offsets: array j begins at element ``offsets[j]``;
    * the address of the arrays' addresses: those of every p, then of every g, and so on; behind the program's
      inputs those of the rests of p, if there are any; then, if ``masked``, those of the masks, a byte for
      each element, which stays as it is where the byte is 0;
    * the address of the coefficients, a row for each array;
    * the length of a row, or 0 if all arrays share one row;
    * where p is rounded at random, the address of what the random bits are made of: four words of 32 bits for
      each array, those of :class:`adamcore.storage.random_bits.LeafKey` and the clock.
    """
    kind = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
    source = text(program, dtypes, in_place, masked, ahead=ahead)
    made: Callable[[int, int, int], None] = function(kind, source, "step")
    return made


def each_array(words: Mapping[str, str]) -> str:
    """Return the begin of a kernel that goes from array to array, up to where array ``j`` starts and stops.

    ``words`` are the names and types of what its table has behind the number of arrays; the offsets are one.
    """
    read = "\n".join(
        f"""  %{name}.slot = getelementptr i64, ptr %table, i64 {i}
  %{name} = load {kind}, ptr %{name}.slot"""
        for i, (name, kind) in enumerate(words.items(), start=1)
    )
    return f"""  %n = load i64, ptr %table
{read}
  br label %next
next:  ; array j
  %j = phi i64 [ 0, %entry ], [ %j.next, %done ]
  %more = icmp slt i64 %j, %n
  br i1 %more, label %array, label %return
return:
  ret void
array:
  %j.next = add i64 %j, 1
  %start.slot = getelementptr i64, ptr %offsets, i64 %j
  %start = load i64, ptr %start.slot
  %stop.slot = getelementptr i64, ptr %offsets, i64 %j.next
  %stop = load i64, ptr %stop.slot
  %size = sub i64 %stop, %start"""


def text(
    program: Program,
    dtypes: Format,
    in_place: bool,
    masked: bool = False,
    half: bool | None = None,
    bfloat16: bool | None = None,
    wide: bool | None = None,
    ahead: int = DISTANCES[0],
) -> str:
    """Return the kernel of a program in LLVM's language.

    Args:
        program: the operations.
        dtypes: those of the arithmetic and of the arrays.
        in_place, masked: see :func:`kernel`.
        half: True if the processor converts float16; None asks this one.
        bfloat16: True if it rounds to bfloat16; None asks this one.
        wide: True if its registers hold two blocks, as those of AVX-512 do; None asks this one.
    """
    half = native_half() if half is None else half
    quick = dtypes.pairs and dtypes.lanes == LANES and dtypes.work == "float32"
    quick = quick and (native_bfloat16() if bfloat16 is None else bfloat16)
    real, lanes, size = LLVM[dtypes.work], dtypes.lanes, SIZES[dtypes.work]
    inputs, outputs = inputs_of(program, dtypes), outputs_of(program, dtypes)
    arrays = [
        *inputs,
        *(["where"] if masked else []),
        *([] if in_place else map("{}_new".format, outputs)),
    ]
    targets = {name: name if in_place else f"{name}_new" for name in outputs}
    vector = f"<{lanes} x {real}>"

    pointers = "\n".join(
        f"""  %{name}.row = mul i64 %n, {i}
  %{name}.at = add i64 %{name}.row, %j
  %{name}.slot = getelementptr i64, ptr %addresses, i64 %{name}.at
  %{name}.base = load ptr, ptr %{name}.slot"""
        for i, name in enumerate(arrays)
    )
    scalars = "\n".join(
        f"""  %{name}.slot = getelementptr {real}, ptr %row, i64 {i}
  %{name} = load {real}, ptr %{name}.slot
  %{name}.one = insertelement {vector} poison, {real} %{name}, i64 0
  %{name}.all = shufflevector {vector} %{name}.one, {vector} poison, <{lanes} x i32> zeroinitializer"""
        for i, name in enumerate(program.coefficients)
    )
    many_lines = body(program, dtypes, targets, lanes, masked, half, quick=quick)
    many, outside = "\n".join(many_lines), many_lines.outside
    apart = NONE
    if serves(dtypes, masked) and (native_tables() if wide is None else wide):
        apart = ordinary(program, dtypes, targets, half)
    prefetches = "\n".join(
        f"""  %{name}.ahead.{at} = getelementptr i8, ptr %{name}.p{apart.tag}, i64 {ahead + at}
  call void @llvm.prefetch.p0(ptr %{name}.ahead.{at}, i32 {int(name in targets.values())}, i32 3, i32 1)"""
        for name in inputs
        if not name.endswith("_scale")
        for at in range(0, lanes * SIZES[dtypes.of(name)], LINE)
    )
    block = dtypes.block
    if block is None:
        rest = single_text(body(program, dtypes, targets, 1, masked, half))
    else:
        last = body(program, dtypes, targets, lanes, masked, half, True)
        rest, outside = tail_text(program, dtypes, targets, last), outside | last.outside
    return f"""
declare {vector} @llvm.sqrt.v{lanes}f{size * 8}({vector})
declare {real} @llvm.sqrt.f{size * 8}({real})
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
{"" if block is None or size == 4 else f"declare <{lanes} x float> @llvm.sqrt.v{lanes}f32(<{lanes} x float>)"}
{chr(10).join((outside | apart.outside).values())}

define void @step(i64 %lo, i64 %hi, ptr %table) #0 {{
entry:
{"" if block is None else copies(program, dtypes, targets)}
{apart.entry}
{each_array({"offsets": "ptr", "addresses": "ptr", "scalars": "ptr", "stride": "i64"})}
  %a.late = icmp sgt i64 %lo, %start
  %a.global = select i1 %a.late, i64 %lo, i64 %start
  %b.early = icmp slt i64 %hi, %stop
  %b.global = select i1 %b.early, i64 %hi, i64 %stop
  %a.own = sub i64 %a.global, %start
  %b.own = sub i64 %b.global, %start
{whole_blocks(block)}
  %some = icmp slt i64 %a, %b
  br i1 %some, label %load, label %done
load:
  %row.at = mul i64 %j, %stride
  %row = getelementptr {real}, ptr %scalars, i64 %row.at
{pointers}
{scalars}
{key_lines(lanes) if dtypes.draws else ""}
  br label %many.test
many.test:
  %i.m = phi i64 [ %a, %load ], [ %i.m.next, %many.end ]
{apart.before}
  %i.m.next = add i64 %i.m, {lanes}
  %whole = icmp sle i64 %i.m.next, %b
  br i1 %whole, label %many, label %whole.end
many:
{apart.step}
{many}
  br label %many.end
many.end:
{apart.after}
{prefetches}
  br label %many.test
whole.end:
{apart.last}
  br label %single.test
{rest}
done:
  br label %next
}}

{ATTRIBUTES}
!0 = distinct !{{ !0, !1, !2 }}
!1 = !{{ !"llvm.loop.vectorize.enable", i1 false }}
!2 = !{{ !"llvm.loop.unroll.disable" }}
!3 = !{{ !"branch_weights", i32 1, i32 1000 }}
"""

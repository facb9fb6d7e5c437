"""The program as one loop of machine code that reads and writes each array once.

:func:`text` writes the program of :mod:`adamcore.tracing` in LLVM's language, a line for each operation,
and :func:`kernel` compiles it.  No operation is fused or reordered, so the bits are those of the definition
on every machine.

A kernel takes a table of addresses, so one call steps a whole list of arrays.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache

from adamcore.backends.kernels.conversions import load, store
from adamcore.backends.kernels.formats import BITS, LLVM, SIZES, Format, Lines
from adamcore.backends.kernels.llvm import link, native_half
from adamcore.tracing import Program

AHEAD = 2048  #: the loop prefetches so many bytes ahead; the processor's own prefetcher stops at a page's end
LINE = 64  #: bytes of a line of the cache

Kernel = Callable[[int, int, int], None]  #: (first element, end, address of the table); see :func:`kernel`


@lru_cache(maxsize=256)
def kernel(program: Program, dtypes: Format, in_place: bool, masked: bool = False) -> Kernel:
    """Return the machine code of a program for arrays of these dtypes.

    The kernel steps the elements from ``lo`` to ``hi`` of n arrays, counted as if they lay end to end.  If
    ``in_place``, it writes the results into p, m and v, else into a second set of arrays.  Its third
    argument is the address of five words:

    * n;
    * the address of n + 1 offsets: array j begins at element ``offsets[j]``;
    * the address of the arrays' addresses: those of every p, then of every g, and so on; if ``masked``,
      those of every mask behind the program's inputs, a byte for each element, which stays as it is where
      the byte is 0;
    * the address of the coefficients, a row for each array;
    * the length of a row, or 0 if all arrays share one row.
    """
    address, keep = link(text(program, dtypes, in_place, masked), "step")
    made = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)(address)
    made.keep = keep  # type: ignore[attr-defined]
    return made


def text(
    program: Program, dtypes: Format, in_place: bool, masked: bool = False, half: bool | None = None
) -> str:
    """Return the kernel of a program in LLVM's language.

    Args:
        program: the operations.
        dtypes: those of the arithmetic and of the arrays.
        in_place, masked: see :func:`kernel`.
        half: True if the processor converts float16; None asks this one.
    """
    half = native_half() if half is None else half
    real, lanes, size = LLVM[dtypes.work], dtypes.lanes, SIZES[dtypes.work]
    outputs = [name for name, _ in program.outputs]
    arrays = [
        *program.inputs,
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
    many = "\n".join(_body(program, dtypes, targets, lanes, masked, half))
    ahead = "\n".join(
        f"""  %{name}.ahead.{at} = getelementptr i8, ptr %{name}.p.m, i64 {AHEAD + at}
  call void @llvm.prefetch.p0(ptr %{name}.ahead.{at}, i32 {int(name in targets.values())}, i32 3, i32 1)"""
        for name in program.inputs
        for at in range(0, lanes * SIZES[dtypes.of(name)], LINE)
    )
    single = "\n".join(_body(program, dtypes, targets, 1, masked, half))
    return f"""
declare {vector} @llvm.sqrt.v{lanes}f{size * 8}({vector})
declare {real} @llvm.sqrt.f{size * 8}({real})
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)

define void @step(i64 %lo, i64 %hi, ptr %table) #0 {{
entry:
  %n = load i64, ptr %table
  %offsets.slot = getelementptr i64, ptr %table, i64 1
  %offsets = load ptr, ptr %offsets.slot
  %addresses.slot = getelementptr i64, ptr %table, i64 2
  %addresses = load ptr, ptr %addresses.slot
  %scalars.slot = getelementptr i64, ptr %table, i64 3
  %scalars = load ptr, ptr %scalars.slot
  %stride.slot = getelementptr i64, ptr %table, i64 4
  %stride = load i64, ptr %stride.slot
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
  %a.late = icmp sgt i64 %lo, %start
  %a.global = select i1 %a.late, i64 %lo, i64 %start
  %b.early = icmp slt i64 %hi, %stop
  %b.global = select i1 %b.early, i64 %hi, i64 %stop
  %a = sub i64 %a.global, %start
  %b = sub i64 %b.global, %start
  %some = icmp slt i64 %a, %b
  br i1 %some, label %load, label %done
load:
  %row.at = mul i64 %j, %stride
  %row = getelementptr {real}, ptr %scalars, i64 %row.at
{pointers}
{scalars}
  br label %many.test
many.test:
  %i.m = phi i64 [ %a, %load ], [ %i.m.next, %many ]
  %i.m.next = add i64 %i.m, {lanes}
  %whole = icmp sle i64 %i.m.next, %b
  br i1 %whole, label %many, label %single.test
many:
{many}
{ahead}
  br label %many.test
single.test:
  %i.s = phi i64 [ %i.m, %many.test ], [ %i.s.next, %single ]
  %i.s.next = add i64 %i.s, 1
  %rest = icmp slt i64 %i.s, %b
  br i1 %rest, label %single, label %done
single:
{single}
  br label %single.test, !llvm.loop !0
done:
  br label %next
}}

attributes #0 = {{ nounwind "min-legal-vector-width"="512" "prefer-vector-width"="512" }}
!0 = distinct !{{ !0, !1, !2 }}
!1 = !{{ !"llvm.loop.vectorize.enable", i1 false }}
!2 = !{{ !"llvm.loop.unroll.disable" }}
"""


def _body(
    program: Program, dtypes: Format, targets: dict[str, str], lanes: int, masked: bool, half: bool
) -> Lines:
    """Return the operations on a vector of so many elements, or on one element.

    Args:
        program, dtypes, masked, half: see :func:`text`.
        targets: for each output the array that it is written to.
        lanes: the number of elements.
    """
    lines, work = Lines(lanes, lanes > 1 and dtypes.pairs), dtypes.work
    tag, scalar = (".s", "") if lanes == 1 else (".m", ".all")
    kind, suffix = (
        lines.kind(LLVM[work]),
        f"f{8 * SIZES[work]}" if lanes == 1 else f"v{lanes}f{8 * SIZES[work]}",
    )
    names = {name: f"%{name}{scalar}" for name in program.coefficients}

    def place(name: str, element: str) -> str:
        return lines.put(f"%{name}.p{tag}", f"getelementptr {element}, ptr %{name}.base, i64 %i{tag}")

    for name in program.inputs:
        storage = dtypes.of(name)
        at = place(name, BITS[storage])
        x = lines.put(f"%{name}{tag}", f"load {lines.kind(BITS[storage])}, ptr {at}, align {SIZES[storage]}")
        names[name] = load(lines, x, storage, work, half)
    for op in program.ops:
        a, b = (*(names[name] for name in op.args), "")[:2]
        x = names[op.out] = f"%{op.out}{tag}"
        if op.kind == "sqrt":
            lines.put(x, f"call {kind} @llvm.sqrt.{suffix}({kind} {a})")
        elif op.kind == "neg":
            lines.put(x, f"fneg {kind} {a}")
        elif op.kind == "maximum":  # the larger, NaN where either is
            lines.put(f"{x}.ge", f"fcmp oge {kind} {a}, {b}")
            lines.put(f"{x}.nan", f"fcmp uno {kind} {a}, {a}")
            lines.put(f"{x}.first", f"or {lines.kind('i1')} {x}.ge, {x}.nan")
            lines.select(x, f"{x}.first", LLVM[work], a, b)
        elif op.kind == "sign":  # of -0.0 it is 0.0, as in NumPy and PyTorch; of NaN it is NaN
            for name, test in (("up", "ogt"), ("down", "olt")):
                lines.put(f"{x}.{name}", f"fcmp {test} {kind} {a}, zeroinitializer")
            lines.put(f"{x}.zero", f"fadd {kind} {a}, zeroinitializer")
            lines.select(f"{x}.less", f"{x}.down", LLVM[work], lines.constant(-1.0, LLVM[work]), f"{x}.zero")
            lines.select(x, f"{x}.up", LLVM[work], lines.constant(1.0, LLVM[work]), f"{x}.less")
        else:
            lines.put(x, f"f{op.kind} {kind} {a}, {b}")
    if masked:
        byte = lines.kind("i8")
        lines.put("%where.byte" + tag, f"load {byte}, ptr {place('where', 'i8')}, align 1")
        lines.put("%where" + tag, f"icmp ne {byte} %where.byte{tag}, zeroinitializer")
    for name, value in program.outputs:
        storage = dtypes.of(name)
        new = store(lines, names[value], storage, work, half, f"%{name}.new{tag}")
        if masked:  # what was read, since a NaN would not be the same bits when rounded again
            new = lines.select(f"%{name}.kept{tag}", f"%where{tag}", BITS[storage], new, f"%{name}{tag}")
        at = f"%{name}.p{tag}" if targets[name] == name else place(targets[name], BITS[storage])
        lines.append(f"  store {lines.kind(BITS[storage])} {new}, ptr {at}, align {SIZES[storage]}")
    return lines

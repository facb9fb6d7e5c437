"""Norms of many arrays by machine code, which reads each array once.

Squares are formed and added up in float64, so that of a float32, bfloat16 or float16 number none overflows or
is lost.  An array is cut in blocks, each with a sum of its own; so a norm does not depend on the threads.
"""

from __future__ import annotations

import ctypes
import math
from array import array
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, pairwise

from adamcore.backends.kernels.conversions import load
from adamcore.backends.kernels.formats import BITS, SIZES, Lines, Storage
from adamcore.backends.kernels.llvm import available, function, native_half
from adamcore.backends.kernels.loop import ATTRIBUTES, Kernel, each_array
from adamcore.backends.kernels.memory import Memory
from adamcore.backends.kernels.table import Run
from adamcore.types import Array, DType

BLOCK = 1 << 14  #: elements whose squares have one sum
LANES = 16  #: elements of a vector
SAFE = 1e-140, 1e140  #: a norm in between has squares that float64 holds


def norms(memory: Memory, xs: Sequence[Array]) -> list[float | None]:
    """Return the Euclidean norm of each array; NaN and infinities do not count.

    It is None for an array whose memory can't be read, or whose squares float64 may not hold.
    """
    found: list[float | None] = [None] * len(xs)
    if not available():
        return found
    groups: dict[DType, list[int]] = {}
    for i, x in enumerate(xs):
        groups.setdefault(x.dtype, []).append(i)
    for dtype, indices in groups.items():
        storage = memory.storage(dtype)
        if storage is None:
            continue
        if not memory.plain([xs[i] for i in indices]):
            indices = [i for i in indices if memory.unsupported(xs[i]) is None and memory.contiguous(xs[i])]
        if indices:
            mine = [xs[i] for i in indices]
            new = norms_at(storage, memory.addresses(mine), memory.sizes(mine), memory.run_parallel)
            for i, n in zip(indices, new, strict=True):
                found[i] = n
    return found


def block_sums(memory: Memory, x: Array) -> Sequence[float] | None:
    """Return the sum of squares of each block of a vector; None if machine code cannot form it.

    The norm of a vector is the root of the exact sum (``math.fsum``) of those of all its blocks.
    """
    storage = memory.storage(x.dtype) if available() else None
    if storage is None or memory.unsupported(x) is not None or not memory.contiguous(x):
        return None
    return sums_at(storage, memory.addresses([x]), memory.sizes([x]), memory.run_parallel)[0]


def norms_at(
    storage: Storage, addresses: array[int], sizes: Sequence[int], run_parallel: Run
) -> list[float | None]:
    """Return what :func:`norms` does, of contiguous arrays of one dtype and of so many elements."""
    sums, firsts = sums_at(storage, addresses, sizes, run_parallel)
    if firsts[-1] == len(sizes) and 0 not in sizes:
        found = list(map(math.sqrt, sums))
    else:
        found = [math.sqrt(math.fsum(sums[a:b])) for a, b in pairwise(firsts)]
    if storage != "float64":
        return list(found)
    return [n if SAFE[0] < n < SAFE[1] else None for n in found]


def sums_at(
    storage: Storage, addresses: array[int], sizes: Sequence[int], run_parallel: Run
) -> tuple[array[float], array[int]]:
    """Return the sums of squares of all blocks, and the number of each array's first sum."""
    offsets = array("q", accumulate(sizes, initial=0))
    firsts = array("q", accumulate((-(-size // BLOCK) for size in sizes), initial=0))
    sums = array("d", bytes(8 * firsts[-1]))
    vectors = (offsets, addresses, firsts, sums)
    table = array("q", (len(sizes), *(vector.buffer_info()[0] for vector in vectors)))
    run_parallel(kernel(storage), offsets[-1], table.buffer_info()[0])
    return sums, firsts


@lru_cache(maxsize=8)
def kernel(storage: Storage) -> Kernel:
    """Return the machine code that adds up the squares of arrays of this dtype.

    It serves the blocks that begin at elements from ``lo`` to ``hi`` of n arrays, counted as if they lay end
    to end.  Its third argument is the address of five words: n; the address of n + 1 offsets, as for
    :func:`adamcore.backends.kernels.loop.kernel`; that of the arrays' addresses; that of the numbers of each
    array's first sum; and that of the sums.
    """
    kind = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
    made: Kernel = function(kind, text(storage), "squares")
    return made


def element_lines(storage: Storage, lanes: int, half: bool, tag: str) -> str:
    """Return lines that read elements at ``%i`` and form their squares, 0 for what is not finite."""
    lines = Lines(lanes, tag=tag)
    lines.put(f"%p{tag}", f"getelementptr {BITS[storage]}, ptr %base, i64 %i{tag}")
    kind = lines.kind(BITS[storage])
    raw = lines.put(f"%raw{tag}", f"load {kind}, ptr %p{tag}, align {SIZES[storage]}")
    x = load(lines, raw, storage, "float64", half)
    double, suffix = lines.kind("double"), "f64" if lanes == 1 else f"v{lanes}f64"
    lines.put(f"%size{tag}", f"call {double} @llvm.fabs.{suffix}({double} {x})")
    infinity = lines.constant(0.0, "double").replace("0.0", "0x7FF0000000000000")
    flag = lines.put(f"%finite{tag}", f"fcmp olt {double} %size{tag}, {infinity}")
    lines.select(f"%x{tag}", flag, "double", x, lines.constant(0.0, "double"))
    lines.put(f"%square{tag}", f"fmul {double} %x{tag}, %x{tag}")
    lines.put(f"%sum{tag}", f"fadd {double} %before{tag}, %square{tag}")
    return "\n".join(lines)


def text(storage: Storage, half: bool | None = None) -> str:
    """Return the kernel in LLVM's language; ``half`` is True if the processor converts float16."""
    half = native_half() if half is None else half
    vector = f"<{LANES} x double>"
    return f"""
declare {vector} @llvm.fabs.v{LANES}f64({vector})
declare double @llvm.fabs.f64(double)
declare double @llvm.vector.reduce.fadd.v{LANES}f64(double, {vector})

define void @squares(i64 %lo, i64 %hi, ptr %table) #0 {{
entry:
{each_array(dict.fromkeys(("offsets", "addresses", "firsts", "sums"), "ptr"))}
  %from = sub i64 %lo, %start
  %from.late = icmp sgt i64 %from, 0
  %from.here = select i1 %from.late, i64 %from, i64 0
  %from.up = add i64 %from.here, {BLOCK - 1}
  %k.first = udiv i64 %from.up, {BLOCK}
  %to = sub i64 %hi, %start
  %to.early = icmp slt i64 %to, %size
  %end = select i1 %to.early, i64 %to, i64 %size
  %base.slot = getelementptr i64, ptr %addresses, i64 %j
  %base = load ptr, ptr %base.slot
  %first.slot = getelementptr i64, ptr %firsts, i64 %j
  %first = load i64, ptr %first.slot
  br label %block
block:  ; number k, which begins at a
  %k = phi i64 [ %k.first, %array ], [ %k.next, %block.end ]
  %k.next = add i64 %k, 1
  %a = mul i64 %k, {BLOCK}
  %some = icmp slt i64 %a, %end
  br i1 %some, label %limit, label %done
limit:
  %b.whole = add i64 %a, {BLOCK}
  %b.early = icmp slt i64 %b.whole, %size
  %b = select i1 %b.early, i64 %b.whole, i64 %size
  br label %many.test
many.test:
  %i.m = phi i64 [ %a, %limit ], [ %i.next, %many ]
  %before.m = phi {vector} [ zeroinitializer, %limit ], [ %sum.m, %many ]
  %before.n = phi {vector} [ zeroinitializer, %limit ], [ %sum.n, %many ]
  %i.n = add i64 %i.m, {LANES}
  %i.next = add i64 %i.n, {LANES}
  %whole = icmp sle i64 %i.next, %b
  br i1 %whole, label %many, label %rest
many:
{element_lines(storage, LANES, half, ".m")}
{element_lines(storage, LANES, half, ".n")}
  br label %many.test
rest:
  %both = fadd {vector} %before.m, %before.n
  %reduced = call double @llvm.vector.reduce.fadd.v{LANES}f64(double -0.0, {vector} %both)
  br label %single.test
single.test:
  %i.s = phi i64 [ %i.m, %rest ], [ %i.s.next, %single ]
  %before.s = phi double [ %reduced, %rest ], [ %sum.s, %single ]
  %i.s.next = add i64 %i.s, 1
  %left = icmp slt i64 %i.s, %b
  br i1 %left, label %single, label %block.end
single:
{element_lines(storage, 1, half, ".s")}
  br label %single.test
block.end:
  %sum.at = add i64 %first, %k
  %sum.slot = getelementptr double, ptr %sums, i64 %sum.at
  store double %before.s, ptr %sum.slot
  br label %block
done:
  br label %next
}}

{ATTRIBUTES}
"""

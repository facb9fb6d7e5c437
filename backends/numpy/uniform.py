"""Whether many arrays are alike, read from NumPy's own record of each.

An array is a C structure (``PyArrayObject_fields`` in NumPy's C API).  To ask one array for its shape,
dtype and flags takes Python a third of a microsecond; machine code compares them in some nanoseconds.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from adamcore.backends.kernels import llvm
from adamcore.backends.kernels.objects import FEW
from adamcore.step_cache import identities
from adamcore.types import Array

HEAD = object.__basicsize__  #: bytes of Python's own part of an object; the last word of it is the type
DATA, NDIM, SHAPE, DTYPE, FLAGS = (HEAD + k for k in (0, 8, 16, 40, 48))  #: places in the structure
CONTIGUOUS, ALIGNED, WRITEABLE = 0x1, 0x100, 0x400  #: of the flags

#: Compares columns of arrays.  Its arguments are the addresses of the arrays, column after column; the number
#: of columns; that of the arrays in each; the address of (type, dtype, flags); and where the addresses of
#: elements go.
COMPARE = f"""
define i64 @compare(ptr %objects, i64 %width, i64 %count, ptr %wanted, ptr %data) {{
entry:
  %type = load i64, ptr %wanted
  %dtype.slot = getelementptr i64, ptr %wanted, i64 1
  %dtype = load i64, ptr %dtype.slot
  %flags.slot = getelementptr i64, ptr %wanted, i64 2
  %flags = load i32, ptr %flags.slot
  %total = mul i64 %width, %count
  br label %row
row:  ; the arrays at place k of every column
  %k = phi i64 [ 0, %entry ], [ %k.next, %row.end ]
  %k.next = add i64 %k, 1
  %more = icmp slt i64 %k, %count
  br i1 %more, label %row.start, label %alike
row.start:
  %first.slot = getelementptr ptr, ptr %objects, i64 %k
  %first = load ptr, ptr %first.slot
  br label %column
column:
  %at = phi i64 [ %k, %row.start ], [ %at.next, %store ]
  %at.next = add i64 %at, %count
  %inside = icmp slt i64 %at, %total
  br i1 %inside, label %look, label %row.end
look:  ; at the type before anything behind it
  %x.slot = getelementptr ptr, ptr %objects, i64 %at
  %x = load ptr, ptr %x.slot
  %x.type.slot = getelementptr i8, ptr %x, i64 {HEAD - 8}
  %x.type = load i64, ptr %x.type.slot
  %is.array = icmp eq i64 %x.type, %type
  br i1 %is.array, label %fields, label %unlike
fields:
  %x.dtype.slot = getelementptr i8, ptr %x, i64 {DTYPE}
  %x.dtype = load i64, ptr %x.dtype.slot
  %same.dtype = icmp eq i64 %x.dtype, %dtype
  %x.flags.slot = getelementptr i8, ptr %x, i64 {FLAGS}
  %x.flags = load i32, ptr %x.flags.slot
  %set = and i32 %x.flags, %flags
  %has.flags = icmp eq i32 %set, %flags
  %n.slot = getelementptr i8, ptr %first, i64 {NDIM}
  %n = load i32, ptr %n.slot
  %x.n.slot = getelementptr i8, ptr %x, i64 {NDIM}
  %x.n = load i32, ptr %x.n.slot
  %same.n = icmp eq i32 %x.n, %n
  %both = and i1 %same.dtype, %has.flags
  %fits = and i1 %both, %same.n
  br i1 %fits, label %sizes, label %unlike
sizes:
  %shape.slot = getelementptr i8, ptr %first, i64 {SHAPE}
  %shape = load ptr, ptr %shape.slot
  %x.shape.slot = getelementptr i8, ptr %x, i64 {SHAPE}
  %x.shape = load ptr, ptr %x.shape.slot
  br label %size
size:
  %d = phi i32 [ 0, %sizes ], [ %d.next, %size.look ]
  %d.next = add i32 %d, 1
  %d.more = icmp slt i32 %d, %n
  br i1 %d.more, label %size.look, label %store
size.look:
  %size.slot = getelementptr i64, ptr %shape, i32 %d
  %this = load i64, ptr %size.slot
  %x.size.slot = getelementptr i64, ptr %x.shape, i32 %d
  %that = load i64, ptr %x.size.slot
  %same = icmp eq i64 %this, %that
  br i1 %same, label %size, label %unlike
store:
  %x.data.slot = getelementptr i8, ptr %x, i64 {DATA}
  %x.data = load i64, ptr %x.data.slot
  %data.slot = getelementptr i64, ptr %data, i64 %at
  store i64 %x.data, ptr %data.slot
  br label %column
row.end:
  br label %row
alike:
  ret i64 1
unlike:
  ret i64 0
}}
"""


def uniform_addresses(columns: Sequence[Sequence[Array]], writable: bool = False) -> array[int] | None:
    """Return the address of each array's first element, column after column; None if they are not alike.

    They are alike if all are plain arrays of one dtype, contiguous and aligned, and those at the same place
    of every column have one shape.  None is also the answer where it is not known.

    Args:
        columns: sequences of one length.
        writable: True if the arrays have to be writable too.

    Example:
        >>> ones, more = ([np.ones(3) for _ in range(100)] for _ in "ab")
        >>> uniform_addresses([ones, more])[100] == more[0].ctypes.data
        True
        >>> uniform_addresses([ones, more[:-1] + [np.ones(4)]]) is None
        True
    """
    count = len(columns[0])
    run = compare() if count >= FEW and llvm.available() else None
    first = columns[0][0] if run else None
    if run is None or type(first) is not np.ndarray or not first.dtype.isnative:
        return None
    objects = array("q")
    for column in columns:
        objects += identities(column)
    flags = CONTIGUOUS | ALIGNED | (WRITEABLE if writable else 0)
    wanted = array("q", (id(np.ndarray), id(first.dtype), flags))
    found = array("q", bytes(8 * len(objects)))
    at = (vector.buffer_info()[0] for vector in (objects, wanted, found))
    return found if run(next(at), len(columns), count, next(at), next(at)) else None


def same_shape(xs: Sequence[Array], shape: tuple[int, ...]) -> bool:
    """True if these are surely arrays that are alike and of this shape."""
    first = xs[0]
    if type(first) is not np.ndarray or first.shape != shape:
        return False
    return uniform_addresses([[first] * len(xs), xs]) is not None


@cache
def compare() -> Callable[[int, int, int, int, int], int] | None:
    """Return the compiled :data:`COMPARE`, which keeps the interpreter to itself.

    It is None if NumPy's structure is not as it is known here.
    """
    if np.ndarray.__basicsize__ < FLAGS + 4 or not all(map(is_known, probes())):
        return None
    kind = ctypes.PYFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 5)
    run: Callable[[int, int, int, int, int], int] = llvm.function(kind, COMPARE, "compare")
    return run


def probes() -> list[Array]:
    """Return arrays that differ in every field that is read."""
    whole = np.ones((4, 3, 2), np.float32)
    frozen = np.ones((2, 5))
    frozen.flags.writeable = False
    return [whole, whole[1:], whole[:, ::2], whole.T, frozen, np.ones((), np.int32), np.ones((3, 0))]


def is_known(x: Array) -> bool:
    """True if the fields of an array stand where they are read."""
    pointer = ctypes.c_int64.from_address
    if pointer(id(x) + HEAD - 8).value != id(type(x)) or pointer(id(x) + DTYPE).value != id(x.dtype):
        return False
    if ctypes.c_int32.from_address(id(x) + FLAGS).value != x.flags.num:
        return False
    if ctypes.c_int32.from_address(id(x) + NDIM).value != x.ndim:
        return False
    if pointer(id(x) + DATA).value != x.__array_interface__["data"][0]:
        return False
    return (
        not x.ndim or tuple((ctypes.c_int64 * x.ndim).from_address(pointer(id(x) + SHAPE).value)) == x.shape
    )

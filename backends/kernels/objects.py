"""Words read from many places of memory in one call.

To read one word takes Python 30 ns, machine code a nanosecond.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable
from functools import cache

from adamcore.backends.kernels import llvm

FEW = 16  #: places below which machine code does not pay


def each_place(head: str, work: str) -> str:
    """Return a function in LLVM's language that goes over a vector of addresses.

    Args:
        head: its name and its arguments, the first of which are ``ptr %places`` and ``i64 %count``.
        work: what it does with ``%place``, which is number ``%k`` and stands at ``%slot``.
    """
    place = """
  %slot = getelementptr ptr, ptr %places, i64 %k
  %place = load ptr, ptr %slot"""
    return each(f"void {head}", place + work)


def each(head: str, work: str) -> str:
    """Return a function in LLVM's language that does something for each number below ``%count``.

    Args:
        head: what it returns, which is nothing, its name, and its arguments, among them ``i64 %count``.
        work: what it does with ``%k``, in one block.
    """
    return f"""
define {head} {{
entry:
  br label %test
test:
  %k = phi i64 [ 0, %entry ], [ %k.next, %next ]
  %some = icmp slt i64 %k, %count
  br i1 %some, label %next, label %return
next:{work}
  %k.next = add i64 %k, 1
  br label %test
return:
  ret void
}}
"""


#: replaces addresses by the word at a distance from each: (addresses, their number, distance)
GATHER = each_place(
    "@gather(ptr %places, i64 %count, i64 %distance)",
    """
  %field = getelementptr i8, ptr %place, i64 %distance
  %word = load i64, ptr %field
  store i64 %word, ptr %slot
""",
)

#: puts the 32 bits at each address into a vector: (addresses, their number, vector)
READ = each_place(
    "@read(ptr %places, i64 %count, ptr %found)",
    """
  %value = load i32, ptr %place
  %target = getelementptr i32, ptr %found, i64 %k
  store i32 %value, ptr %target
""",
)

#: adds 1 to the 32 bits at each address: (addresses, their number)
TICK = each_place(
    "@tick(ptr %places, i64 %count)",
    """
  %value = load i32, ptr %place
  %ticked = add i32 %value, 1
  store i32 %ticked, ptr %place
""",
)

#: returns 1 if an array shares memory with one at its place in any column, else 0: (addresses, lengths, those
#: of the columns' arrays, their lengths, the number of arrays in a column, the number of columns)
OVERLAP = """
define i64 @overlap(ptr %a, ptr %a.lengths, ptr %b, ptr %b.lengths, i64 %count, i64 %columns) {
entry:
  br label %column
column:
  %c = phi i64 [ 0, %entry ], [ %c.next, %column.end ]
  %c.next = add i64 %c, 1
  %more = icmp slt i64 %c, %columns
  br i1 %more, label %row, label %apart
row:
  %k = phi i64 [ 0, %column ], [ %k.next, %after ]
  %k.next = add i64 %k, 1
  %some = icmp slt i64 %k, %count
  br i1 %some, label %look, label %column.end
look:
  %row.at = mul i64 %c, %count
  %at = add i64 %row.at, %k
  %x.slot = getelementptr i64, ptr %a, i64 %k
  %x = load i64, ptr %x.slot
  %x.length.slot = getelementptr i64, ptr %a.lengths, i64 %k
  %x.length = load i64, ptr %x.length.slot
  %y.slot = getelementptr i64, ptr %b, i64 %at
  %y = load i64, ptr %y.slot
  %y.length.slot = getelementptr i64, ptr %b.lengths, i64 %at
  %y.length = load i64, ptr %y.length.slot
  %from.y = sub i64 %x, %y
  %in.y = icmp slt i64 %from.y, %y.length
  %from.x = sub i64 %y, %x
  %in.x = icmp slt i64 %from.x, %x.length
  %both = and i1 %in.x, %in.y
  br i1 %both, label %shared, label %after
after:
  br label %row
column.end:
  br label %column
apart:
  ret i64 0
shared:
  ret i64 1
}
"""

SOURCES = {
    "gather": (GATHER, None, 3), "read": (READ, None, 3), "tick": (TICK, None, 2),
    "overlap": (OVERLAP, ctypes.c_int64, 6),
}  # fmt: skip
"""Each function's text, the type of its result, and the number of its arguments, which are words."""


@cache
def function(name: str) -> Callable[..., int]:
    """Return a function of :data:`SOURCES`, which keeps the interpreter to itself."""
    source, result, count = SOURCES[name]
    run: Callable[..., int] = llvm.function(
        ctypes.PYFUNCTYPE(result, *[ctypes.c_int64] * count), source, name
    )
    return run


def words(places: array[int], distance: int) -> array[int]:
    """Return the word at a distance from each of these addresses.

    >>> vector = array("q", range(100))
    >>> places = array("q", [vector.buffer_info()[0] + 8 * k for k in range(10)])
    >>> list(words(places, 16)) == list(range(2, 12))
    True
    """
    found = places[:]
    function("gather")(found.buffer_info()[0], len(found), distance)
    return found

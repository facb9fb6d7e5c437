"""The handler of a custom call, in LLVM's language: it reads XLA's call frame and runs a kernel.

The structures are those of versions 0.1 to 0.3 of the interface (``xla/ffi/api/c_api.h``, a part of jaxlib),
which differ only in what the handler never reads.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import jax

from adamcore.backends.kernels.objects import each

VERSIONS = ((0, 1), (0, 2), (0, 3))  #: of the interface, major and minor

# Positions in words of 8 bytes.
EXTENSION, STAGE, ARGUMENTS, RESULTS = 1, 4, 7, 12  #: in a call frame; the last two: count, types, buffers
DATA, RANK, DIMS = 3, 4, 5  #: in a buffer


@cache
def version() -> tuple[int, int] | None:
    """Return the version of this jaxlib's interface; None if it is none of :data:`VERSIONS`."""
    if not hasattr(jax, "ffi"):
        return None
    try:
        text = (Path(jax.ffi.include_dir()) / "xla" / "ffi" / "api" / "c_api.h").read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.findall(r"#define XLA_FFI_API_(?:MAJOR|MINOR) (\d+)", text)
    return next((x for x in VERSIONS if [*map(str, x)] == found), None)


def handler(body: str) -> str:
    """Return ``@handler(frame)``, which tells its version, or does what ``body`` says.

    Args:
        body: lines that end in ``ret ptr null``.  They have ``%given`` and ``%args``, the number of the
            arguments and where their buffers are, and ``%made`` and ``%rets``, the same of the results.
    """
    major, minor = version() or VERSIONS[-1]
    return f"""
declare ptr @malloc(i64)
declare void @free(ptr)

define ptr @handler(ptr %frame) {{
entry:
  %ext.slot = getelementptr i64, ptr %frame, i64 {EXTENSION}
  %ext = load ptr, ptr %ext.slot
  %asked = icmp ne ptr %ext, null
  br i1 %asked, label %metadata, label %stage
metadata:
  %meta.slot = getelementptr i64, ptr %ext, i64 3
  %meta = load ptr, ptr %meta.slot
  %major.slot = getelementptr i32, ptr %meta, i64 6
  %minor.slot = getelementptr i32, ptr %meta, i64 7
  %traits.slot = getelementptr i32, ptr %meta, i64 8
  store i32 {major}, ptr %major.slot
  store i32 {minor}, ptr %minor.slot
  store i32 0, ptr %traits.slot
  ret ptr null
stage:
  %stage.slot = getelementptr i64, ptr %frame, i64 {STAGE}
  %which = load i32, ptr %stage.slot
  %execute = icmp eq i32 %which, 3
  br i1 %execute, label %run, label %return
return:
  ret ptr null
run:
  %given.slot = getelementptr i64, ptr %frame, i64 {ARGUMENTS}
  %given = load i64, ptr %given.slot
  %args.slot = getelementptr i64, ptr %frame, i64 {ARGUMENTS + 2}
  %args = load ptr, ptr %args.slot
  %made.slot = getelementptr i64, ptr %frame, i64 {RESULTS}
  %made = load i64, ptr %made.slot
  %rets.slot = getelementptr i64, ptr %frame, i64 {RESULTS + 2}
  %rets = load ptr, ptr %rets.slot
{body}
}}
{FUNCTIONS}"""


def sizes(then: str) -> str:
    """Return lines that write ``%offsets``, where each parameter begins, and ``%total``, their size.

    Args:
        then: the label of what follows.
    """
    return f"""
  store i64 0, ptr %offsets
  br label %sizes.test
sizes.test:
  %j = phi i64 [ 0, %run ], [ %j.next, %sizes ]
  %total = phi i64 [ 0, %run ], [ %end, %sizes ]
  %more = icmp slt i64 %j, %n
  br i1 %more, label %sizes, label %{then}
sizes:
  %buffer.slot = getelementptr ptr, ptr %args, i64 %j
  %buffer = load ptr, ptr %buffer.slot
  %size = call i64 @size(ptr %buffer)
  %end = add i64 %total, %size
  %j.next = add i64 %j, 1
  %end.slot = getelementptr i64, ptr %offsets, i64 %j.next
  store i64 %end, ptr %end.slot
  br label %sizes.test"""


def rows(at: str) -> str:
    """Return lines that read the table of coefficients, which is argument ``at``.

    They have ``%all.scalars``, where it is, ``%count`` and ``%width``, its shape, and ``%single``, true if it
    has one row.
    """
    return f"""
  %rows.slot = getelementptr ptr, ptr %args, i64 {at}
  %all.scalars = call ptr @data(ptr %rows.slot)
  %rows = load ptr, ptr %rows.slot
  %shape.slot = getelementptr i64, ptr %rows, i64 {DIMS}
  %shape = load ptr, ptr %shape.slot
  %count = load i64, ptr %shape
  %width.slot = getelementptr i64, ptr %shape, i64 1
  %width = load i64, ptr %width.slot
  %single = icmp eq i64 %count, 1"""


def run(keys: str = "") -> str:
    """Return lines that lay out a kernel's table, run the kernel, and return.

    Args:
        keys: lines that write the sixth word of the table.
    """
    return f"""
  %table = alloca i64, i64 6{keys}
  %t1 = getelementptr i64, ptr %table, i64 1
  %t2 = getelementptr i64, ptr %table, i64 2
  %t3 = getelementptr i64, ptr %table, i64 3
  %t4 = getelementptr i64, ptr %table, i64 4
  store i64 %n, ptr %table
  store ptr %offsets, ptr %t1
  store ptr %addresses, ptr %t2
  store ptr %scalars, ptr %t3
  store i64 %stride, ptr %t4
  call void @shared(ptr %frame, i64 %total, ptr %table)
  call void @free(ptr %addresses)
  ret ptr null"""


#: writes where the data of some buffers are
COLLECT = each(
    "internal void @collect(ptr %slots, i64 %count, ptr %into)",
    """
  %slot = getelementptr ptr, ptr %slots, i64 %k
  %data = call ptr @data(ptr %slot)
  %place = getelementptr ptr, ptr %into, i64 %k
  store ptr %data, ptr %place""",
)
FUNCTIONS = f"""
define internal ptr @data(ptr %slot) {{
  %buffer = load ptr, ptr %slot
  %data.slot = getelementptr i64, ptr %buffer, i64 {DATA}
  %data = load ptr, ptr %data.slot
  ret ptr %data
}}
{COLLECT}
define internal i64 @size(ptr %buffer) {{
entry:
  %rank.slot = getelementptr i64, ptr %buffer, i64 {RANK}
  %rank = load i64, ptr %rank.slot
  %dims.slot = getelementptr i64, ptr %buffer, i64 {DIMS}
  %dims = load ptr, ptr %dims.slot
  br label %test
test:
  %k = phi i64 [ 0, %entry ], [ %k.next, %more ]
  %size = phi i64 [ 1, %entry ], [ %size.next, %more ]
  %some = icmp slt i64 %k, %rank
  br i1 %some, label %more, label %return
more:
  %dim.slot = getelementptr i64, ptr %dims, i64 %k
  %dim = load i64, ptr %dim.slot
  %size.next = mul i64 %size, %dim
  %k.next = add i64 %k, 1
  br label %test
return:
  ret i64 %size
}}
"""

"""The machine code of a program as a custom call of XLA on the CPU, through its foreign function interface.

XLA makes three passes over memory where one is enough.  This is the one: the kernel of
:mod:`adamcore.backends.machine` behind a handler in the form that XLA calls, in LLVM's language too.
The structures it reads are those of version 0.3 of that interface (``xla/ffi/api/c_api.h``, which
jaxlib brings along); with any other version :func:`available` says no, and XLA does the work itself.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable
from functools import cache, lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import jax

from adamcore.backends import machine
from adamcore.backends.threads import PARALLEL, processors
from adamcore.program import Program

_numbers = count()  #: a target each
VERSION = ("0", "3")  #: of the interface, major and minor

#: The call frame, in words of 8 bytes: where its parts are.
EXTENSION, API, ARGUMENTS, RESULTS, STAGE = 1, 2, 9, 14, 4


@cache
def available() -> bool:
    """Whether this jaxlib has the interface in the version known here, and llvmlite is there."""
    if not machine.available() or not hasattr(jax, "ffi"):
        return False
    try:
        text = (Path(jax.ffi.include_dir()) / "xla" / "ffi" / "api" / "c_api.h").read_text()
    except OSError:
        return False
    found = tuple(re.findall(r"#define XLA_FFI_API_(?:MAJOR|MINOR) (\d+)", text))
    return found == VERSION


@lru_cache(maxsize=256)
def call(program: Program, dtype: machine.Real) -> Callable[..., Any]:
    """A function of (p, g, m, v, v_max if there, coefficients) that gives the new (p, m, v, v_max).

    The results take the place of the arguments where XLA lets them.  Registered once for a program.
    """
    inputs, outputs = list(program.inputs), [name for name, _ in program.outputs]
    source = machine.text(program, dtype, False) + handler(len(inputs), len(outputs)) + shared(processors())
    address, keep = machine.link(source, "handler")
    name = f"adamcore_{next(_numbers)}_{dtype}"
    function = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(address)
    function.keep = keep  # type: ignore[attr-defined]
    jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(function), platform="cpu")

    def apply(*arrays: Any) -> Any:
        like = jax.ShapeDtypeStruct(arrays[0].shape, arrays[0].dtype)
        aliases = {inputs.index(array): k for k, array in enumerate(outputs)}
        made = jax.ffi.ffi_call(name, [like] * len(outputs), input_output_aliases=aliases)
        return made(*arrays)

    apply.keep = function  # type: ignore[attr-defined]
    return apply


def handler(inputs: int, outputs: int) -> str:
    """``@handler(frame)``: answers what version it is, else lays out a table and calls @step."""
    count = inputs + outputs
    lines = []
    for k in range(count):
        source, at = ("args", k) if k < inputs else ("rets", k - inputs)
        lines.append(
            f"""  %b{k}.slot = getelementptr ptr, ptr %{source}, i64 {at}
  %b{k} = load ptr, ptr %b{k}.slot
  %d{k}.slot = getelementptr i64, ptr %b{k}, i64 3
  %d{k} = load ptr, ptr %d{k}.slot
  %a{k}.slot = getelementptr ptr, ptr %addresses, i64 {k}
  store ptr %d{k}, ptr %a{k}.slot"""
        )
    buffers = "\n".join(lines)
    return f"""
define ptr @handler(ptr %frame) {{
entry:
  %ext.slot = getelementptr i64, ptr %frame, i64 {EXTENSION}
  %ext = load ptr, ptr %ext.slot
  %asked = icmp ne ptr %ext, null
  br i1 %asked, label %metadata, label %stage
metadata:
  %meta.slot = getelementptr i64, ptr %ext, i64 3
  %meta = load ptr, ptr %meta.slot
  %api.slot = getelementptr i64, ptr %frame, i64 {API}
  %major.slot = getelementptr i32, ptr %meta, i64 6
  %minor.slot = getelementptr i32, ptr %meta, i64 7
  %traits.slot = getelementptr i32, ptr %meta, i64 8
  store i32 {VERSION[0]}, ptr %major.slot
  store i32 {VERSION[1]}, ptr %minor.slot
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
  %addresses = alloca i64, i64 {count}
  %offsets = alloca i64, i64 2
  %table = alloca i64, i64 5
  %args.slot = getelementptr i64, ptr %frame, i64 {ARGUMENTS}
  %args = load ptr, ptr %args.slot
  %rets.slot = getelementptr i64, ptr %frame, i64 {RESULTS}
  %rets = load ptr, ptr %rets.slot
{buffers}
  %c.slot = getelementptr ptr, ptr %args, i64 {inputs}
  %c = load ptr, ptr %c.slot
  %scalars.slot = getelementptr i64, ptr %c, i64 3
  %scalars = load ptr, ptr %scalars.slot
  %rank.slot = getelementptr i64, ptr %b0, i64 4
  %rank = load i64, ptr %rank.slot
  %dims.slot = getelementptr i64, ptr %b0, i64 5
  %dims = load ptr, ptr %dims.slot
  br label %size.test
size.test:
  %k = phi i64 [ 0, %run ], [ %k.next, %size.more ]
  %size = phi i64 [ 1, %run ], [ %size.next, %size.more ]
  %more = icmp slt i64 %k, %rank
  br i1 %more, label %size.more, label %go
size.more:
  %dim.slot = getelementptr i64, ptr %dims, i64 %k
  %dim = load i64, ptr %dim.slot
  %size.next = mul i64 %size, %dim
  %k.next = add i64 %k, 1
  br label %size.test
go:
  %end.slot = getelementptr i64, ptr %offsets, i64 1
  store i64 0, ptr %offsets
  store i64 %size, ptr %end.slot
  %t1 = getelementptr i64, ptr %table, i64 1
  %t2 = getelementptr i64, ptr %table, i64 2
  %t3 = getelementptr i64, ptr %table, i64 3
  %t4 = getelementptr i64, ptr %table, i64 4
  store i64 1, ptr %table
  store ptr %offsets, ptr %t1
  store ptr %addresses, ptr %t2
  store ptr %scalars, ptr %t3
  store i64 0, ptr %t4
  call void @shared(i64 %size, ptr %table)
  ret ptr null
}}
"""


def shared(threads: int) -> str:
    """``@shared(size, table)``: calls @step on all elements, in threads where a second one pays.

    XLA calls a handler in one thread.  Each piece begins on a whole vector; where the system gives
    no thread, this one does its piece.
    """
    threads = threads if os.name == "posix" else 1
    begin, end = [], []
    for k in range(1, threads):
        begin.append(
            f"""  %w{k} = getelementptr i64, ptr %work, i64 {3 * k}
  %part{k} = mul i64 %each, {k}
  %w{k}.hi = getelementptr i64, ptr %w{k}, i64 1
  %w{k}.table = getelementptr i64, ptr %w{k}, i64 2
  store i64 %part{k}, ptr %w{k}
  %stop{k} = {f"mul i64 %each, {k + 1}" if k + 1 < threads else "add i64 %size, 0"}
  store i64 %stop{k}, ptr %w{k}.hi
  store ptr %table, ptr %w{k}.table
  %id{k} = getelementptr i64, ptr %ids, i64 {k}
  %code{k} = call i32 @pthread_create(ptr %id{k}, ptr null, ptr @piece, ptr %w{k})
  %made{k} = icmp eq i32 %code{k}, 0
  br i1 %made{k}, label %begun{k}, label %self{k}
self{k}:
  %done{k} = call ptr @piece(ptr %w{k})
  br label %begun{k}
begun{k}:"""
        )
        end.append(
            f"""  br i1 %made{k}, label %join{k}, label %joined{k}
join{k}:
  %thread{k} = load i64, ptr %id{k}
  %left{k} = call i32 @pthread_join(i64 %thread{k}, ptr null)
  br label %joined{k}
joined{k}:"""
        )
    begun, joined = "\n".join(begin), "\n".join(end)
    return f"""
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_join(i64, ptr)

define ptr @piece(ptr %work) {{
  %lo = load i64, ptr %work
  %hi.slot = getelementptr i64, ptr %work, i64 1
  %hi = load i64, ptr %hi.slot
  %table.slot = getelementptr i64, ptr %work, i64 2
  %table = load ptr, ptr %table.slot
  call void @step(i64 %lo, i64 %hi, ptr %table)
  ret ptr null
}}

define void @shared(i64 %size, ptr %table) {{
entry:
  %work = alloca i64, i64 {3 * threads}
  %ids = alloca i64, i64 {threads}
  %many = icmp sge i64 %size, {PARALLEL if threads > 1 else 1 << 62}
  br i1 %many, label %threads, label %alone
alone:
  call void @step(i64 0, i64 %size, ptr %table)
  ret void
threads:
  %share = udiv i64 %size, {threads}
  %each = and i64 %share, -64
{begun}
  call void @step(i64 0, i64 %each, ptr %table)
{joined}
  ret void
}}
"""

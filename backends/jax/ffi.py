"""The machine code of a program as a custom call of XLA on the CPU.

XLA's own program passes over memory three times; a kernel of :mod:`adamcore.backends.kernels.llvm` passes
once.  XLA calls it through its foreign function interface: a handler, written in LLVM's language too,
reads XLA's call frame, lays out the kernel's table and runs the kernel.  One call steps a whole list of
arrays and copies their clocks.

The handler reads the structures of a few versions of the interface
(:mod:`adamcore.backends.jax.ffi_handler`).  With any other :func:`available` is False, and XLA does the work
itself.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import count
from typing import Any, Protocol

import jax

from adamcore.backends.jax import ffi_handler
from adamcore.backends.jax.ffi_handler import RANK
from adamcore.backends.jax.ffi_threads import shared_text
from adamcore.backends.kernels import llvm, loop
from adamcore.backends.kernels.body import inputs_of, outputs_of
from adamcore.backends.kernels.formats import LLVM, SIZES, Format
from adamcore.backends.kernels.support import kept_as
from adamcore.backends.kernels.threads import thread_count
from adamcore.jobs import Job
from adamcore.tracing import Program

_numbers = count()  # a number for the name of each target


class Call(Protocol):
    """A custom call of one kernel: see :func:`custom_call`."""

    def __call__(
        self, arrays: Sequence[Any], scalars: Any, clocks: Any, keys: Any, ticked: int = 0
    ) -> tuple[list[Any], list[Any]]: ...


@cache
def available() -> bool:
    """True if the handler knows this jaxlib's interface and machine code is available.

    The system must be POSIX: the handler calls malloc, free and sched_yield.
    """
    return os.name == "posix" and llvm.available() and ffi_handler.version() is not None


@lru_cache(maxsize=256)
def custom_call(program: Program, dtypes: Format) -> Call:
    """Return a function that steps arrays by a program's machine code, inside a program of XLA.

    Its arguments are

    * the arrays, of any shapes and of these dtypes: every p, then every g, m, v and, where there are some,
      v_max, p_rest and the scales of m, v and v_max;
    * the coefficients in the dtype of the arithmetic: a row for all arrays, or a row for each p;
    * the clocks: a vector of int32; or 0-d, before its tick, the one clock of all arrays, whose remainder by
      the number of rows is the row for all of them;
    * where p is rounded at random, four words of uint32 for each p, of which the random bits are made; else
      anything;
    * if there is one clock, how many arrays of it are made.

    It returns the new arrays (every p, then every m, v and so on) and the clocks as 0-d arrays.  The new
    arrays take the memory of the old ones if XLA allows it.
    """
    inputs, outputs = inputs_of(program, dtypes), outputs_of(program, dtypes)
    drawn = dtypes.draws
    body = arrays_text(len(inputs), len(outputs), drawn, LLVM[dtypes.work])
    target, function = target_of(program, dtypes, body)

    def apply(
        arrays: Sequence[Any], scalars: Any, clocks: Any, keys: Any, ticked: int = 0
    ) -> tuple[list[Any], list[Any]]:
        n = len(arrays) // len(inputs)
        replaced = [inputs.index(name) * n + j for name in outputs for j in range(n)]
        results = [jax.ShapeDtypeStruct(arrays[i].shape, arrays[i].dtype) for i in replaced]
        results += [jax.ShapeDtypeStruct((), clocks.dtype)] * (len(clocks) if clocks.ndim else ticked)
        aliases = {i: k for k, i in enumerate(replaced)}
        others = (scalars, clocks, keys) if drawn else (scalars, clocks)
        made = jax.ffi.ffi_call(target, results, input_output_aliases=aliases)(*arrays, *others)
        return list(made[: len(replaced)]), list(made[len(replaced) :])

    apply.keep = function  # type: ignore[attr-defined]
    return apply


def target_of(program: Program, dtypes: Format, body: str, functions: str = "") -> tuple[str, Any]:
    """Return the name by which XLA knows a handler of a program's machine code, and what keeps it alive.

    Args:
        program, dtypes: of the kernel.
        body: see :func:`adamcore.backends.jax.ffi_handler.handler`.
        functions: those that the body calls besides.
    """
    text = ffi_handler.handler(body) + functions
    source = loop.text(program, dtypes, False) + text + shared_text(thread_count())
    target = f"adamcore_{next(_numbers)}_{dtypes.p}"
    function = llvm.function(ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p), source, "handler")
    jax.ffi.register_ffi_target(target, jax.ffi.pycapsule(function), platform="cpu")
    return target, function


def format_of(job: Job) -> Format | None:
    """Return the dtypes of a job; None if machine code can't compute with them."""
    names: Any = tuple(map(str, (job.formats.work, job.p.dtype, job.g.dtype, job.m.dtype, job.v.dtype)))
    work, *stored = names
    if work not in LLVM or any(SIZES.get(name, 9) > SIZES[work] for name in stored):
        return None
    if job.v_max is not None and job.v_max.dtype != job.v.dtype:
        return None
    return kept_as(Format(*names), job.formats)


def arrays_text(inputs: int, outputs: int, drawn: bool, real: str) -> str:
    """Return what the handler does with arrays that are all arguments: see :func:`custom_call`.

    Args:
        inputs, outputs: the numbers of arrays that the kernel reads and writes for each parameter.
        drawn: True if the last argument has the words of which random bits are made.
        real: LLVM's name of the coefficients' dtype.
    """
    keys = """
  %keys.at = add i64 %arrays, 2
  %keys.slot = getelementptr ptr, ptr %args, i64 %keys.at
  %keys = call ptr @data(ptr %keys.slot)
  %t5 = getelementptr i64, ptr %table, i64 5
  store ptr %keys, ptr %t5"""
    return f"""
  %arrays = sub i64 %given, {3 if drawn else 2}
  %n = udiv i64 %arrays, {inputs}
  %news = mul i64 %n, {outputs}
  %both = add i64 %arrays, %news
  %words = add i64 %both, %given  ; more than n + 1
  %bytes = mul i64 %words, 8
  %addresses = call ptr @malloc(i64 %bytes)
  %offsets = getelementptr i64, ptr %addresses, i64 %both
  %second = getelementptr i64, ptr %addresses, i64 %arrays
  call void @collect(ptr %args, i64 %arrays, ptr %addresses)
  call void @collect(ptr %rets, i64 %news, ptr %second)
  %last = add i64 %arrays, 1
  %now.data = getelementptr ptr, ptr %args, i64 %last
  %now = call ptr @data(ptr %now.data)
  %now.buffer = load ptr, ptr %now.data
  %now.rank.slot = getelementptr i64, ptr %now.buffer, i64 {RANK}
  %now.rank = load i64, ptr %now.rank.slot
  %common = icmp eq i64 %now.rank, 0  ; one clock for all
  %tick = zext i1 %common to i32{ffi_handler.sizes("clocks.test")}
clocks.test:
  %k = phi i64 [ %news, %sizes.test ], [ %k.next, %clocks ]
  %ticking = icmp slt i64 %k, %made
  br i1 %ticking, label %clocks, label %go
clocks:
  %own.at = sub i64 %k, %news
  %at = select i1 %common, i64 0, i64 %own.at
  %now.slot = getelementptr i32, ptr %now, i64 %at
  %t.before = load i32, ptr %now.slot
  %t = add i32 %t.before, %tick
  %clock.slot = getelementptr ptr, ptr %rets, i64 %k
  %clock = call ptr @data(ptr %clock.slot)
  store i32 %t, ptr %clock
  %k.next = add i64 %k, 1
  br label %clocks.test
go:{ffi_handler.rows("%arrays")}
  %one = or i1 %single, %common
  %stride = select i1 %one, i64 0, i64 %width
  br i1 %common, label %choose, label %lay
choose:
  %common.narrow = load i32, ptr %now
  %common.t = zext i32 %common.narrow to i64
  %chosen = urem i64 %common.t, %count
  br label %lay
lay:
  %first = phi i64 [ 0, %go ], [ %chosen, %choose ]
  %first.at = mul i64 %first, %width
  %scalars = getelementptr {real}, ptr %all.scalars, i64 %first.at{ffi_handler.run(keys if drawn else "")}"""

"""The machine code of a program as a custom call of XLA whose moments are packed.

Parameters and gradients are arrays of their own.  m, v and v_max of all of them are one vector each, in which
the call reads and writes at given places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import jax
import numpy as np

from adamcore.backends.jax import ffi, ffi_handler
from adamcore.backends.jax.packed.tree import Layout
from adamcore.backends.kernels.body import inputs_of, outputs_of
from adamcore.backends.kernels.formats import LLVM, SIZES, Format
from adamcore.backends.kernels.objects import each
from adamcore.tracing import Program

CHUNK = 64  #: parameters of one call: of more XLA compiles longer
#: from all p, all g, the vectors by name, rows of coefficients and places: the new p, and the new vectors
Call = Callable[
    [Sequence[Any], Sequence[Any], dict[str, Any], Any, Sequence[int]], tuple[list[Any], dict[str, Any]]
]

#: writes where the parts of a vector begin
SPREAD = each(
    "internal void @spread(ptr %vector, ptr %places, i64 %count, i64 %width, ptr %into)",
    """
  %place.slot = getelementptr i32, ptr %places, i64 %k
  %narrow = load i32, ptr %place.slot
  %place = zext i32 %narrow to i64
  %byte = mul i64 %place, %width
  %at = getelementptr i8, ptr %vector, i64 %byte
  %slot = getelementptr i64, ptr %into, i64 %k
  store ptr %at, ptr %slot""",
)


@lru_cache(maxsize=256)
def packed_call(program: Program, dtypes: Format) -> Call:
    """Return a function that steps arrays by a program's machine code, inside a program of XLA.

    Its arguments are

    * every p and every g, of any shapes;
    * the vectors by name, ``"m"``, ``"v"`` and, where there is one, ``"v_max"``;
    * the coefficients in the dtype of the arithmetic: a row for all arrays, or a row for each p;
    * for each p the element of every vector with which its part begins.

    It returns the new p and the new vectors, which take the memory of the old ones if XLA allows it.
    """
    inputs, outputs = inputs_of(program, dtypes), outputs_of(program, dtypes)
    read, written = inputs[2:], outputs[1:]
    widths = [SIZES[dtypes.of(name)] for name in inputs]
    body = packed_text(widths, [inputs.index(name) for name in outputs], LLVM[dtypes.work])
    target, function = ffi.target_of(program, dtypes, body, SPREAD)

    def apply(
        ps: Sequence[Any], gs: Sequence[Any], vectors: dict[str, Any], rows: Any, places: Sequence[int]
    ) -> tuple[list[Any], dict[str, Any]]:
        n, given = len(ps), [vectors[name] for name in read]
        news = [*ps, *(vectors[name] for name in written)]
        results = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in news]
        aliases = {j: j for j in range(n)}
        aliases |= {2 * n + read.index(name): n + k for k, name in enumerate(written)}
        call = jax.ffi.ffi_call(target, results, input_output_aliases=aliases)
        made = call(*ps, *gs, *given, rows, np.array(places, np.int32))
        return list(made[:n]), vectors | dict(zip(written, made[n:], strict=True))

    apply.keep = function  # type: ignore[attr-defined]
    return apply


def packed_text(widths: Sequence[int], written: Sequence[int], real: str) -> str:
    """Return what the handler does: see :func:`packed_call`.

    Args:
        widths: the bytes of an element of each input of the kernel.
        written: for each of its outputs the number of the input that it replaces; p is the first of either.
        real: LLVM's name of the coefficients' dtype.
    """
    vectors = len(widths) - 2
    lines = [spread(f"args.{k}", "%args", "%twice", k, widths[k + 2], k + 2) for k in range(vectors)]
    for k, i in enumerate(written[1:]):
        lines.append(spread(f"rets.{k}", "%rets", "%n", k, widths[i], len(widths) + 1 + k))
    return f"""
  %pairs = sub i64 %given, {vectors + 2}
  %n = udiv i64 %pairs, 2
  %twice = mul i64 %n, 2
  %rows.at = add i64 %twice, {vectors}
  %places.at = add i64 %rows.at, 1
  %places.slot = getelementptr ptr, ptr %args, i64 %places.at
  %places = call ptr @data(ptr %places.slot)
  %both = mul i64 %n, {len(widths) + len(written)}
  %most = add i64 %both, %n
  %words = add i64 %most, 1
  %bytes = mul i64 %words, 8
  %addresses = call ptr @malloc(i64 %bytes)
  %offsets = getelementptr i64, ptr %addresses, i64 %both
  %news.at = mul i64 %n, {len(widths)}
  %news = getelementptr i64, ptr %addresses, i64 %news.at
  call void @collect(ptr %args, i64 %twice, ptr %addresses)
  call void @collect(ptr %rets, i64 %n, ptr %news){"".join(lines)}{ffi_handler.sizes("go")}
go:{ffi_handler.rows("%rows.at")}
  %scalars = getelementptr {real}, ptr %all.scalars, i64 0
  %stride = select i1 %single, i64 0, i64 %width{ffi_handler.run()}"""


def spread(tag: str, buffers: str, first: str, k: int, width: int, column: int) -> str:
    """Return lines that write where each parameter's part of a vector lies.

    Args:
        tag: of their names.
        buffers, first, k: the vector is the k-th behind the first one of these buffers.
        width: the bytes of an element.
        column: the column of the addresses that they write.
    """
    return f"""
  %{tag}.at = add i64 {first}, {k}
  %{tag}.slot = getelementptr ptr, ptr {buffers}, i64 %{tag}.at
  %{tag}.data = call ptr @data(ptr %{tag}.slot)
  %{tag}.column = mul i64 %n, {column}
  %{tag}.into = getelementptr i64, ptr %addresses, i64 %{tag}.column
  call void @spread(ptr %{tag}.data, ptr %places, i64 %n, i64 {width}, ptr %{tag}.into)"""


def in_chunks(
    call: Call,
    indices: Sequence[int],
    layout: Layout,
    ps: Sequence[Any],
    gs: Sequence[Any],
    vectors: dict[str, Any],
    rows: Any,
) -> tuple[list[Any], dict[str, Any]]:
    """Return what ``call`` does, some parameters at a time: XLA compiles a call of all of them for long.

    Args:
        call: see :func:`packed_call`.
        indices: the places of the parameters in the tree.
        layout: where the moments of the tree lie.
        ps, gs, vectors, rows: what ``call`` takes.
    """
    new: list[Any] = []
    for k in range(0, len(ps), CHUNK):
        places = [layout.starts[i] for i in indices[k : k + CHUNK]]
        table = rows if len(rows) == 1 else rows[k : k + CHUNK]
        made, vectors = call(ps[k : k + CHUNK], gs[k : k + CHUNK], vectors, table, places)
        new += made
    return new, vectors

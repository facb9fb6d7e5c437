"""A function of storage carried out by machine code, apart from a kernel."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from adamcore.backends.kernels import llvm
from adamcore.backends.kernels.formats import Lines
from adamcore.backends.kernels.words import Value, ValueWords


def applied(function: Callable[[Any, Any], Any], x: Any, lanes: int) -> Any:
    """Return the words of ``function(n, words of x)``, by machine code on so many elements at a time."""
    lines = Lines(lanes)
    value = Value(lines, "%x", "i32")
    made = function(ValueWords(value), value)
    if made.kind == "i1":
        made = made.put("i32", f"zext {made.typed(made)} to {lines.kind('i32')}")
    if made.kind == "float":
        made = made.cast("bitcast", "i32")
    kind = lines.kind("i32")
    body, outside = "\n".join(lines), "\n".join(lines.outside.values())
    source = f"""
{outside}
define void @run(ptr %from, ptr %to) {{
  %x = load {kind}, ptr %from, align 4
{body}
  store {kind} {made.name}, ptr %to, align 4
  ret void
}}
"""
    at, keep = llvm.link(source, "run")
    run = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(at)
    given = x.view(np.uint32).copy()
    new = np.zeros_like(given)
    for k in range(0, len(given) - lanes + 1, lanes):
        run(given.ctypes.data + 4 * k, new.ctypes.data + 4 * k)
    del keep
    return new[: len(given) // lanes * lanes]

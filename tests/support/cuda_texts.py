"""The kernels of every dialect, for the tests of their text."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from adamcore import Adam
from adamcore.backends.kernels.cuda.coefficients import ClockKernel
from adamcore.backends.kernels.formats import Format, uniform
from adamcore.dialects import DIALECTS, like

FLOAT, DOUBLE = uniform("float32"), uniform("float64")
HALVES = [
    Format("float32", "bfloat16", "bfloat16", "bfloat16", "bfloat16"),
    Format("float32", "float16", "float16", "float32", "float32"),
    Format("float32", "float32", "float32", "bfloat16", "float16"),
]


def dialects() -> list[Adam]:
    """The Adams of the table, with decay and without."""
    found = [like(name, lr=0.1, weight_decay=0.1) for name in DIALECTS]
    return found + [replace(adam, weight_decay=0.0) for adam in found]


@cache
def tickings() -> dict[str, ClockKernel]:
    """One for each different program that the dialects have."""
    return {str(ticking.program): ticking for ticking in map(ClockKernel, dialects())}

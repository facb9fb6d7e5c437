"""The coefficients in CUDA's language: a kernel that ticks clocks where they stand, on the device.

:func:`adamcore.definition.coefficients` is traced (:mod:`adamcore.tracing`) and printed as CUDA.  Each
thread of the kernel serves one clock, in float64: it ticks the clock, forms the coefficients of that
update, and rounds them once into the row that the kernel of :mod:`.cuda` reads.  The host waits neither
for the clock nor for a learning rate in a tensor.

Hyperparameters are arguments of the kernel, so that a new value needs no compilation.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from adamcore.backends.kernels.cuda.kernel import THREADS, C, row
from adamcore.backends.kernels.formats import Real
from adamcore.coefficients import MAX_CLOCK
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients, Number, coefficients
from adamcore.tracing import FORMS, Expression, RecordedHost, Trace, program, statements

CUDA_FORMS = FORMS | {"successor": "fmin({} + 1.0, {})"}


class DeviceNumbers(RecordedHost):
    """The recorded arithmetic; the clock is a double, which holds every count exactly."""

    def keep(self, kept: Number, weight: Number) -> Any:
        """Return None for a weight that only the device knows: both factors come from the weight."""
        return None if isinstance(weight, Expression) else super().keep(kept, weight)


class ClockKernel:
    """The statements that tick one Adam's clocks on the device, and the program that goes with them.

    >>> from adamcore import Adam
    >>> print(ClockKernel(Adam()).body.splitlines()[18])
      const double x18 = lr / x7;
    """

    def __init__(self, adam: AdamConfig) -> None:
        self.numbers: list[float] = []  #: the kernel's argument `k`
        self.momentum = adam.nesterov == "dozat"
        trace = Trace()
        t, lr = trace.input("t"), trace.input("lr")
        product = trace.input("product") if self.momentum else None
        self.coefficients: Coefficients = coefficients(DeviceNumbers(), adam, t, lr, product)
        self.program = program(adam, self.coefficients)
        lines = [
            f"const double {name} = {text};" for name, text in statements(trace, CUDA_FORMS, self.argument)
        ]
        for name in self.program.coefficients:
            value = self.argument(getattr(self.coefficients, name))
            lines.append(f"rows[i].{name} = (real){value};")
        self.body = "\n".join(f"  {line}" for line in lines)
        self.after = self.argument(self.coefficients.mu_product) if self.momentum else ""

    def argument(self, x: Any) -> str:
        """Return an expression's name; a number becomes the next element of the argument `k`.

        Equal numbers get an element each, so that the text depends on the rules alone.
        """
        if isinstance(x, Expression):
            return x.name
        self.numbers.append(float(x))
        return f"k.x[{len(self.numbers) - 1}]"

    def text(self, work: Real, words: int) -> str:
        """Return the text of the kernel ``tick``, for launches whose table has so many words."""
        return text(row(self.program, work), C[work], self.body, self.after, len(self.numbers), words)


@lru_cache(maxsize=64)
def clock_kernel(adam: AdamConfig) -> ClockKernel:
    """Return the clock kernel of an Adam; equal Adams share one."""
    return ClockKernel(adam)


@lru_cache(maxsize=256)
def text(row: str, real: str, body: str, after: str, numbers: int, words: int) -> str:
    """Return the kernel ``tick`` around statements; ``after`` is the new product of Dozat's schedule.

    Its argument ``skip`` is null, or points to a number on the device; no clock ticks unless that is 0.
    """
    before = "  double *at = (double *)table.words[n + i];\n  const double product = *at;\n" if after else ""
    stored = f"\n  *at = {after};" if after else ""
    return f"""
typedef {real} real;
{row}
struct Table {{ long long words[{words}]; }};
struct Numbers {{ double x[{numbers}]; }};
extern "C" __global__ void tick(const __grid_constant__ Table table, const int n, Row *rows,
                                const __grid_constant__ Numbers k, const double given,
                                const void *lr_at, const int lr_bytes, const float *skip) {{
  const int i = blockIdx.x * {THREADS} + threadIdx.x;
  if (i >= n || (skip && *skip != 0.0f)) return;
  int *clock = (int *)table.words[i];
  const int after = *clock < {MAX_CLOCK} ? *clock + 1 : *clock;
  *clock = after;
  const double t = after;
  const double lr = lr_bytes == 0 ? given : lr_bytes == 4 ? *(const float *)lr_at : *(const double *)lr_at;
{before}{body}{stored}
}}
"""

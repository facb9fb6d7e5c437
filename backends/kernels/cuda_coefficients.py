"""The coefficients in CUDA's language: a kernel that ticks clocks where they stand, on the device.

:func:`adamcore.definition.coefficients` is run once with numbers that write down what is done to them,
and the text becomes one thread's work for each clock, in float64: tick, form the coefficients of that
update, round them once into the row that the kernel of :mod:`.cuda` reads.  Neither the
clock nor a learning rate in a tensor is ever waited for.

Hyperparameters are arguments, so that a new one compiles nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from adamcore.backends.kernels.cuda import THREADS, C, row
from adamcore.backends.kernels.llvm import Real
from adamcore.coefficients import MAX_CLOCK, Host
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients, Number, coefficients
from adamcore.tracing import program


class Tape:
    """What was done, and with which numbers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.numbers: list[float] = []

    def name(self, x: Any) -> str:
        """How a term, or a number that is known already, is written."""
        if isinstance(x, Term):
            return x.text
        self.numbers.append(float(x))  # not looked for among those that are there: the text is of rules alone
        return f"k.x[{len(self.numbers) - 1}]"

    def then(self, form: str, *args: Any) -> Term:
        """A new name for what comes of these."""
        name = f"x{len(self.lines)}"
        self.lines.append(f"const double {name} = {form.format(*map(self.name, args))};")
        return Term(self, name)


class Term:
    """A number that only the device knows."""

    __slots__ = ("tape", "text")

    def __init__(self, tape: Tape, text: str) -> None:
        self.tape, self.text = tape, text

    def __neg__(self) -> Term:
        return self.tape.then("-{}", self)

    def __add__(self, other: Any) -> Term:
        return self.tape.then("{} + {}", self, other)

    def __radd__(self, other: Any) -> Term:
        return self.tape.then("{} + {}", other, self)

    def __sub__(self, other: Any) -> Term:
        return self.tape.then("{} - {}", self, other)

    def __rsub__(self, other: Any) -> Term:
        return self.tape.then("{} - {}", other, self)

    def __mul__(self, other: Any) -> Term:
        return self.tape.then("{} * {}", self, other)

    def __rmul__(self, other: Any) -> Term:
        return self.tape.then("{} * {}", other, self)

    def __truediv__(self, other: Any) -> Term:
        return self.tape.then("{} / {}", self, other)

    def __rtruediv__(self, other: Any) -> Term:
        return self.tape.then("{} / {}", other, self)


class Device(Host):
    """The host's arithmetic, written down; the clock is a double, which holds every count exactly."""

    def expm1(self, x: Any) -> Any:
        return x.tape.then("expm1({})", x) if isinstance(x, Term) else super().expm1(x)

    def sqrt(self, x: Any) -> Any:
        return x.tape.then("sqrt({})", x) if isinstance(x, Term) else super().sqrt(x)

    def power(self, base: float, k: Any, rate: float) -> Any:
        return k.tape.then("pow({}, {} * {})", base, k, rate)

    def successor(self, t: Any) -> Any:
        return t.tape.then("fmin({} + 1.0, {})", t, MAX_CLOCK)

    def complement_power(self, b: float, t: Any) -> Any:
        return 1.0 if b == 0 else super().complement_power(b, t)

    def keep(self, kept: Number, weight: Number) -> Any:  # where only the device knows: from one weight
        return None if isinstance(weight, Term) else super().keep(kept, weight)


class Ticking:
    """What the device does at every tick of one Adam's clocks, and the program that goes with it.

    >>> from adamcore import Adam
    >>> ticking = Ticking(Adam())
    >>> print(ticking.tape.lines[-1], ticking.coefficients.over_root.text)
    const double x18 = lr / x7; x17
    """

    def __init__(self, adam: AdamConfig) -> None:
        self.tape = Tape()
        t, lr = Term(self.tape, "t"), Term(self.tape, "lr")
        self.momentum = adam.nesterov == "dozat"
        product = Term(self.tape, "product") if self.momentum else None
        self.coefficients: Coefficients = coefficients(Device(), adam, t, lr, product)
        self.program = program(adam, self.coefficients)
        used = [(name, getattr(self.coefficients, name)) for name in self.program.coefficients]
        fields = [f"rows[i].{name} = (real){self.tape.name(value)};" for name, value in used]
        self.body = "\n".join(f"  {line}" for line in [*self.tape.lines, *fields])
        self.after = self.tape.name(self.coefficients.mu_product) if self.momentum else ""
        self.numbers = self.tape.numbers

    def text(self, work: Real, words: int) -> str:
        """The kernel ``tick``, for launches whose table has so many words."""
        return text(row(self.program, work), C[work], self.body, self.after, len(self.numbers), words)


@lru_cache(maxsize=64)
def ticking(adam: AdamConfig) -> Ticking:
    """What the device does at a tick of this Adam's clocks, worked out once."""
    return Ticking(adam)


@lru_cache(maxsize=256)
def text(row: str, real: str, body: str, after: str, numbers: int, words: int) -> str:
    """The kernel around the coefficients; ``after`` is the new product of Dozat's schedule, if any."""
    before = "  double *at = (double *)table.words[n + i];\n  const double product = *at;\n" if after else ""
    stored = f"\n  *at = {after};" if after else ""
    return f"""
typedef {real} real;
{row}
struct Table {{ long long words[{words}]; }};
struct Numbers {{ double x[{numbers}]; }};
extern "C" __global__ void tick(const __grid_constant__ Table table, const int n, Row *rows,
                                const __grid_constant__ Numbers k, const double given,
                                const void *lr_at, const int lr_bytes) {{
  const int i = blockIdx.x * {THREADS} + threadIdx.x;
  if (i >= n) return;
  int *clock = (int *)table.words[i];
  const int after = *clock < {MAX_CLOCK} ? *clock + 1 : *clock;
  *clock = after;
  const double t = after;
  const double lr = lr_bytes == 0 ? given : lr_bytes == 4 ? *(const float *)lr_at : *(const double *)lr_at;
{before}{body}{stored}
}}
"""

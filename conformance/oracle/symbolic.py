"""The equations of docs/equations.md, printed from the definition so that they cannot drift from it.

The definition runs on expressions of :mod:`adamcore.tracing`.  What it returns for m_t, v_t, ... is
written under that name wherever it occurs later.  Five rewrites make the equations readable:
``a + -b`` is a - b, ``a*x*x`` is a x^2, ``a*(1/x)`` is a/x, a sum of fractions over one denominator
is one fraction, and the product of signs that is 1 where ``x*y >= 0`` is an Iverson bracket.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from adamcore.adam import Adam
from adamcore.definition import Coefficients, coefficients, update
from adamcore.tracing import Expression, Namespace

SUM, PRODUCT, ATOM = range(3)  #: how tightly an expression holds together
LEVEL = {"add": SUM, "sub": SUM, "neg": SUM, "mul": PRODUCT}  #: all others are atoms


def leaf(text: str) -> Expression:
    """Return an expression that stands for itself; ``text`` is its LaTeX."""
    return Expression("input", (text,))


def simplified(x: Any) -> Expression:
    r"""Return ``x`` as it is printed: numbers as leaves, and the rewrites of the module's head made.

    >>> x, y = leaf("x"), leaf("y")
    >>> latex(simplified(2.0 * x * x + -Namespace.sqrt(x - y)))
    '2 x^{2} - \\sqrt{x - y}'
    """
    if not isinstance(x, Expression):
        return leaf(f"{x:g}")
    if x.op == "input":
        return x
    args = [simplified(arg) for arg in x.args]
    match x.op:
        case "add":
            return added(*args)
        case "mul":
            return multiplied(*args)
        case _:
            return Expression(x.op, tuple(args))


def added(a: Expression, b: Expression) -> Expression:
    """Return ``a + b``: fractions over one denominator as one, and no plus before a minus."""
    if a.op == b.op == "div" and a.args[1] == b.args[1]:
        return Expression("div", (added(a.args[0], b.args[0]), a.args[1]))
    if b.op == "neg":
        return Expression("sub", (a, b.args[0]))
    return Expression("add", (a, b))


def multiplied(a: Expression, b: Expression) -> Expression:
    """Return ``a * b``: ``a*x*x`` with a square, ``a*(1/x)`` as a fraction."""
    if a.op == "mul" and a.args[1] == b:
        return Expression("mul", (a.args[0], Expression("pow", (b, TWO))))
    if a.op == b.op == "sign" and b.args[0].op == "add" and b.args[0].args[0] == a:
        return Expression("not negative", (b.args[0].args[1].args[0], a.args[0]))
    if b.op == "div" and b.args[0] == ONE:
        return Expression("div", (a, b.args[1]))
    return Expression("mul", (a, b))


ONE, TWO = simplified(1.0), simplified(2.0)


def latex(x: Expression, named: Mapping[Expression, str] = MappingProxyType({})) -> str:
    """Return the LaTeX of a simplified expression; those in ``named`` are written as their names."""

    def write(part: Expression, at_least: int) -> str:
        text = named.get(part) or latex(part, named)
        loose = part not in named and LEVEL.get(part.op, ATOM) < at_least
        return rf"\left({text}\right)" if loose else text

    match x.op, x.args:
        case "input", (text,):
            return str(text)
        case "add", (a, b):
            return f"{write(a, SUM)} + {write(b, SUM)}"
        case "sub", (a, b):
            return f"{write(a, SUM)} - {write(b, PRODUCT)}"
        case "neg", (a,):
            return f"-{write(a, PRODUCT)}"
        case "mul", (a, b):
            left, right = write(a, PRODUCT), write(b, PRODUCT)
            return f"{left} \\cdot {right}" if right[0].isdigit() else f"{left} {right}"
        case "div", (a, b) if b.op == "sqrt":  # it stands inside a fraction: one bar is enough
            return f"{write(a, PRODUCT)} / {write(b, ATOM)}"
        case "div", (a, b):
            return rf"\frac{{{write(a, SUM)}}}{{{write(b, SUM)}}}"
        case "pow", (a, b):
            base = write(a, ATOM)
            base = base if "^" not in base else f"({base})"
            return f"{base}^{{{write(b, SUM)}}}"
        case "not negative", (a, b):
            return rf"\left[{write(a, PRODUCT)} {write(b, PRODUCT)} \geq 0\right]"
        case "sqrt", (a,):
            return rf"\sqrt{{{write(a, SUM)}}}"
        case _:
            return rf"\max({', '.join(write(a, SUM) for a in x.args)})"


#: A hyperparameter is known by its value, so every one has a value of its own.
VALUES = {
    "b1": 0.1,
    "b2": 0.2,
    "eps": 0.3,
    "weight_decay": 0.4,
    "eps_root": 0.5,
    "momentum_decay": 0.6,
    "lr_max": 0.7,
}
LETTERS = {
    0.1: r"\beta_1", 0.2: r"\beta_2", 0.3: r"\epsilon", 0.4: r"\lambda", 0.5: r"\epsilon_r", 0.6: r"\psi",
    0.7: r"\alpha_\mathrm{max}",
}  # fmt: skip
CLOCK, LR = leaf("t"), leaf(r"\alpha")


class Symbols:
    """The :class:`~adamcore.definition.Numbers` of the equations."""

    def number(self, value: float) -> Expression:
        return leaf(LETTERS.get(value) or f"{value:g}")

    def sqrt(self, x: Expression) -> Expression:
        return Namespace.sqrt(x)

    def power(self, base: float, k: Expression, rate: float) -> Expression:
        return Expression("pow", (self.number(base), k * self.number(rate)))

    def successor(self, t: Expression) -> Expression:
        return t + 1.0

    def complement(self, b: float) -> Expression:
        return 1.0 - self.number(b)

    def complement_power(self, b: float, t: Expression) -> Expression:
        return 1.0 - Expression("pow", (self.number(b), t))

    def keep(self, kept: Expression | float, weight: Expression) -> Expression:
        """Return the factor itself: an average is printed in the form of the textbooks."""
        return kept if isinstance(kept, Expression) else self.number(kept)


def equations(**axes: Any) -> dict[str, str]:
    r"""Return the equations of one step: left side -> right side in LaTeX, in the order of computation.

    ``axes`` also names the hyperparameters that are not 0: ``weight_decay=True``.

    >>> equations()["m_t"]
    '\\beta_1 m_{t-1} + \\left(1 - \\beta_1\\right) g_t'
    """
    chosen = {
        name: VALUES[name] if value is True and name in VALUES else value for name, value in axes.items()
    }
    adam = Adam(**{"b1": VALUES["b1"], "b2": VALUES["b2"], "eps": VALUES["eps"]} | chosen)
    numbers = Symbols()
    c = coefficients(numbers, adam, CLOCK, LR, leaf(r"\Pi_{t-1}"))
    sides = ["^x", "^y"] if adam.complex == "modulus" else [""]  # real and imaginary part
    parts = [(leaf(f"p{s}_{{t-1}}"), leaf(f"g{s}_t"), leaf(f"m{s}_{{t-1}}")) for s in sides]
    moved, v, v_max = update(Namespace, adam, c, parts, leaf("v_{t-1}"), leaf(r"v^\mathrm{max}_{t-1}"))

    v = simplified(v)
    squared = [x.args[0] for x in walk(v) if x.op == "pow" and x.args[1] == TWO]

    found: list[tuple[str, Expression]] = []
    if adam.nesterov == "dozat":
        found += momentum_schedule(numbers, adam, c)
    gradients = [x for x in squared if x.op != "input"]  # those that differ from g
    found += [(rf"\tilde g{s}_t", g) for s, g in zip(sides, gradients, strict=False)]
    found += [(f"m{s}_t", simplified(m)) for s, (_, m) in zip(sides, moved, strict=True)]
    found += [("v_t", v)]
    if v_max is not None and adam.amsgrad != "none":
        found += [(r"v^\mathrm{max}_t", simplified(v_max))]
    after = [simplified(p) for p, _ in moved]
    steps = [next((x.args[0] for x in walk(p) if x.op == "not negative"), None) for p in after]
    found += [(rf"\delta{s}_t", step) for s, step in zip(sides, steps, strict=True) if step is not None]
    found += [(f"p{s}_t", p) for s, p in zip(sides, after, strict=True)]

    named: dict[Expression, str] = {}
    lines: dict[str, str] = {}
    for name, expression in found:
        lines[name] = latex(expression, named)
        named[expression] = name
    return lines


def momentum_schedule(numbers: Symbols, adam: Adam, c: Coefficients) -> Iterable[tuple[str, Expression]]:
    """Yield the schedule at t and at t+1, each the last factor of its product, and the product at t."""
    later = coefficients(numbers, adam, numbers.successor(CLOCK), LR, leaf(r"\Pi_t"))
    product = simplified(c.mu_product)
    yield r"\mu_t", product.args[1]
    yield r"\mu_{t+1}", simplified(later.mu_product).args[1]
    yield r"\Pi_t", product


def walk(x: Expression) -> Iterable[Expression]:
    """Yield every expression in ``x``, itself first."""
    yield x
    for part in x.args:
        if isinstance(part, Expression):
            yield from walk(part)

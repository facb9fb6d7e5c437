"""The definition run with symbols: the equations of docs/equations.md, which so cannot drift from it.

``python -m adamcore.conformance.oracle.symbolic [FILE]`` writes them, to docs/equations.md unless told
otherwise.  An expression is a small tree; an intermediate gets a name (m_t, v_t) by replacing the
tree that the definition returned for it, and the only algebra is what the eye would do: ``a + -b``
is a - b, ``a*x*x`` is a x^2, ``a*(1/x)`` is a/x, and fractions over one root are one fraction.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from adamcore.adam import Adam
from adamcore.definition import Coefficients, coefficients, update

SUM, PRODUCT, ATOM = range(3)  #: how tightly an expression holds together
LEVEL = {"+": SUM, "-": SUM, "neg": SUM, "*": PRODUCT}  #: all others are atoms


@dataclass(frozen=True)
class Symbol:
    r"""An expression: an operation and what it is applied to; a leaf holds its LaTeX.

    >>> x, y = leaf("x"), leaf("y")
    >>> latex(2.0 * x * x + -(x - y).sqrt())
    '2 x^{2} - \\sqrt{x - y}'
    """

    op: str
    of: tuple[Any, ...]

    def __add__(self, other: Any) -> Symbol:
        a, b = self, symbol(other)
        if a.op == b.op == "/" and a.of[1] == b.of[1]:
            return Symbol("/", (a.of[0] + b.of[0], a.of[1]))
        return Symbol("-", (a, b.of[0])) if b.op == "neg" else Symbol("+", (a, b))

    def __mul__(self, other: Any) -> Symbol:
        a, b = self, symbol(other)
        if a.op == "*" and a.of[1] == b:
            return Symbol("*", (a.of[0], b**2))
        if b.op == "/" and b.of[0] == ONE:
            return Symbol("/", (a, b.of[1]))
        return Symbol("*", (a, b))

    def __sub__(self, other: Any) -> Symbol:
        return Symbol("-", (self, symbol(other)))

    def __truediv__(self, other: Any) -> Symbol:
        return Symbol("/", (self, symbol(other)))

    def __pow__(self, exponent: Any) -> Symbol:
        return Symbol("^", (self, symbol(exponent)))

    def __neg__(self) -> Symbol:
        return Symbol("neg", (self,))

    def __rsub__(self, other: Any) -> Symbol:
        return symbol(other) - self

    def __rmul__(self, other: Any) -> Symbol:
        return symbol(other) * self

    def __rtruediv__(self, other: Any) -> Symbol:
        return symbol(other) / self

    def sqrt(self) -> Symbol:
        return Symbol("sqrt", (self,))


def leaf(text: str) -> Symbol:
    """A symbol that stands for itself."""
    return Symbol("leaf", (text,))


def symbol(value: Any) -> Symbol:
    """A symbol as it is, a number as a leaf."""
    return value if isinstance(value, Symbol) else leaf(f"{value:g}")


ONE = symbol(1.0)


def latex(x: Symbol, named: Mapping[Symbol, str] = MappingProxyType({})) -> str:
    """LaTeX of ``x``, with the expressions in ``named`` written as their names."""

    def write(part: Symbol, at_least: int) -> str:
        text = named.get(part) or latex(part, named)
        loose = part not in named and LEVEL.get(part.op, ATOM) < at_least
        return rf"\left({text}\right)" if loose else text

    match x.op, x.of:
        case "leaf", (text,):
            return str(text)
        case ("+" | "-") as sign, (a, b):
            return f"{write(a, SUM)} {sign} {write(b, SUM if sign == '+' else PRODUCT)}"
        case "neg", (a,):
            return f"-{write(a, PRODUCT)}"
        case "*", (a, b):
            left, right = write(a, PRODUCT), write(b, PRODUCT)
            return f"{left} \\cdot {right}" if right[0].isdigit() else f"{left} {right}"
        case "/", (a, b) if b.op == "sqrt":  # it stands inside a fraction: one bar is enough
            return f"{write(a, PRODUCT)} / {write(b, ATOM)}"
        case "/", (a, b):
            return rf"\frac{{{write(a, SUM)}}}{{{write(b, SUM)}}}"
        case "^", (a, b):
            base = write(a, ATOM)
            base = base if "^" not in base else f"({base})"
            return f"{base}^{{{write(b, SUM)}}}"
        case "sqrt", (a,):
            return rf"\sqrt{{{write(a, SUM)}}}"
        case _:
            return rf"\max({', '.join(write(a, SUM) for a in x.of)})"


class Namespace:
    """What :func:`adamcore.definition.update` asks of an array library."""

    sqrt = staticmethod(Symbol.sqrt)

    @staticmethod
    def maximum(a: Symbol, b: Symbol) -> Symbol:
        return Symbol("max", (a, b))


#: A hyperparameter is known by its value, so every one has a value of its own.
VALUES = {"b1": 0.1, "b2": 0.2, "eps": 0.3, "weight_decay": 0.4, "eps_root": 0.5, "momentum_decay": 0.6}
LETTERS = {
    0.1: r"\beta_1", 0.2: r"\beta_2", 0.3: r"\epsilon", 0.4: r"\lambda", 0.5: r"\epsilon_r", 0.6: r"\psi",
}  # fmt: skip
CLOCK, LR = leaf("t"), leaf(r"\alpha")


class Symbols:
    """The :class:`~adamcore.definition.Numbers` of the equations."""

    def number(self, value: float) -> Symbol:
        return leaf(LETTERS.get(value) or f"{value:g}")

    def sqrt(self, x: Symbol) -> Symbol:
        return x.sqrt()

    def power(self, base: float, k: Symbol, rate: float) -> Symbol:
        return self.number(base) ** (k * self.number(rate))

    def successor(self, t: Symbol) -> Symbol:
        return Symbol("+", (t, leaf("1")))

    def complement(self, b: float) -> Symbol:
        return 1 - self.number(b)

    def complement_power(self, b: float, t: Symbol) -> Symbol:
        return 1 - self.number(b) ** t

    def keep(self, kept: Symbol | float, weight: Symbol) -> Symbol:
        return kept if isinstance(kept, Symbol) else self.number(kept)  # the textbook's form of an average


def equations(**axes: Any) -> dict[str, str]:
    r"""The equations of one step, left side -> right side in LaTeX, in the order of computation.

    Hyperparameters that are not 0 are named in ``axes`` too: ``weight_decay=True``.

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

    found: list[tuple[str, Symbol]] = []
    if adam.nesterov == "dozat":
        found += momentum_schedule(numbers, adam, c)
    used = [x.of[0] for x in walk(v) if x.op == "^" and x.of[1] == leaf("2") and x.of[0].op != "leaf"]
    found += [(rf"\tilde g{s}_t", g) for s, g in zip(sides, used, strict=False)]  # what is squared
    found += [(f"m{s}_t", m) for s, (_, m) in zip(sides, moved, strict=True)]
    found += [("v_t", v)]
    if v_max is not None and adam.amsgrad != "none":
        found += [(r"v^\mathrm{max}_t", v_max)]
    found += [(f"p{s}_t", p) for s, (p, _) in zip(sides, moved, strict=True)]

    named: dict[Symbol, str] = {}
    lines: dict[str, str] = {}
    for name, expression in found:
        lines[name] = latex(expression, named)
        named[expression] = name
    return lines


def momentum_schedule(numbers: Symbols, adam: Adam, c: Coefficients) -> Iterable[tuple[str, Symbol]]:
    """The schedule at t and t+1 and its product, found as the last factor of the product."""
    later = coefficients(numbers, adam, numbers.successor(CLOCK), LR, leaf(r"\Pi_t"))
    product: Symbol = symbol(c.mu_product)
    yield r"\mu_t", product.of[1]
    yield r"\mu_{t+1}", symbol(later.mu_product).of[1]
    yield r"\Pi_t", product


def walk(x: Symbol) -> Iterable[Symbol]:
    """Every expression in ``x``, itself included."""
    yield x
    for part in x.of:
        if isinstance(part, Symbol):
            yield from walk(part)


# The page ---------------------------------------------------------------------------------------

L2 = {"weight_decay": True}
DECOUPLED = {"weight_decay": True, "decay": "decoupled"}
#: Title, rule, choices, and the choices it is compared with: equal lines are not printed again.
PAGE: tuple[tuple[str, str, dict[str, Any], dict[str, Any] | None], ...] = (
    ("Algorithm 1", "EPS.1, BC.1, BC.2", {}, None),
    ("epsilon: outside-uncorrected", "EPS.2", {"epsilon": "outside-uncorrected"}, {}),
    ("epsilon: inside-corrected", "EPS.3", {"epsilon": "inside-corrected"}, {}),
    ("epsilon: inside-uncorrected", "EPS.4", {"epsilon": "inside-uncorrected"}, {}),
    ("eps_root besides eps", "EPS.5", {"eps_root": True}, {}),
    ("bias_correction: first", "BC.1", {"bias_correction": "first"}, {}),
    ("bias_correction: second", "BC.2", {"bias_correction": "second"}, {}),
    ("bias_correction: none", "BC.1, BC.2", {"bias_correction": "none"}, {}),
    ("decay: l2", "DEC.1", L2, {}),
    ("decay: decoupled", "DEC.2", DECOUPLED, {}),
    ("decay: decoupled-unscaled", "DEC.3", {**L2, "decay": "decoupled-unscaled"}, {}),
    ("decay: decoupled-corrected", "DEC.4", {**L2, "decay": "decoupled-corrected"}, {}),
    ("decay_order: after", "DEC.5", {**DECOUPLED, "decay_order": "after"}, {}),
    ("amsgrad: uncorrected", "AMS.1", {"amsgrad": "uncorrected"}, {}),
    ("amsgrad: corrected", "AMS.2", {"amsgrad": "corrected"}, {}),
    ("nesterov: dozat", "NES.1", {"nesterov": "dozat", "momentum_decay": True}, {}),
    ("nesterov: optax", "NES.2", {"nesterov": "optax"}, {}),
    ("nesterov: same-t", "NES.3", {"nesterov": "same-t"}, {}),
    ("maximize: True", "MAX.1", {"maximize": True}, {}),
    ("complex: modulus", "CPX.2", {"complex": "modulus"}, {}),
)
HEAD = r"""# Equations

<!-- Written by `python -m adamcore.conformance.oracle.symbolic`; do not edit. -->

`adamcore/definition.py` run with symbols: one step of one element, for each value of each axis of
[the specification](spec.md). After Algorithm 1 only the lines that change are shown.

$p$ parameter, $g$ gradient, $m$ and $v$ moments, $t$ clock (1 in the first update), $\alpha$ learning
rate, $\lambda$ weight decay, $\epsilon_r$ `eps_root`, $\psi$ `momentum_decay`, $\tilde g$ the gradient
that enters the moments where it is not $g$. The axes `missing`, `clock`, `all_missing` and
`coefficients` have no equation of their own.
"""


def page() -> str:
    """The text of docs/equations.md."""
    out = [HEAD]
    for title, rules, axes, beside in PAGE:
        lines = equations(**axes)
        if beside is not None:
            before = equations(**beside)
            lines = {left: right for left, right in lines.items() if before.get(left) != right}
        rows = " \\\\\n".join(f"{left} &= {right}" for left, right in lines.items())
        out.append(f"## {title}\n\n{rules}\n\n```math\n\\begin{{aligned}}\n{rows}\n\\end{{aligned}}\n```\n")
    return "\n".join(out)


if __name__ == "__main__":
    Path(*sys.argv[1:2] or ["docs/equations.md"]).write_text(page(), encoding="utf-8")

"""The definition as a program: what fast backends lower, so that none of them repeats the formula.

:func:`program` runs :func:`adamcore.definition.update` once with values that write down what is
done to them.  What comes out is about 14 operations in single-assignment form for each choice of
axes; carried out one by one, each rounded, it gives the bits that the definition gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import itemgetter
from types import SimpleNamespace
from typing import Any, NamedTuple

from adamcore.config import AdamConfig
from adamcore.definition import Coefficients, update


class Op(NamedTuple):
    """``out = kind(*args)``; every argument is an input, a coefficient, or the ``out`` of an earlier op."""

    kind: str  #: add, sub, mul, div, neg, sqrt or maximum
    out: str
    args: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Program:
    """One step of one real array; there is one object for each choice of axes and terms."""

    inputs: tuple[str, ...]  #: the arrays: "p", "g", "m", "v" and where it is there "v_max"
    coefficients: tuple[str, ...]  #: the scalars: the fields of Coefficients that are used
    ops: tuple[Op, ...]
    outputs: tuple[tuple[str, str], ...]  #: the array a result replaces ("p"), and the value of an op

    def __str__(self) -> str:
        lines = [f"{op.out} = {op.kind}({', '.join(op.args)})" for op in self.ops]
        return "\n".join([*lines, *(f"{name}' = {value}" for name, value in self.outputs)])

    @cached_property
    def used(self) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
        """A function of :class:`Coefficients`: the values of those that the program uses, in its order."""
        return itemgetter(*map(Coefficients._fields.index, self.coefficients))


class Value:
    """A number that writes down what is done to it."""

    __slots__ = ("name", "ops")

    def __init__(self, ops: list[Op], name: str) -> None:
        self.ops, self.name = ops, name

    def then(self, kind: str, *args: Value) -> Value:
        out = f"x{len(self.ops)}"
        self.ops.append(Op(kind, out, tuple(a.name for a in args)))
        return Value(self.ops, out)

    def __add__(self, other: Value) -> Value:
        return self.then("add", self, other)

    def __sub__(self, other: Value) -> Value:
        return self.then("sub", self, other)

    def __mul__(self, other: Value) -> Value:
        return self.then("mul", self, other)

    def __truediv__(self, other: Value) -> Value:
        return self.then("div", self, other)

    def __neg__(self) -> Value:
        return self.then("neg", self)


class Tracer:
    """The array namespace of such numbers."""

    @staticmethod
    def sqrt(x: Value) -> Value:
        return x.then("sqrt", x)

    @staticmethod
    def maximum(a: Value, b: Value) -> Value:
        return a.then("maximum", a, b)


def program(adam: AdamConfig, c: Coefficients) -> Program:
    """The program of ``adam`` for real arrays, with the terms that ``c`` has.

    >>> from adamcore import Adam
    >>> from adamcore.coefficients import Host
    >>> from adamcore.definition import coefficients
    >>> adam = Adam(b1=0.0, bias_correction="none", eps=0)
    >>> print(program(adam, coefficients(Host(), adam, 1, 0.1)))
    x0 = mul(keep1, m)
    x1 = mul(w1, g)
    x2 = add(x0, x1)
    x3 = mul(w2, g)
    x4 = mul(x3, g)
    x5 = mul(w2, v)
    x6 = sub(x4, x5)
    x7 = add(v, x6)
    x8 = sqrt(x7)
    x9 = div(x2, x8)
    x10 = mul(step_m, x9)
    x11 = sub(p, x10)
    p' = x11
    m' = x2
    v' = x7
    """
    there = tuple([x is not None for x in c])
    return traced(adam.maximize, adam.decay, adam.decay_order, adam.amsgrad, there)


@lru_cache(maxsize=256)
def traced(maximize: bool, decay: str, decay_order: str, amsgrad: str, there: tuple[bool, ...]) -> Program:
    """The program for these axes and for the coefficients that are ``there``."""
    ops: list[Op] = []
    adam: Any = SimpleNamespace(maximize=maximize, decay=decay, decay_order=decay_order, amsgrad=amsgrad)
    c = Coefficients(
        *(Value(ops, name) if yes else None for name, yes in zip(Coefficients._fields, there, strict=True))
    )
    p, g, m, v, v_max = (Value(ops, name) for name in ("p", "g", "m", "v", "v_max"))
    maximum = None if amsgrad == "none" else v_max
    [(new_p, new_m)], new_v, new_max = update(Tracer, adam, c, [(p, g, m)], v, maximum)
    outputs = [("p", new_p.name), ("m", new_m.name), ("v", new_v.name)]
    if new_max is not None:
        outputs.append(("v_max", new_max.name))
    read = {name for op in ops for name in op.args}
    return Program(
        ("p", "g", "m", "v") if maximum is None else ("p", "g", "m", "v", "v_max"),
        tuple(name for name in Coefficients._fields if name in read),
        tuple(ops),
        tuple(outputs),
    )


def evaluate(
    program: Program, functions: Mapping[str, Callable[..., Any]], values: Mapping[str, Any]
) -> dict[str, Any]:
    """The program carried out one operation after the other: the new arrays by name."""
    known = dict(values)
    for op in program.ops:
        known[op.out] = functions[op.kind](*(known[name] for name in op.args))
    return {name: known[value] for name, value in program.outputs}

"""The definition traced: run once with numbers that record what is done to them.

The functions of :mod:`adamcore.definition` run on :class:`Expression` objects, and a :class:`Trace`
lists the expressions in the order in which they are formed.  Everything that needs the formula as
text or as a list of operations is made from such a trace, so that none of it repeats the formula:

* :func:`program`: the update as a list of operations, which the fast backends compile;
* :func:`formula`: the coefficients as one Python function;
* ``adamcore.backends.kernels.cuda.coefficients``: the coefficients in CUDA's language;
* ``adamcore.conformance.oracle.symbolic``: the equations of docs/equations.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from operator import itemgetter
from types import SimpleNamespace
from typing import Any, NamedTuple

from adamcore.coefficients import MAX_CLOCK, Host
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients, Number, coefficients, update

# The recording -----------------------------------------------------------------------------------


class Expression:
    """An operation and its arguments, which are expressions or Python numbers.

    Two expressions are equal if they are the same operations on the same inputs.

    >>> trace = Trace()
    >>> x, y = trace.input("x"), trace.input("y")
    >>> _ = 1.0 - x * y
    >>> [(each.name, each.op) for each in trace]
    [('x0', 'mul'), ('x1', 'sub')]
    """

    __slots__ = ("args", "name", "op", "trace")

    def __init__(self, op: str, args: tuple[Any, ...], name: str = "", trace: Trace | None = None) -> None:
        self.op, self.args, self.name, self.trace = op, args, name, trace

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and (self.op, self.args) == (other.op, other.args)

    def __hash__(self) -> int:
        return hash((self.op, self.args))

    def __repr__(self) -> str:
        return f"{self.op}({', '.join(map(repr, self.args))})"

    def then(self, op: str, *args: Any) -> Expression:
        """Return ``op`` applied to ``args``, recorded in this expression's trace if it has one."""
        if self.trace is None:
            return Expression(op, args)
        made = Expression(op, args, f"x{len(self.trace)}", self.trace)
        self.trace.append(made)
        return made

    def __neg__(self) -> Expression:
        return self.then("neg", self)

    def __add__(self, other: Any) -> Expression:
        return self.then("add", self, other)

    def __radd__(self, other: Any) -> Expression:
        return self.then("add", other, self)

    def __sub__(self, other: Any) -> Expression:
        return self.then("sub", self, other)

    def __rsub__(self, other: Any) -> Expression:
        return self.then("sub", other, self)

    def __mul__(self, other: Any) -> Expression:
        return self.then("mul", self, other)

    def __rmul__(self, other: Any) -> Expression:
        return self.then("mul", other, self)

    def __truediv__(self, other: Any) -> Expression:
        return self.then("div", self, other)

    def __rtruediv__(self, other: Any) -> Expression:
        return self.then("div", other, self)


class Trace(list[Expression]):
    """The expressions formed from its inputs, in the order in which they were formed."""

    def input(self, name: str) -> Expression:
        """Return an expression that stands for itself."""
        return Expression("input", (name,), name, self)


class Namespace:
    """What :func:`adamcore.definition.update` asks of an array library, for expressions."""

    @staticmethod
    def sqrt(x: Expression) -> Expression:
        return x.then("sqrt", x)

    @staticmethod
    def sign(x: Expression) -> Expression:
        return x.then("sign", x)

    @staticmethod
    def maximum(a: Expression, b: Expression) -> Expression:
        return a.then("maximum", a, b)


class RecordedHost(Host):
    """The host's arithmetic on expressions; numbers that are known already are computed at once."""

    def expm1(self, x: Any) -> Any:
        return x.then("expm1", x) if isinstance(x, Expression) else super().expm1(x)

    def sqrt(self, x: Any) -> Any:
        return x.then("sqrt", x) if isinstance(x, Expression) else super().sqrt(x)

    def power(self, base: float, k: Any, rate: float) -> Any:
        return k.then("power", base, k, rate)

    def successor(self, t: Any) -> Any:
        return t.then("successor", t, MAX_CLOCK)

    def complement_power(self, b: float, t: Any) -> Any:
        return 1.0 if b == 0 else super().complement_power(b, t)

    def keep(self, kept: Number, weight: Number) -> Any:
        return (
            weight.then("keep", weight, kept)
            if isinstance(weight, Expression)
            else super().keep(kept, weight)
        )


#: How an operation on its arguments is written in Python and in C.
FORMS = {
    "neg": "-{}",
    "add": "{} + {}",
    "sub": "{} - {}",
    "mul": "{} * {}",
    "div": "{} / {}",
    "sqrt": "sqrt({})",
    "expm1": "expm1({})",
    "power": "pow({}, {} * {})",
}


def statements(
    trace: Trace, forms: Mapping[str, str], argument: Callable[[Any], str]
) -> list[tuple[str, str]]:
    """Return each expression's name and its text; ``argument`` writes an argument."""
    return [(each.name, forms[each.op].format(*map(argument, each.args))) for each in trace]


# The update as a program -------------------------------------------------------------------------


class Op(NamedTuple):
    """``out = kind(*args)``; every argument is an input, a coefficient, or the ``out`` of an earlier op."""

    kind: str  #: add, sub, mul, div, neg, sqrt, sign or maximum
    out: str
    args: tuple[str, ...]


class Program:
    """One step of one real array; there is one object for each choice of axes and terms.

    Carried out one by one, each rounded, its operations give the bits that the definition gives.

    Attributes:
        inputs: the arrays: "p", "g", "m", "v" and, with AMSGrad, "v_max".
        coefficients: the scalars: the fields of Coefficients that are used.
        ops: the operations in their order.
        outputs: pairs of the array that a result replaces ("p") and the ``out`` of an operation.
        used: a function from Coefficients to the values that the program uses, in its order.
    """

    def __init__(
        self,
        inputs: tuple[str, ...],
        coefficients: tuple[str, ...],
        ops: tuple[Op, ...],
        outputs: tuple[tuple[str, str], ...],
    ) -> None:
        self.inputs, self.coefficients, self.ops, self.outputs = inputs, coefficients, ops, outputs
        self.used: Callable[[Sequence[Any]], tuple[Any, ...]] = itemgetter(
            *map(Coefficients._fields.index, coefficients)
        )

    def __str__(self) -> str:
        lines = [f"{op.out} = {op.kind}({', '.join(op.args)})" for op in self.ops]
        return "\n".join([*lines, *(f"{name}' = {value}" for name, value in self.outputs)])


def program(adam: AdamConfig, c: Coefficients) -> Program:
    """Return the program of ``adam`` for real arrays, with the terms that ``c`` has.

    >>> from adamcore import Adam
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
    terms = tuple([x is not None for x in c])
    return program_of_terms(
        adam.maximize, adam.decay, adam.decay_order, adam.cautious_decay, adam.amsgrad, terms
    )


@lru_cache(maxsize=256)
def program_of_terms(
    maximize: bool, decay: str, decay_order: str, cautious_decay: bool, amsgrad: str, terms: tuple[bool, ...]
) -> Program:
    """Return the program for these axes; ``terms`` says which fields of Coefficients are not None."""
    trace = Trace()
    adam: Any = SimpleNamespace(
        maximize=maximize,
        decay=decay,
        decay_order=decay_order,
        cautious_decay=cautious_decay,
        amsgrad=amsgrad,
    )
    c = Coefficients(
        *(trace.input(f) if term else None for f, term in zip(Coefficients._fields, terms, strict=True))
    )
    p, g, m, v, v_max = map(trace.input, ("p", "g", "m", "v", "v_max"))
    maximum = None if amsgrad == "none" else v_max
    [(new_p, new_m)], new_v, new_max = update(Namespace, adam, c, [(p, g, m)], v, maximum)
    outputs = [("p", new_p.name), ("m", new_m.name), ("v", new_v.name)]
    if new_max is not None:
        outputs.append(("v_max", new_max.name))
    ops = tuple(Op(each.op, each.name, tuple(x.name for x in each.args)) for each in trace)
    read = {name for op in ops for name in op.args}
    return Program(
        inputs=("p", "g", "m", "v") if maximum is None else ("p", "g", "m", "v", "v_max"),
        coefficients=tuple(name for name in Coefficients._fields if name in read),
        ops=ops,
        outputs=tuple(outputs),
    )


def evaluate(
    program: Program, functions: Mapping[str, Callable[..., Any]], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Carry out the program one operation after the other; return the new arrays by name.

    Args:
        functions: the function of each kind of operation.
        values: the arrays and coefficients by name.
    """
    known = dict(values)
    for op in program.ops:
        known[op.out] = functions[op.kind](*(known[name] for name in op.args))
    return {name: known[value] for name, value in program.outputs}


# The coefficients as a Python function -----------------------------------------------------------

PYTHON_FORMS = FORMS | {"successor": "min({} + 1, {})", "keep": "None if {} <= 0.5 else {}"}
PYTHON_NAMES = {"expm1": math.expm1, "sqrt": math.sqrt, "pow": math.pow, "min": min}


@lru_cache(maxsize=64)
def formula(adam: AdamConfig) -> Callable[[int, float], Coefficients]:
    """Return the function from the clock t >= 1 and lr to the coefficients, without Dozat's schedule.

    It has the bits of :class:`adamcore.coefficients.Host`, and is faster since the choice of the
    rules is made once.

    >>> from adamcore import Adam
    >>> formula(Adam())(7, 1e-3) == coefficients(Host(), Adam(), 7, 1e-3)
    True
    """
    trace = Trace()
    made = coefficients(RecordedHost(), adam, trace.input("t"), trace.input("lr"))
    lines = [f"{name} = {text}" for name, text in statements(trace, PYTHON_FORMS, python_argument)]
    lines.append(f"return make(({', '.join(map(python_argument, made))},))")
    text = "def f(t, lr):\n" + "".join(f"    {line}\n" for line in lines)
    space: dict[str, Any] = {**PYTHON_NAMES, "make": partial(tuple.__new__, Coefficients)}
    exec(text, space)
    function: Callable[[int, float], Coefficients] = space["f"]
    return function


def python_argument(x: Any) -> str:
    """Return an expression's name, a number as Python writes it."""
    return x.name if isinstance(x, Expression) else repr(x)

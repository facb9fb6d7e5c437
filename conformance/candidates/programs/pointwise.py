"""What a function of JAX computes, as operations each of which treats each element alone.

The function is traced by JAX, and the functions that it calls are written out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from adamcore.conformance.types import FloatArray

if TYPE_CHECKING:
    from jax.extend.core import Jaxpr, Primitive

POINTWISE = frozenset(
    (
        "abs", "add", "and", "atan2", "cbrt", "ceil", "clamp", "complex", "conj",
        "convert_element_type", "copy", "div", "eq", "exp", "exp2", "expm1", "floor", "ge", "gt",
        "imag", "integer_pow", "is_finite", "le", "log", "log1p", "logistic", "lt", "max", "min",
        "mul", "ne", "neg", "nextafter", "not", "or", "pow", "real", "rem", "round", "rsqrt",
        "select_n", "sign", "sqrt", "square", "sub", "tanh", "xor",
    )
)  # fmt: skip
"""Operations whose result has an element for each element of their operands, of which some may be numbers."""
CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr"}

Shape = tuple[int, ...]


class NotElementwise(Exception):
    """A function does something that is not known to treat each element alone."""


@dataclass(eq=False)
class Node:
    """A value of a traced function: an input, a known value or the result of an operation."""

    shape: Shape
    dtype: Any
    position: int | None = None  #: of an input
    value: Any = None  #: that is known, an array of NumPy
    primitive: Primitive | None = None  #: of an operation; None also spreads a number over an array
    params: str = ""  #: the parameters of an operation as text
    keywords: dict[str, Any] = field(default_factory=dict)  #: the same as they are
    operands: Sequence[Node] = ()

    def given(self, inputs: Sequence[Any]) -> FloatArray:
        """Return an input or a known value."""
        found: FloatArray = self.value
        return found if self.position is None else np.asarray(inputs[self.position], self.dtype)

    @property
    def number(self) -> Node | int | bytes:
        """What two nodes that are the same input, or the same known value, have in common."""
        if self.operands:
            return self
        found: int | bytes = self.value.tobytes() if self.position is None else self.position
        return found


def written_out(jaxpr: Jaxpr, inputs: Sequence[Node], constants: Sequence[Any]) -> list[Node]:
    """Return the results of a program, as nodes; the functions that it calls are written out.

    A number that is computed twice is one node.

    Raises:
        NotElementwise: an operation is not known to treat each element alone.
    """
    return _written_out(jaxpr, inputs, constants, {})


def _written_out(
    jaxpr: Jaxpr, inputs: Sequence[Node], constants: Sequence[Any], numbers: dict[Any, Node]
) -> list[Node]:
    nodes = dict(zip(jaxpr.invars, inputs, strict=True))
    for variable, value in zip(jaxpr.constvars, constants, strict=True):
        nodes[variable] = known(variable, value)

    def node_of(value: Any) -> Node:
        return known(value, value.val) if hasattr(value, "val") else nodes[value]  # a literal has one

    for equation in jaxpr.eqns:
        name, params = equation.primitive.name, equation.params
        operands = [node_of(value) for value in equation.invars]
        if name in CALLS:
            inner = params[CALLS[name]]
            results = _written_out(inner.jaxpr, operands, inner.consts, numbers)
        else:
            result = result_of(equation, operands)
            if result.operands and not result.shape:
                same = result.primitive, result.params, *((x.number, x.dtype) for x in operands)
                result = numbers.setdefault(same, result)
            results = [result]
        nodes.update(zip(equation.outvars, results, strict=True))
    return [node_of(value) for value in jaxpr.outvars]


def result_of(equation: Any, operands: Sequence[Node]) -> Node:
    """Return the result of an operation; raise :class:`NotElementwise` if it is not known."""
    name, params, aval = equation.primitive.name, equation.params, equation.outvars[0].aval
    shape, dtype = aval.shape, aval.dtype
    if np.dtype(dtype).itemsize == 2:  # XLA rounds a constant to 16 bits where it need not round a value
        raise NotElementwise
    if name == "broadcast_in_dim" and all(node.shape == () for node in operands):
        [number] = operands
        if number.value is not None:
            return Node(shape, dtype, value=np.full(shape, number.value, dtype))
        return Node(shape, dtype, operands=operands)
    if name not in POINTWISE or any(node.shape not in ((), shape) for node in operands):
        raise NotElementwise
    text = repr(sorted(params.items())) if params else ""
    return Node(shape, dtype, primitive=equation.primitive, params=text, keywords=params, operands=operands)


def known(variable: Any, value: Any) -> Node:
    """Return the node of a known value."""
    return Node(variable.aval.shape, variable.aval.dtype, value=np.asarray(value, variable.aval.dtype))


def needed(result: Node) -> list[Node]:
    """Return the nodes that a result depends on, and the result, each after its operands."""
    found: dict[Node, None] = {}
    waiting = [(result, False)]
    while waiting:
        node, is_ready = waiting.pop()
        if node in found:
            continue
        if is_ready or not node.operands:
            found[node] = None
        else:
            waiting.append((node, True))
            waiting.extend((operand, False) for operand in reversed(node.operands))
    return list(found)


def arrays_among(results: Sequence[Node], needed_by: Mapping[int, Sequence[Node]]) -> set[Node]:
    """Return the nodes that have an element for each element of a parameter; the others are numbers.

    A parameter may have no dimensions.  It is an input that is no integer and on which no array depends, and
    its results are those that depend on it.

    Args:
        results: of a function.
        needed_by: the nodes that a result depends on, by its number.
    """
    nodes = list(dict.fromkeys(node for some in needed_by.values() for node in some))
    inputs = {
        k: [x for x in some if x.position is not None and x.dtype.kind != "i"]
        for k, some in needed_by.items()
    }
    used = {x for k, some in inputs.items() if results[k].shape for x in some}
    alone = {x for some in inputs.values() for x in some} - used if used else set()
    wide: set[Node] = set()
    for node in nodes:
        if node.shape or node in alone or any(x in wide for x in node.operands):
            wide.add(node)
    return wide

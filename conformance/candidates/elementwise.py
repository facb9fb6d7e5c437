"""Functions of JAX that treat each element alone, run by programs that many probes share.

To compile a step takes a thousand times as long as to run it, and the steps of most probes differ in shapes
and numbers alone.  So a step is traced, as ``jax.jit`` traces it.  If each of its operations on arrays is
known to treat each element alone, the step is taken apart into the programs of its parameters.  In a program
every number is an argument, and every array a vector of one of a few lengths.  Equal programs are compiled
once, and run once for all parameters that have the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from adamcore.conformance.candidates import compilations
from adamcore.conformance.types import FloatArray

if TYPE_CHECKING:
    from jax.extend.core import ClosedJaxpr, Jaxpr, Primitive

POINTWISE = frozenset(
    (
        "abs", "add", "and", "atan2", "cbrt", "ceil", "clamp", "convert_element_type", "copy",
        "div", "eq", "exp", "exp2", "expm1", "floor", "ge", "gt", "integer_pow", "is_finite",
        "le", "log", "log1p", "logistic", "lt", "max", "min", "mul", "ne", "neg", "nextafter",
        "not", "or", "pow", "rem", "round", "rsqrt", "select_n", "sign", "sqrt", "square",
        "sub", "tanh", "xor",
    )
)  # fmt: skip
"""Operations whose result has an element for each element of their operands, of which some may be numbers."""
CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr"}
SHORTEST, RATIO = 64, 64  #: elements of the shortest vectors, and how much longer the next ones are

Program = Callable[..., Sequence[Any]]  #: takes the length of its vectors, and then its arguments
Shape = tuple[int, ...]
Line = tuple["Primitive | None", str, tuple[int, ...], bool]
"""An operation of a program: what it is, its parameters as text, the numbers of its operands, and whether its
result is an array.  The arguments have the first numbers, and the results of the lines the next ones."""


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
    params: dict[str, Any] = field(default_factory=dict)
    operands: Sequence[Node] = ()

    def given(self, inputs: Sequence[Any]) -> FloatArray:
        """Return an input or a known value."""
        found: FloatArray = self.value
        return found if self.position is None else np.asarray(inputs[self.position], self.dtype)

    @property
    def number(self) -> int | bytes:
        """What two nodes that are the same input, or the same known value, have in common."""
        return self.value.tobytes() if self.position is None else self.position


@dataclass(frozen=True)
class Part:
    """Some outputs of a function, which depend on the same arrays, and the program that computes them."""

    program: Program
    arguments: list[Node]
    outputs: list[int]  #: their positions among all outputs
    shape: Shape  #: of their arrays

    @property
    def run_with(self) -> Any:
        """What parts have in common that one run of their program computes: the program and its numbers."""
        return self.program, *(None if node.shape else node.number for node in self.arguments)


class Programs:
    """The programs that the functions of one candidate share."""

    def __init__(self) -> None:
        self.compiled: dict[Any, Program] = {}
        self.refused = False  #: True once a function of real arrays was not known to treat each element alone

    def shared(self, function: Callable[..., Any], otherwise: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the same by shared programs, and returns arrays of NumPy.

        Args:
            function: takes trees of arrays and returns a tree of arrays.
            otherwise: called in its place if it is not known to treat each element alone.
        """
        import jax

        plans: dict[Any, Plan | None] = {}

        def call(*trees: Any) -> Any:
            leaves, structure = jax.tree.flatten(trees)
            key = structure, tuple(map(kind_of, leaves))
            is_new, counted = key not in plans, compilations.count()
            if is_new:
                plans[key] = self.plan(function, trees)
            plan = plans[key]
            if plan is None:
                return otherwise(*trees)
            result = plan.run(leaves)
            if is_new:
                compilations.count_one(counted)
            return result

        return call

    def plan(self, function: Callable[..., Any], trees: Sequence[Any]) -> Plan | None:
        """Return how to run a function on such trees; None if ``otherwise`` has to be called."""
        import jax

        try:
            closed, results = jax.make_jaxpr(function, return_shape=True)(*trees)
            return Plan(closed, jax.tree.structure(results), self.compiled)
        except NotElementwise:
            self.refused |= not any(map(np.iscomplexobj, jax.tree.leaves(trees)))
            return None
        except Exception:  # ``otherwise`` raises it again, if it is an error of the function
            return None


class Plan:
    """How a function is run on arrays of certain shapes and dtypes.

    Args:
        closed: the traced function.
        structure: of the tree that it returns.
        compiled: the programs so far, by what they compute; new ones are added.

    Raises:
        NotElementwise: an operation is not known to treat each element alone, or an input or a result has the
            weak dtype of a Python number, which arrays of NumPy do not have.
    """

    def __init__(self, closed: ClosedJaxpr, structure: Any, compiled: dict[Any, Program]) -> None:
        jaxpr = closed.jaxpr
        if jaxpr.effects or any(v.aval.weak_type for v in (*jaxpr.invars, *jaxpr.outvars)):
            raise NotElementwise
        inputs = [Node(v.aval.shape, v.aval.dtype, i) for i, v in enumerate(jaxpr.invars)]
        self.structure = structure
        self.results = written_out(jaxpr, inputs, closed.consts)
        runs: dict[Any, list[Part]] = {}
        for outputs, nodes in self.groups():
            part = self.part(outputs, nodes, compiled)
            runs.setdefault(part.run_with, []).append(part)
        self.runs = list(runs.values())

    def groups(self) -> list[tuple[list[int], list[Node]]]:
        """Return the positions of the outputs, those together that depend on the same arrays.

        With them are the nodes that they depend on, and theirs, each after its operands.
        """
        nodes = {k: needed(result) for k, result in enumerate(self.results) if result.operands}
        arrays = {position: list(filter(is_array, some)) for position, some in nodes.items()}
        merged: dict[Node, Node] = {}

        def first(node: Node) -> Node:
            while node in merged:
                node = merged[node]
            return node

        for some in arrays.values():
            for node in some[1:]:
                one, other = first(some[0]), first(node)
                if one is not other:
                    merged[other] = one
        found: dict[Any, list[int]] = {}
        for position, some in arrays.items():
            found.setdefault(first(some[0]) if some else position, []).append(position)
        return [
            (some, list(dict.fromkeys(node for k in some for node in nodes[k]))) for some in found.values()
        ]

    def part(self, outputs: list[int], nodes: Sequence[Node], compiled: dict[Any, Program]) -> Part:
        """Return the part of these outputs and nodes."""
        shapes = {node.shape for node in nodes if node.shape != ()}
        if len(shapes) > 1:
            raise NotElementwise
        arguments = [node for node in nodes if not node.operands]
        operations = [node for node in nodes if node.operands]
        number = {node: k for k, node in enumerate((*arguments, *operations))}
        lines: tuple[Line, ...] = tuple(
            (
                op.primitive,
                repr(sorted(op.params.items())) if op.params else "",
                tuple([number[x] for x in op.operands]),
                op.shape != (),
            )
            for op in operations
        )
        returned = tuple(number[self.results[position]] for position in outputs)
        kinds = tuple((node.dtype, node.shape == ()) for node in arguments)
        key = lines, kinds, returned
        if key not in compiled:
            params = [op.params for op in operations]
            compiled[key] = program_of(lines, params, returned)
        return Part(compiled[key], arguments, outputs, shapes.pop() if shapes else ())

    def run(self, inputs: Sequence[Any]) -> Any:
        """Return what the function returns for these leaves of its arguments."""
        import jax

        found: list[Any] = [None if node.operands else node.given(inputs) for node in self.results]
        for parts in self.runs:
            sizes = [math.prod(part.shape) for part in parts]
            ends, length = np.cumsum(sizes), SHORTEST
            while length < ends[-1]:
                length *= RATIO
            columns = zip(*(part.arguments for part in parts), strict=True)
            arguments = [argument(nodes, inputs, length) for nodes in columns]
            outputs = zip(*(part.outputs for part in parts), strict=True)
            for positions, value in zip(outputs, parts[0].program(length, *arguments), strict=True):
                got = np.asarray(value)
                for position, part, size, end in zip(positions, parts, sizes, ends, strict=True):
                    found[position] = got[end - size : end].reshape(part.shape) if got.ndim else got
        return jax.tree.unflatten(self.structure, found)


def argument(nodes: Sequence[Node], inputs: Sequence[Any], length: int) -> FloatArray:
    """Return an argument of a program: a number, or a vector of the arrays of some parts, and of zeros."""
    values = [node.given(inputs) for node in nodes]
    if not nodes[0].shape:
        return values[0]
    vector = np.zeros(length, nodes[0].dtype)
    np.concatenate([x.ravel() for x in values], out=vector[: sum(x.size for x in values)])
    return vector


def written_out(jaxpr: Jaxpr, inputs: Sequence[Node], constants: Sequence[Any]) -> list[Node]:
    """Return the results of a program, as nodes; the functions that it calls are written out."""
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
            results = written_out(inner.jaxpr, operands, inner.consts)
        else:
            results = [result_of(equation, operands)]
        nodes.update(zip(equation.outvars, results, strict=True))
    return [node_of(value) for value in jaxpr.outvars]


def result_of(equation: Any, operands: Sequence[Node]) -> Node:
    """Return the result of an operation; raise :class:`NotElementwise` if it is not known."""
    name, params, aval = equation.primitive.name, equation.params, equation.outvars[0].aval
    if np.dtype(aval.dtype).itemsize == 2:  # XLA rounds a constant to 16 bits where it need not round a value
        raise NotElementwise
    if name == "broadcast_in_dim" and all(node.shape == () for node in operands):
        [number] = operands
        if number.value is not None:
            return Node(aval.shape, aval.dtype, value=np.full(aval.shape, number.value, aval.dtype))
        return Node(aval.shape, aval.dtype, operands=operands)
    if name not in POINTWISE or any(node.shape not in ((), aval.shape) for node in operands):
        raise NotElementwise
    return Node(aval.shape, aval.dtype, primitive=equation.primitive, params=params, operands=operands)


def known(variable: Any, value: Any) -> Node:
    """Return the node of a known value."""
    return Node(variable.aval.shape, variable.aval.dtype, value=np.asarray(value, variable.aval.dtype))


def is_array(node: Node) -> bool:
    """True if the node is an array that is an input or known."""
    return node.shape != () and not node.operands


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


def program_of(lines: Sequence[Line], params: Sequence[dict[str, Any]], returned: Sequence[int]) -> Program:
    """Return the compiled program of these operations.

    Args:
        lines: the operations.
        params: the parameters of each.
        returned: the numbers of what the program returns.
    """
    import jax

    def program(length: int, *arguments: Any) -> list[Any]:
        values = list(arguments)
        for (primitive, _, operands, is_wide), keywords in zip(lines, params, strict=True):
            given = [values[k] for k in operands]
            if is_wide:
                given = [x if x.ndim else jax.lax.broadcast(x, (length,)) for x in given]
            values.append(given[0] if primitive is None else primitive.bind(*given, **keywords))
        return [values[k] for k in returned]

    return jax.jit(program, static_argnums=0)


def kind_of(leaf: Any) -> tuple[Shape, Any, bool]:
    """Return the shape of an array, its dtype, and whether that is the weak one of a Python number."""
    import jax

    aval = jax.typeof(leaf)
    return aval.shape, aval.dtype, aval.weak_type

"""Functions of JAX that treat each element alone, run by programs that many probes share.

To compile a step takes a thousand times as long as to run it, and the steps of most probes differ in shapes
and numbers alone.  So a step is traced, as ``jax.jit`` traces it.  If each of its operations on arrays is
known to treat each element alone, the step is taken apart into the programs of its parameters, and one of the
numbers that they share, such as the corrections of a clock.  In a program every number is an argument, and
every array a vector of one length.  Equal programs are compiled once, and run for all parameters that have
the same numbers, laid end to end.  A parameter without dimensions is an array of one element.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from adamcore.conformance.candidates.programs import compilations
from adamcore.conformance.candidates.programs.counting import counted, in_numpy
from adamcore.conformance.candidates.programs.pointwise import (
    Node,
    NotElementwise,
    Shape,
    arrays_among,
    needed,
    written_out,
)
from adamcore.conformance.types import FloatArray

if TYPE_CHECKING:
    from jax.extend.core import ClosedJaxpr, Primitive

LENGTH = 2**10  #: elements of a vector

Program = Callable[..., Sequence[Any]]  #: takes its arguments, numbers and vectors
Line = tuple["Primitive | None", str, tuple[int, ...], bool]
"""An operation of a program: what it is, its parameters as text, the places of its operands, and whether its
result is an array.  Lines have the places 0, 1 and so on, and arguments -1, -2 and so on."""


@dataclass(frozen=True)
class Part:
    """Some outputs of a function, which depend on the same arrays, and the program that computes them."""

    program: Program
    arguments: list[Node]
    is_number: list[bool]  #: of each argument
    outputs: list[int]  #: their positions among all outputs
    shape: Shape  #: of their arrays

    @property
    def run_with(self) -> Any:
        """What parts have in common that one run of their program computes: the program and its numbers."""
        numbers = (x.number for x, is_number in zip(self.arguments, self.is_number, strict=True) if is_number)
        return self.program, *numbers


class Programs:
    """The programs that the functions of one candidate share."""

    def __init__(self) -> None:
        self.compiled: dict[Any, Program] = {}
        #: numbers, by their programs and the bytes of the arguments
        self.computed: dict[Any, FloatArray] = {}
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
            return Plan(closed, jax.tree.structure(results), self)
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
        programs: those so far, and the numbers that they computed; new ones are added.

    Raises:
        NotElementwise: an operation is not known to treat each element alone, or an input or a result has the
            weak dtype of a Python number, which arrays of NumPy do not have.
    """

    def __init__(self, closed: ClosedJaxpr, structure: Any, programs: Programs) -> None:
        jaxpr = closed.jaxpr
        if jaxpr.effects or any(v.aval.weak_type for v in (*jaxpr.invars, *jaxpr.outvars)):
            raise NotElementwise
        inputs = [Node(v.aval.shape, v.aval.dtype, i) for i, v in enumerate(jaxpr.invars)]
        self.structure, self.compiled, self.computed = structure, programs.compiled, programs.computed
        self.results = written_out(jaxpr, inputs, closed.consts)
        self.needed = {k: needed(result) for k, result in enumerate(self.results) if result.operands}
        self.wide = arrays_among(self.results, self.needed)
        self.numbers = self.numbers_for(
            list(dict.fromkeys(node for some in self.needed.values() for node in some))
        )
        runs: dict[Any, list[Part]] = {}
        for outputs, nodes in self.groups():
            part = self.part(outputs, nodes)
            runs.setdefault(part.run_with, []).append(part)
        self.runs = list(runs.values())

    def numbers_for(self, nodes: Sequence[Node]) -> dict[Node, tuple[Callable[..., Any], Sequence[Node]]]:
        """Return what computes each number that the function computes and returns or uses with arrays.

        It is a function of NumPy or a program, and with it are its arguments.
        """
        in_none = counted(node for node in nodes if node not in self.wide)
        with_arrays = (x for node in nodes if node in self.wide for x in node.operands)
        waiting = [x for x in dict.fromkeys((*with_arrays, *self.results)) if x not in self.wide]
        found: dict[Node, tuple[Callable[..., Any], Sequence[Node]]] = {}
        while waiting:
            number = waiting.pop()
            if number in found or not number.operands:
                continue
            simple = in_numpy(number) if number in in_none or len(number.operands) == 1 else None
            if simple is not None:
                found[number] = simple, number.operands
            else:
                operations = [x for x in needed(number) if x.operands and x not in in_none]
                program, arguments = self.program(operations, [number])
                found[number] = partial(self.number, program), arguments
            waiting += found[number][1]
        return found

    def groups(self) -> list[tuple[list[int], list[Node]]]:
        """Return the positions of the arrays that are returned, those together that depend on the same ones.

        With them are the nodes that they depend on, and theirs, each after its operands.
        """
        nodes = {k: some for k, some in self.needed.items() if self.results[k] in self.wide}
        arrays = {k: [x for x in some if x in self.wide and not x.operands] for k, some in nodes.items()}
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

    def part(self, outputs: list[int], nodes: Sequence[Node]) -> Part:
        """Return the part of these outputs and nodes."""
        operations = [node for node in nodes if node.operands and node in self.wide]
        shapes = {node.shape for node in operations}
        if len(shapes) > 1:
            raise NotElementwise
        program, arguments = self.program(operations, [self.results[position] for position in outputs])
        return Part(program, arguments, [x not in self.wide for x in arguments], outputs, shapes.pop())

    def program(self, operations: Sequence[Node], returned: Sequence[Node]) -> tuple[Program, list[Node]]:
        """Return the program of some operations, and its arguments; an equal one is compiled once.

        Each use of a number is an argument of its own, so that programs are equal in which other numbers are.
        """
        place: dict[Node, int] = {node: k for k, node in enumerate(operations)}
        arguments: list[Node] = []

        def place_of(operand: Node) -> int:
            if operand not in place:
                arguments.append(operand)
                if operand not in self.wide:
                    return -len(arguments)
                place[operand] = -len(arguments)
            return place[operand]

        lines: tuple[Line, ...] = tuple(
            (op.primitive, op.params, tuple([place_of(x) for x in op.operands]), op in self.wide)
            for op in operations
        )
        kinds = tuple((node.dtype, node in self.wide) for node in arguments)
        key = lines, kinds, tuple(place[node] for node in returned)
        if key not in self.compiled:
            self.compiled[key] = program_of(lines, [op.keywords for op in operations], key[2])
        return self.compiled[key], arguments

    def run(self, inputs: Sequence[Any]) -> Any:
        """Return what the function returns for these leaves of its arguments."""
        import jax

        computed: dict[Node, FloatArray] = {}

        def value_of(node: Node) -> FloatArray:
            if not node.operands:
                return node.given(inputs)
            if node not in computed:
                function, arguments = self.numbers[node]
                computed[node] = np.asarray(function(*map(value_of, arguments)))
            return computed[node]

        found: list[Any] = [
            None if node in self.wide and node.operands else value_of(node) for node in self.results
        ]
        for parts in self.runs:
            sizes = [math.prod(part.shape) for part in parts]
            ends = np.cumsum(sizes)
            columns = zip(parts[0].is_number, *(part.arguments for part in parts), strict=True)
            arguments = [
                value_of(nodes[0]) if is_number else joined(map(value_of, nodes))
                for is_number, *nodes in columns
            ]
            outputs = zip(*(part.outputs for part in parts), strict=True)
            for positions, got in zip(outputs, in_blocks(parts[0].program, arguments), strict=True):
                for position, part, size, end in zip(positions, parts, sizes, ends, strict=True):
                    found[position] = got[end - size : end].reshape(part.shape)
        return jax.tree.unflatten(self.structure, found)

    def number(self, program: Program, *arguments: FloatArray) -> FloatArray:
        """Return what a program of numbers returns; many probes have the same corrections of a clock."""
        key = program, *(x.tobytes() for x in arguments)
        if key not in self.computed:
            self.computed[key] = np.asarray(program(*arguments)[0])
        return self.computed[key]


def joined(values: Iterable[FloatArray]) -> FloatArray:
    """Return vectors with the elements of some arrays end to end, and zeros behind them, a row each."""
    flat = [x.ravel() for x in values]
    count = sum(x.size for x in flat)
    vectors = np.zeros((max(math.ceil(count / LENGTH), 1), LENGTH), flat[0].dtype)
    np.concatenate(flat, out=vectors.ravel()[:count])
    return vectors


def in_blocks(program: Program, arguments: Sequence[FloatArray]) -> list[FloatArray]:
    """Return the results of a program for numbers and rows of vectors, the rows of each end to end."""
    rows = max(len(x) for x in arguments if x.ndim)
    blocks = [program(*(x[row] if x.ndim else x for x in arguments)) for row in range(rows)]
    return [np.concatenate(vectors) for vectors in zip(*blocks, strict=True)]


def program_of(lines: Sequence[Line], keywords: Sequence[dict[str, Any]], returned: Sequence[int]) -> Program:
    """Return the compiled program of these operations.

    Args:
        lines: the operations.
        keywords: the parameters of each.
        returned: the places of what the program returns.
    """
    import jax

    def program(*arguments: Any) -> list[Any]:
        values: dict[int, Any] = {-k: x for k, x in enumerate(arguments, start=1)}
        for place, ((primitive, _, operands, is_wide), params) in enumerate(
            zip(lines, keywords, strict=True)
        ):
            given = [values[k] for k in operands]
            if is_wide:
                given = [x if x.ndim else jax.lax.broadcast(x, (LENGTH,)) for x in given]
            values[place] = given[0] if primitive is None else primitive.bind(*given, **params)
        return [values[k] for k in returned]

    return jax.jit(program)


def kind_of(leaf: Any) -> tuple[Shape, Any, bool]:
    """Return the shape of an array, its dtype, and whether that is the weak one of a Python number."""
    import jax

    aval = jax.typeof(leaf)
    return aval.shape, aval.dtype, aval.weak_type

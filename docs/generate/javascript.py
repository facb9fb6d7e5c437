"""The definition of Adam in JavaScript, translated from the text of adamcore/definition.py.

Every operator on numbers becomes a call (``a + b`` is ``o.add(a, b)``), so that ``o`` decides what a number
is: a double, a float32 that is rounded after each operation, or a number that records what is done to it.
What Python has beyond that in definition.py is translated as it stands; anything else is an error.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable

from adamcore import definition
from adamcore.definition import Coefficients

FUNCTIONS = ("coefficients", "average", "add_weighted", "update", "move", "aligned")
OPERATORS = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}
METHODS = {"startswith": "startsWith", "endswith": "endsWith"}
RESERVED = {"new": "fresh"}


def definition_js() -> str:
    """Return ``function definition(o)``, which returns the functions of the definition over ``o``."""
    tree = ast.parse(inspect.getsource(definition))
    found = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    fields = Coefficients._fields
    lines = [
        f"const FIELDS = [{', '.join(repr(name) for name in fields)}];",
        "const Coefficients = (...values) =>",
        "  Object.fromEntries(FIELDS.map((name, i) => [name, values[i] ?? null]));",
        "function definition(o) {",
    ]
    for name in FUNCTIONS:
        lines += [f"  {line}" for line in Function(found[name]).lines()]
    return "\n".join([*lines, f"  return {{{', '.join(FUNCTIONS)}}};", "}", ""])


class Function:
    """One function on its way to JavaScript."""

    def __init__(self, node: ast.FunctionDef) -> None:
        self.node = node

    def lines(self) -> list[str]:
        """Return the function's lines."""
        arguments = self.node.args
        first = len(arguments.args) - len(arguments.defaults)
        names = [
            self.name(each.arg) + (f" = {self.value(arguments.defaults[i - first])}" if i >= first else "")
            for i, each in enumerate(arguments.args)
        ]
        inside = {self.name(each.arg) for each in arguments.args}
        local = sorted(assigned(self.node.body) - inside)
        head = [f"function {self.node.name}({', '.join(names)}) {{"]
        if local:
            head.append(f"  let {', '.join(local)};")
        return [*head, *self.block(self.node.body[1:]), "}"]  # the docstring is left out

    def block(self, body: Iterable[ast.stmt]) -> list[str]:
        """Return the lines of a block, indented."""
        return [f"  {line}" for statement in body for line in self.statement(statement)]

    def statement(self, node: ast.stmt) -> list[str]:
        """Return the lines of a statement."""
        match node:
            case ast.Assign():
                targets = " = ".join(self.target(each) for each in node.targets)
                return [f"{targets} = {self.value(node.value)};"]
            case ast.Return(value=ast.expr() as value):
                return [f"return {self.value(value)};"]
            case ast.If():
                out = [f"if ({self.value(node.test)}) {{", *self.block(node.body)]
                return [*out, "} else {", *self.block(node.orelse), "}"] if node.orelse else [*out, "}"]
            case ast.Match():
                out = []
                for case in node.cases:
                    assert isinstance(case.pattern, ast.MatchValue)
                    test = f"{self.value(node.subject)} === {self.value(case.pattern.value)}"
                    out += [f"{'} else ' if out else ''}if ({test}) {{", *self.block(case.body)]
                return [*out, "}"]
            case ast.For():
                head = f"for (const {self.target(node.target)} of {self.value(node.iter)}) {{"
                return [head, *self.block(node.body), "}"]
        raise NotImplementedError(ast.unparse(node))

    def target(self, node: ast.expr) -> str:
        """Return what is assigned to; ``_`` is left out, since JavaScript takes no name twice."""
        if isinstance(node, ast.Tuple):
            names = [
                "" if isinstance(each, ast.Name) and each.id == "_" else self.target(each)
                for each in node.elts
            ]
            return f"[{', '.join(names)}]"
        return self.value(node)

    def value(self, node: ast.expr) -> str:
        """Return an expression."""
        match node:
            case ast.Name():
                return self.name(node.id)
            case ast.Constant(value=None):
                return "null"
            case ast.Constant(value=bool(truth)):
                return str(truth).lower()
            case ast.Constant(value=(int() | float() | str()) as constant):
                return repr(constant)
            case ast.Attribute():
                return f"{self.value(node.value)}.{METHODS.get(node.attr, node.attr)}"
            case ast.BinOp():
                return f"o.{OPERATORS[type(node.op)]}({self.value(node.left)}, {self.value(node.right)})"
            case ast.UnaryOp(op=ast.USub()):
                return f"o.neg({self.value(node.operand)})"
            case ast.UnaryOp(op=ast.Not()):
                return f"!{self.value(node.operand)}"
            case ast.BoolOp():
                sign = " || " if isinstance(node.op, ast.Or) else " && "
                parts = [self.value(each) for each in node.values]
                return f"({sign.join(parts)})"
            case ast.Compare(ops=[op], comparators=[right]):
                return self.comparison(node.left, op, right)
            case ast.IfExp():
                return f"({self.value(node.test)} ? {self.value(node.body)} : {self.value(node.orelse)})"
            case ast.Call(keywords=[]):
                return f"{self.value(node.func)}({', '.join(map(self.value, node.args))})"
            case ast.Tuple() | ast.List():
                return f"[{', '.join(map(self.value, node.elts))}]"
            case ast.Subscript(slice=ast.Slice(lower=ast.Constant(value=int(lower)), upper=None, step=None)):
                return f"{self.value(node.value)}.slice({lower})"
            case ast.Subscript(slice=ast.Constant(value=int(index))):
                return f"{self.value(node.value)}[{index}]"
            case ast.ListComp(generators=[each]) | ast.GeneratorExp(generators=[each]):
                target = self.target(each.target)
                return f"{self.value(each.iter)}.map(({target}) => {self.value(node.elt)})"
        raise NotImplementedError(ast.unparse(node))

    def comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> str:
        """Return a comparison; those of this file ask what something is, never which number is larger."""
        a, b = self.value(left), self.value(right)
        match op:
            case ast.Eq() | ast.Is():
                return f"{a} === {b}"
            case ast.NotEq() | ast.IsNot():
                return f"{a} !== {b}"
            case ast.In():
                return f"{b}.includes({a})"
        raise NotImplementedError(ast.unparse(op))

    def name(self, name: str) -> str:
        """Return a name that is none of JavaScript's own words."""
        return RESERVED.get(name, name)


def assigned(body: Iterable[ast.stmt]) -> set[str]:
    """Return the names that a block assigns to, those of comprehensions and loops aside."""
    found: set[str] = set()
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    found |= {each.id for each in ast.walk(target) if isinstance(each, ast.Name)}
    return {RESERVED.get(name, name) for name in found}

"""A step in two stages: the moments in 8 bits of a block with their scales, and what follows from these.

The second stage of a block is carried out while the next block is in its first.  A step waits for roots and
divisions, and the codes of a block wait for its largest moment.  A processor does not look far enough ahead
to find other work in the meantime.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from adamcore.backends.kernels.body import carry_out, coefficients, inputs_of, loaded, read_at, write
from adamcore.backends.kernels.conversions import store, store_integer
from adamcore.backends.kernels.formats import BITS, Format, Lines
from adamcore.backends.kernels.kept import store_at_random, store_parameter
from adamcore.backends.kernels.llvm import native_tables
from adamcore.backends.kernels.roots import nearest_whole, whole_part
from adamcore.backends.kernels.words import Value, ValueWords
from adamcore.storage import companded
from adamcore.tracing import Op, Program


class OrdinaryWords(ValueWords):
    """The operations on bits of ordinary numbers, which meet every condition of :meth:`usual`."""

    def usual(self, condition: Value, new: Any, old: Any) -> Value:
        assert isinstance(new, Value)
        return new


class Stages(NamedTuple):
    """The operations of a program in two stages."""

    program: Program
    dtypes: Format
    first: list[Op]
    second: list[Op]
    sized: dict[str, str]  #: of each moment in 8 bits the value that gets codes: m, or the root of v

    @property
    def inputs(self) -> list[str]:
        """What the first stage reads."""
        used = {x for op in self.first for x in op.args} | {*self.sized.values()}
        return [name for name in self.program.inputs if name in used]

    @property
    def plain(self) -> dict[str, str]:
        """The values that are written and have no codes, by the names of their arrays."""
        return {name: x for name, x in self.program.outputs if name not in self.sized}

    @property
    def later(self) -> list[str]:
        """What only the second stage reads."""
        used = {x for op in self.second for x in op.args} | {*self.plain.values()}
        return [name for name in self.program.inputs if name in used and name not in self.inputs]

    @property
    def carried(self) -> list[str]:
        """The values of the first stage that the second needs."""
        made = {*self.inputs, *(op.out for op in self.first)}
        used = {x for op in self.second for x in op.args} | {*self.plain.values(), *self.sized.values()}
        return sorted(used & made)


def stages(program: Program, dtypes: Format) -> Stages:
    """Return the operations that moments in 8 bits need, with the roots of v and v_max, and the others."""
    sized = {name: value for name, value in program.outputs if dtypes.coding(name) is not None}
    ops = list(program.ops)
    for name, value in sized.items():
        if name != "m":
            own = (op.out for op in ops if op.kind == "sqrt" and op.args == (value,))
            sized[name] = next(own, f"{name}.root")
            if sized[name] == f"{name}.root":
                ops.append(Op("sqrt", sized[name], (value,)))
    first = leading_to(ops, sized.values())
    return Stages(program, dtypes, first, [op for op in ops if op not in first], sized)


def leading_to(ops: Sequence[Op], values: Iterable[str]) -> list[Op]:
    """Return the operations that these values need."""
    needed, found = {*values}, []
    for op in reversed(ops):
        if op.out in needed:
            needed |= {*op.args}
            found.append(op)
    return found[::-1]


class SecondStage:
    """The second stage of the block before, whose parts the loop puts in its order.

    Args:
        lines: gets the lines.
        s: the operations.
        targets, half: see :func:`adamcore.backends.kernels.body.body`.
    """

    def __init__(self, lines: Lines, s: Stages, targets: Mapping[str, str], half: bool) -> None:
        self.lines, self.s, self.targets, self.half = lines, s, targets, half
        #: the values, by their names in the program, and what codes are made of
        self.names = coefficients(lines, s.program) | {x: f"%{x}.before" for x in s.carried}
        self.waiting = list(s.second)  #: operations that are still to be carried out
        lines.put(f"%before{lines.tag}", f"sub i64 %i.m, {lines.lanes}")

    @property
    def needed(self) -> list[str]:
        """The values that are still used, but by the codes."""
        used = {x for op in self.waiting for x in op.args} | {*self.s.plain.values()}
        return sorted(x for x in used if x in self.names and x not in self.s.program.coefficients)

    def at(self, lines: Lines, name: str) -> str:
        """Return the address of the block in an array, or of a copy if the block had no first stage."""
        element, at = BITS[self.s.dtypes.of(name.removesuffix("_new"))], f"%{name}.{len(lines)}{lines.tag}"
        lines.put(f"{at}.own", f"getelementptr {element}, ptr %{name}.base, i64 %before{lines.tag}")
        return lines.put(at, f"select i1 %pending, ptr {at}.own, ptr %{name}.copy")

    def value(self, name: str) -> Value:
        return Value(self.lines, self.names[name], "float")

    def begin_codes(self, name: str) -> None:
        """Begin with the root that the codes of a moment are."""
        lines, words = self.lines, OrdinaryWords()
        w = self.value(self.s.sized[name]).cast("bitcast", "i32")
        all_ = lines.repeated(f"%{name}.over{lines.tag}", "float", f"%{name}.over.before")
        over = Value(lines, all_, "float")
        square = (companded.m_square if name == "m" else companded.v_square)(words, w, over)
        if name != "m" and native_tables():
            self.names[f"{name}.square"] = square.name
            self.names[f"{name}.about"] = whole_part(square).name
        else:
            self.names[f"{name}.bent"] = words.root(square).name

    def end_codes(self, name: str) -> None:
        """Write the codes of a moment."""
        lines, words, dtypes = self.lines, OrdinaryWords(), self.s.dtypes
        w = self.value(self.s.sized[name]).cast("bitcast", "i32")
        if f"{name}.about" in self.names:
            found = nearest_whole(self.value(f"{name}.square"), self.value(f"{name}.about"))
            made = words.where(w > 0, found, 0)
        elif name == "m":
            made = companded.m_rounded(words, self.value("m.bent"), w)
        else:
            made = companded.v_rounded(words, self.value(f"{name}.bent"), w > 0)
        codes = store_integer(lines, made.name, dtypes.of(name), f"%{name}.codes{lines.tag}")
        write(lines, name, codes, dtypes, self.at(lines, self.targets[name]))

    def divide(self) -> None:
        """Carry out the operations that need values of the first stage alone, as the division does."""
        missing = {*self.s.later}
        for op in self.waiting:
            missing |= {op.out} if {*op.args} & missing else set()
        self.carry_out([op for op in self.waiting if op.out not in missing])

    def finish(self) -> None:
        """Read what the first stage has not read, and carry out the other operations."""
        lines, s, raw = self.lines, self.s, dict[str, str]()
        for name in inputs_of(s.program, s.dtypes):
            if name in s.later or (name == "p_rest" and "p" in s.later):
                raw[name] = read_at(lines, name, s.dtypes, self.at(lines, name))
        for name in s.later:
            self.names[name] = loaded(lines, raw, name, s.dtypes, self.half, OrdinaryWords)
        self.carry_out(self.waiting)

    def carry_out(self, ops: Sequence[Op]) -> None:
        carry_out(self.lines, ops, self.names, self.s.dtypes.work)
        self.waiting = [op for op in self.waiting if op not in ops]

    def write_plain(self, tag: str, kind: type[ValueWords]) -> Lines:
        """Return lines that write what has no codes, for behind :meth:`finish`.

        Args:
            tag: of the lines.
            kind: of the operations on bits.
        """
        lines, dtypes, new = Lines(self.lines.lanes, tag=tag), self.s.dtypes, dict[str, str]()
        for name in "before", "i":
            lines.put(f"%{name}{tag}", f"sub i64 %i.m, {lines.lanes}")
        for name, value in self.s.plain.items():
            x = self.names[value]
            if name == "p" and dtypes.policy is not None:
                new |= store_parameter(lines, x, dtypes, self.half, kind)
            elif dtypes.random(name):
                new |= store_at_random(lines, x, name, dtypes, self.half)
            else:
                new[name] = store(lines, x, dtypes.of(name), dtypes.work, self.half, f"%{name}.new{tag}")
        for name, x in new.items():
            write(lines, name, x, dtypes, self.at(lines, self.targets[name]))
        return lines

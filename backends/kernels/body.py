"""What the loop does with a vector of elements: read, carry out the program, round and write.

Each operation of a program is a line, none is fused or reordered, so the bits are those of the definition on
every machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adamcore.backends.kernels.conversions import load, store
from adamcore.backends.kernels.formats import BITS, LLVM, SIZES, Format, Lines, Real
from adamcore.backends.kernels.kept import (
    load_moment,
    load_parameter,
    store_at_random,
    store_moment,
    store_parameter,
)
from adamcore.backends.kernels.quick import rounded_quickly
from adamcore.backends.kernels.words import ValueWords
from adamcore.tracing import Op, Program


def inputs_of(program: Program, dtypes: Format) -> list[str]:
    """Return the names of the arrays that a kernel reads, in the order of its table, without a mask."""
    return [*program.inputs, *beside(program, dtypes)]


def outputs_of(program: Program, dtypes: Format) -> list[str]:
    """Return the names of the arrays that a kernel writes, in the order of its table."""
    return [*(name for name, _ in program.outputs), *beside(program, dtypes)]


def beside(program: Program, dtypes: Format) -> list[str]:
    """Return the names of the arrays that a program knows nothing of: rests and scales."""
    scales = [f"{name}_scale" for name in program.inputs if dtypes.coding(name) is not None]
    return [*([] if dtypes.rest is None else ["p_rest"]), *scales]


def scaled_by(name: str) -> str:
    """Return the name of the moment that an array has the scales of; "" of another array.

    >>> scaled_by("m_scale_new"), scaled_by("m")
    ('m', '')
    """
    moment, scale, _ = name.partition("_scale")
    return moment if scale else ""


def body(
    program: Program,
    dtypes: Format,
    targets: Mapping[str, str],
    lanes: int,
    masked: bool,
    half: bool,
    copied: bool = False,
    quick: bool = False,
) -> Lines:
    """Return the operations on a vector of so many elements, or on one element.

    Args:
        program, dtypes, masked, half: see :func:`adamcore.backends.kernels.loop.text`.
        targets: for each array that is written its name, or that of the array that is written in its place.
        lanes: the number of elements.
        quick: True if the processor may round to bfloat16: see :mod:`adamcore.backends.kernels.quick`.
        copied: True for elements that stand in ``%name.copy``: see :mod:`adamcore.backends.kernels.tail`.
    """
    tag = ".t" if copied else ".s" if lanes == 1 else ".m"
    lines, work = Lines(lanes, lanes > 1 and dtypes.pairs, tag), dtypes.work
    raw = read(lines, inputs_of(program, dtypes), dtypes, copied)
    names = stepped(lines, program, raw, dtypes, half)
    new: dict[str, str] = {}  # what is written
    results: dict[str, str] = {}  # what the processor may round
    for name, value in program.outputs:
        if name == "p" and dtypes.policy is not None:
            new |= store_parameter(lines, names[value], dtypes, half)
        elif dtypes.coding(name) is not None:
            new |= store_moment(lines, names[value], name, dtypes)
        elif dtypes.random(name):
            new |= store_at_random(lines, names[value], name, dtypes, half)
        elif quick and dtypes.of(name) == "bfloat16":
            results[name] = names[value]
        else:
            new[name] = store(lines, names[value], dtypes.of(name), work, half, f"%{name}.new{tag}")
    if results:

        def exact(name: str, x: str) -> str:
            return store(lines, x, "bfloat16", work, half, f"%{name}.new{tag}")

        new |= rounded_quickly(lines, results, exact, "many")
    if masked:
        byte = lines.kind("i8")
        at = lines.put(f"%where.p{tag}", f"getelementptr i8, ptr %where.base, i64 %i{tag}")
        lines.put("%where.byte" + tag, f"load {byte}, ptr {at}, align 1")
        where = lines.put("%where" + tag, f"icmp ne {byte} %where.byte{tag}, zeroinitializer")
    for name in outputs_of(program, dtypes):
        x = new[name]
        if masked:  # what was read, since a NaN would not be the same bits when rounded again
            x = lines.select(f"%{name}.kept{tag}", where, BITS[dtypes.of(name)], x, raw[name])
        write(lines, name, x, dtypes, target(lines, name, dtypes, targets, copied))
    return lines


def place(lines: Lines, name: str, dtypes: Format, copied: bool = False) -> str:
    """Return the address of the elements or the scales of an array in this pass, by lines that are added."""
    tag, scaled = lines.tag, scaled_by(name)
    at, coding = f"ptr %{name}.base, i64 %i{tag}", dtypes.coding(scaled)
    if copied:
        at = f"ptr %{name}.copy, i64 0"
    elif coding is not None:
        lines.put(f"%{name}.block{tag}", f"udiv i64 %i{tag}, {coding.block}")
        at = f"ptr %{name}.base, i64 %{name}.block{tag}"
    element = BITS[dtypes.of(name.removesuffix("_new"))]
    return lines.put(f"%{name}.p{tag}", f"getelementptr {element}, {at}")


def target(lines: Lines, name: str, dtypes: Format, targets: Mapping[str, str], copied: bool = False) -> str:
    """Return the address to which the elements of an array are written, by lines that are added."""
    at = targets[name]
    return f"%{name}.p{lines.tag}" if at == name else place(lines, at, dtypes, copied)


def kind_of(lines: Lines, name: str, dtypes: Format) -> str:
    """Return the type of what is read or written of an array: elements, or the scales of their blocks."""
    element, count = BITS[dtypes.of(name)], dtypes.scales(scaled_by(name))
    return f"<{count} x {element}>" if count else lines.kind(element)


def read(lines: Lines, names: Sequence[str], dtypes: Format, copied: bool = False) -> dict[str, str]:
    """Return what is read of arrays, by their names, by lines that are added."""
    raw = {}
    for name in names:
        raw[name] = read_at(lines, name, dtypes, place(lines, name, dtypes, copied))
    return raw


def read_at(lines: Lines, name: str, dtypes: Format, at: str) -> str:
    """Return what is read of an array at an address."""
    kind, size = kind_of(lines, name, dtypes), SIZES[dtypes.of(name)]
    return lines.put(f"%{name}{lines.tag}", f"load {kind}, ptr {at}, align {size}")


def write(lines: Lines, name: str, x: str, dtypes: Format, at: str) -> None:
    """Add a line that writes ``x`` as elements of an array, or as scales."""
    size = SIZES[dtypes.of(name)]
    lines.append(f"  store {kind_of(lines, name, dtypes)} {x}, ptr {at}, align {size}")


def stepped(
    lines: Lines, program: Program, raw: Mapping[str, str], dtypes: Format, half: bool
) -> dict[str, str]:
    """Return the values of a program by their names, by lines that are added.

    Args:
        lines, program, dtypes, half: see :func:`body`.
        raw: what was read, by the names of the arrays.
    """
    names = coefficients(lines, program)
    names |= {name: loaded(lines, raw, name, dtypes, half) for name in program.inputs}
    carry_out(lines, program.ops, names, dtypes.work)
    return names


def coefficients(lines: Lines, program: Program) -> dict[str, str]:
    """Return the coefficients of a program, by their names there."""
    return {name: f"%{name}{'' if lines.lanes == 1 else '.all'}" for name in program.coefficients}


def loaded(
    lines: Lines,
    raw: Mapping[str, str],
    name: str,
    dtypes: Format,
    half: bool,
    words: type[ValueWords] = ValueWords,
) -> str:
    """Return an input of a program in the arithmetic, by lines that are added.

    Args:
        lines, dtypes, half: see :func:`body`.
        raw: what was read, by the names of the arrays.
        name: of the input.
        words: the kind of the operations on bits of moments.
    """
    if name == "p" and dtypes.policy is not None:
        return load_parameter(lines, raw, dtypes, half)
    if dtypes.coding(name) is not None:
        return load_moment(lines, raw, name, dtypes, words)
    return load(lines, raw[name], dtypes.of(name), dtypes.work, half)


def carry_out(lines: Lines, ops: Sequence[Op], names: dict[str, str], work: Real) -> None:
    """Add the lines of operations of a program, and put their results among the values by their names."""
    for op in ops:
        args = [names[name] for name in op.args]
        names[op.out] = operation(lines, op, args, f"%{op.out}{lines.tag}", work)


def operation(lines: Lines, op: Op, args: Sequence[str], x: str, work: Real) -> str:
    """Return the result of an operation of a program, which gets the name ``x``, by lines that are added."""
    kind, (a, b) = lines.kind(LLVM[work]), (*args, "")[:2]
    suffix = f"f{8 * SIZES[work]}" if lines.lanes == 1 else f"v{lines.lanes}f{8 * SIZES[work]}"
    if op.kind == "sqrt":
        lines.put(x, f"call {kind} @llvm.sqrt.{suffix}({kind} {a})")
    elif op.kind == "neg":
        lines.put(x, f"fneg {kind} {a}")
    elif op.kind == "maximum":  # the larger, NaN where either is
        lines.put(f"{x}.ge", f"fcmp oge {kind} {a}, {b}")
        lines.put(f"{x}.nan", f"fcmp uno {kind} {a}, {a}")
        lines.put(f"{x}.first", f"or {lines.kind('i1')} {x}.ge, {x}.nan")
        lines.select(x, f"{x}.first", LLVM[work], a, b)
    elif op.kind == "sign":  # of -0.0 it is 0.0, as in NumPy and PyTorch; of NaN it is NaN
        for name, test in (("up", "ogt"), ("down", "olt")):
            lines.put(f"{x}.{name}", f"fcmp {test} {kind} {a}, zeroinitializer")
        lines.put(f"{x}.zero", f"fadd {kind} {a}, zeroinitializer")
        lines.select(f"{x}.less", f"{x}.down", LLVM[work], lines.constant(-1.0, LLVM[work]), f"{x}.zero")
        lines.select(x, f"{x}.up", LLVM[work], lines.constant(1.0, LLVM[work]), f"{x}.less")
    else:
        lines.put(x, f"f{op.kind} {kind} {a}, {b}")
    return x

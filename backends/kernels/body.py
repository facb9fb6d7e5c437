"""What the loop does with a vector of elements: read, carry out the program, round and write.

Each operation of a program is a line, none is fused or reordered, so the bits are those of the definition on
every machine.  How a parameter is kept (:mod:`adamcore.storage`) becomes lines in the same way: its functions
run on the values of :mod:`adamcore.backends.kernels.words`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adamcore.backends.kernels.conversions import load, load_integer, store, store_exact, store_integer
from adamcore.backends.kernels.formats import BITS, LLVM, SIZES, Format, Lines, Real
from adamcore.backends.kernels.words import Value, ValueWords
from adamcore.storage import policies
from adamcore.storage.random_bits import Key, LeafKey
from adamcore.tracing import Op, Program


def inputs_of(program: Program, dtypes: Format) -> list[str]:
    """Return the names of the arrays that a kernel reads, in the order of its table, without a mask."""
    return [*program.inputs, *([] if dtypes.rest is None else ["p_rest"])]


def outputs_of(program: Program, dtypes: Format) -> list[str]:
    """Return the names of the arrays that a kernel writes, in the order of its table."""
    return [*(name for name, _ in program.outputs), *([] if dtypes.rest is None else ["p_rest"])]


KEY = (*LeafKey._fields, "clock")  #: the words of an array's key


def key_lines(lanes: int) -> str:
    """Return lines that read the key of array j, each word as a vector too."""
    vector = f"<{lanes} x i32>"
    first = """  %keys.slot = getelementptr i64, ptr %table, i64 5
  %keys = load ptr, ptr %keys.slot
  %key.at = mul i64 %j, 4"""
    words = (
        f"""  %{name}.at = add i64 %key.at, {i}
  %{name}.slot = getelementptr i32, ptr %keys, i64 %{name}.at
  %{name} = load i32, ptr %{name}.slot
  %{name}.one = insertelement {vector} poison, i32 %{name}, i64 0
  %{name}.all = shufflevector {vector} %{name}.one, {vector} poison, <{lanes} x i32> zeroinitializer"""
        for i, name in enumerate(KEY)
    )
    return "\n".join([first, *words])


def elements_of(lines: Lines, tag: str) -> Value:
    """Return the numbers of a vector's elements, as words, by lines that are added."""
    first = lines.put(f"%element{tag}", f"trunc i64 %i{tag} to i32")
    if lines.lanes == 1:
        return Value(lines, first, "i32")
    vector = lines.kind("i32")
    one = lines.put(f"%element.one{tag}", f"insertelement {vector} poison, i32 {first}, i64 0")
    all_ = f"shufflevector {vector} {one}, {vector} poison, <{lines.lanes} x i32> zeroinitializer"
    places = [*range(lines.lanes)]
    if lines.pairs:
        places = places[::2] + places[1::2]
    return Value(lines, lines.put(f"%element.all{tag}", all_), "i32") + Value(
        lines, f"<{', '.join(f'i32 {k}' for k in places)}>", "i32"
    )


def body(
    program: Program, dtypes: Format, targets: Mapping[str, str], lanes: int, masked: bool, half: bool
) -> Lines:
    """Return the operations on a vector of so many elements, or on one element.

    Args:
        program, dtypes, masked, half: see :func:`adamcore.backends.kernels.loop.text`.
        targets: for each array that is written its name, or that of the array that is written in its place.
        lanes: the number of elements.
    """
    lines, work = Lines(lanes, lanes > 1 and dtypes.pairs), dtypes.work
    tag, scalar = (".s", "") if lanes == 1 else (".m", ".all")

    def place(name: str, element: str) -> str:
        return lines.put(f"%{name}.p{tag}", f"getelementptr {element}, ptr %{name}.base, i64 %i{tag}")

    raw = {}  # what is read, by the names of the arrays
    for name in inputs_of(program, dtypes):
        element, size = BITS[dtypes.of(name)], SIZES[dtypes.of(name)]
        at = place(name, element)
        raw[name] = lines.put(f"%{name}{tag}", f"load {lines.kind(element)}, ptr {at}, align {size}")
    names = {name: f"%{name}{scalar}" for name in program.coefficients}
    for name in program.inputs:
        kept = name == "p" and dtypes.policy is not None
        names[name] = (
            load_parameter(lines, raw, dtypes, half)
            if kept
            else load(lines, raw[name], dtypes.of(name), work, half)
        )
    for op in program.ops:
        names[op.out] = operation(lines, op, [names[name] for name in op.args], f"%{op.out}{tag}", work)
    new: dict[str, str] = {}  # what is written
    for name, value in program.outputs:
        if name == "p" and dtypes.policy is not None:
            new |= store_parameter(lines, names[value], dtypes, half, tag)
        else:
            new[name] = store(lines, names[value], dtypes.of(name), work, half, f"%{name}.new{tag}")
    if masked:
        byte = lines.kind("i8")
        lines.put("%where.byte" + tag, f"load {byte}, ptr {place('where', 'i8')}, align 1")
        where = lines.put("%where" + tag, f"icmp ne {byte} %where.byte{tag}, zeroinitializer")
    for name in outputs_of(program, dtypes):
        element, x = BITS[dtypes.of(name)], new[name]
        if masked:  # what was read, since a NaN would not be the same bits when rounded again
            x = lines.select(f"%{name}.kept{tag}", where, element, x, raw[name])
        at = f"%{name}.p{tag}" if targets[name] == name else place(targets[name], element)
        lines.append(f"  store {lines.kind(element)} {x}, ptr {at}, align {SIZES[dtypes.of(name)]}")
    return lines


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


# A parameter that is not kept plainly --------------------------------------------------------------


def load_parameter(lines: Lines, raw: Mapping[str, str], dtypes: Format, half: bool) -> str:
    """Return the value of a parameter in the arithmetic (STORE.1), by lines that are added.

    Args:
        lines, dtypes, half: see :func:`body`.
        raw: the elements that were read, by the names of the arrays.
    """
    policy, rest = dtypes.policy, None
    assert policy is not None
    if dtypes.rest in ("int16", "int8"):
        rest = Value(lines, load_integer(lines, raw["p_rest"], dtypes.rest), "i32")
    elif dtypes.rest is not None:
        rest = Value(lines, load(lines, raw["p_rest"], dtypes.rest, "float32", half), "float")
    p = Value(lines, load(lines, raw["p"], dtypes.p, "float32", half), "float")
    x = policies.load(ValueWords(), policy, p, rest).name
    return x if dtypes.work == "float32" else lines.cast(f"{x}.double", "fpext", "float", x, "double")


def store_parameter(lines: Lines, x: str, dtypes: Format, half: bool, tag: str) -> dict[str, str]:
    """Return a parameter and its rest as they are written, by lines that are added.

    Args:
        lines, dtypes, half: see :func:`body`.
        x: the name of the value in the arithmetic.
        tag: what the names of this body end with.
    """
    policy, key, elements = dtypes.policy, None, None
    assert policy is not None
    if dtypes.work == "float64":
        x = lines.cast(f"{x}.single", "fptrunc", "double", x, "float")
    if dtypes.p_storage == "stochastic":
        scalar = "" if lines.lanes == 1 else ".all"
        *of_leaf, t = (Value(lines, f"%{name}{scalar}", "i32") for name in KEY)
        key, elements = Key(LeafKey(*of_leaf), t), elements_of(lines, tag)
    p, rest = policies.store(ValueWords(elements), policy, Value(lines, x, "float"), key)
    new = {"p": store_exact(lines, p.name, dtypes.p, half, f"%p.new{tag}")}
    if rest is None or dtypes.rest is None:
        return new
    name = f"%p_rest.new{tag}"
    if rest.kind == "i32":
        return new | {"p_rest": store_integer(lines, rest.name, dtypes.rest, name)}
    return new | {"p_rest": store_exact(lines, rest.name, dtypes.rest, half, name)}

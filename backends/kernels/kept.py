"""What is not kept as numbers of its dtype, in the loop: parameters under a policy, moments in 8 bits.

No rule stands here: the functions of :mod:`adamcore.storage` run on values that write lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adamcore.backends.kernels.conversions import (
    LOOKUP,
    QUARTERS,
    load,
    load_integer,
    outside_word,
    picked_bytes,
    store_exact,
    store_integer,
    upper_half,
)
from adamcore.backends.kernels.formats import Format, Lines
from adamcore.backends.kernels.llvm import native_tables
from adamcore.backends.kernels.words import Value, ValueWords
from adamcore.storage import bits, moments, policies
from adamcore.storage.random_bits import Key, LeafKey, at_random

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


def elements_of(lines: Lines, name: str) -> Value:
    """Return the numbers of a vector's elements in an array, as words, by lines that are added."""
    tag = f".{name}{lines.tag}"
    first = lines.put(f"%element{tag}", f"trunc i64 %i{lines.tag} to i32")
    if lines.lanes == 1:
        return Value(lines, first, "i32")
    all_ = lines.repeated(f"%element.all{tag}", "i32", first)
    places = [*range(lines.lanes)]
    if lines.pairs:
        places = places[::2] + places[1::2]
    return Value(lines, all_, "i32") + Value(lines, f"<{', '.join(f'i32 {k}' for k in places)}>", "i32")


def key_of_array(lines: Lines) -> Key:
    """Return the key of the random bits of an array, which :func:`key_lines` has read."""
    scalar = "" if lines.lanes == 1 else ".all"
    *of_leaf, t = (Value(lines, f"%{name}{scalar}", "i32") for name in KEY)
    return Key(LeafKey(*of_leaf), t)


def store_at_random(lines: Lines, x: str, name: str, dtypes: Format, half: bool) -> dict[str, str]:
    """Return a moment rounded at random as it is written (STORE.16), by lines that are added.

    Args:
        lines, dtypes, half: see :func:`adamcore.backends.kernels.body.body`.
        x: the name of the moment in the arithmetic.
        name: of the moment.
    """
    if dtypes.work == "float64":
        x = lines.cast(f"{x}.{name}.single", "fptrunc", "double", x, "float")
    words, dtype = ValueWords(elements_of(lines, name)), dtypes.of(name)
    made = at_random(words, name, Value(lines, x, "float"), dtype, key_of_array(lines))
    return {name: store_exact(lines, made.name, dtype, half, f"%{name}.new{lines.tag}")}


def load_parameter(lines: Lines, raw: Mapping[str, str], dtypes: Format, half: bool) -> str:
    """Return the value of a parameter in the arithmetic (STORE.1), by lines that are added.

    Args:
        lines, dtypes, half: see :func:`body`.
        raw: the elements that were read, by the names of the arrays.
    """
    policy, rest = dtypes.policy, None
    assert policy is not None
    if in_bytes(lines, dtypes):
        return split8_from_bytes(lines, raw["p"], raw["p_rest"])
    if dtypes.rest in ("int16", "int8"):
        rest = Value(lines, load_integer(lines, raw["p_rest"], dtypes.rest), "i32")
    elif dtypes.rest is not None:
        rest = Value(lines, load(lines, raw["p_rest"], dtypes.rest, "float32", half), "float")
    p = Value(lines, load(lines, raw["p"], dtypes.p, "float32", half), "float")
    x = policies.load(ValueWords(), policy, p, rest).name
    return x if dtypes.work == "float32" else lines.cast(f"{x}.double", "fpext", "float", x, "double")


def store_parameter(
    lines: Lines, x: str, dtypes: Format, half: bool, kind: type[ValueWords] = ValueWords
) -> dict[str, str]:
    """Return a parameter and its rest as they are written, by lines that are added.

    Args:
        lines, dtypes, half: see :func:`body`.
        x: the name of the value in the arithmetic.
        kind: of the operations on bits.
    """
    policy, key, elements = dtypes.policy, None, None
    assert policy is not None
    if in_bytes(lines, dtypes):
        return split8_in_bytes(kind(), Value(lines, x, "float"))
    if dtypes.work == "float64":
        x = lines.cast(f"{x}.single", "fptrunc", "double", x, "float")
    if dtypes.p_storage == "stochastic":
        key, elements = key_of_array(lines), elements_of(lines, "p")
    p, rest = policies.store(kind(elements), policy, Value(lines, x, "float"), key)
    new = {"p": store_exact(lines, p.name, dtypes.p, half, f"%p.new{lines.tag}")}
    if rest is None or dtypes.rest is None:
        return new
    name = f"%p_rest.new{lines.tag}"
    if rest.kind == "i32":
        return new | {"p_rest": store_integer(lines, rest.name, dtypes.rest, name)}
    return new | {"p_rest": store_exact(lines, rest.name, dtypes.rest, half, name)}


def in_bytes(lines: Lines, dtypes: Format) -> bool:
    """True if parameters in "split8" are put together, and taken apart, by the instruction for tables."""
    kept = dtypes.p_storage == "split8" and dtypes.p == "bfloat16" and dtypes.work == "float32"
    return kept and lines.lanes == QUARTERS and native_tables()


def split8_from_bytes(lines: Lines, p: str, rest: str) -> str:
    """Return the values of parameters of bfloat16 (STORE.5), by lines that are added.

    One instruction puts the three bytes of a value beside each other.  The rest is signed: its byte there is
    larger by 2**7, which is subtracted.
    """
    tag, byte = lines.tag, lines.kind("i8")
    flipped = lines.put(f"%p.flipped{tag}", f"xor {byte} {rest}, {lines.constant(-0x80, 'i8')}")
    three = outside_word(lines, "@three.bytes", "i64", 0xEEEEEEEEEEEEEEEE - (1 << 64))
    mask = lines.put(f"%p.three{tag}", f"bitcast i64 {three} to <{lines.lanes} x i1>")
    less = f"<{', '.join([f'i32 {-0x8000}'] * 16)}>"
    found, halves = [], lines.parts(f"%p.half{tag}", "i16", p, 32)
    for k in range(4):
        first = 32 * (k % 2)  # the byte of p; that of the rest is number 64 and on
        at = [x for i in range(16) for x in (0, 64 + 16 * k + i, first + 2 * i, first + 2 * i + 1)]
        numbers = f"<{', '.join(f'i8 {x}' for x in at)}>"
        given = outside_word(lines, f"@value.bytes.{k}", byte, numbers, 64)
        name = f"%p.value.{k}{tag}"
        lines.put(f"{name}.half.bytes", f"bitcast <32 x i16> {halves[k // 2]} to {byte}")
        lines.call(
            f"{name}.bytes", byte, LOOKUP, (byte, f"{name}.half.bytes"), (byte, given), (byte, flipped)
        )
        three_bytes = f"select <64 x i1> {mask}, {byte} {name}.bytes, {byte} zeroinitializer"
        lines.put(f"{name}.three", three_bytes)
        lines.put(f"{name}.more", f"bitcast {byte} {name}.three to <16 x i32>")
        lines.put(f"{name}.word", f"add <16 x i32> {name}.more, {less}")
        found.append(lines.put(name, f"bitcast <16 x i32> {name}.word to <16 x float>"))
    return lines.joined("float", found)


def split8_in_bytes(n: ValueWords, x: Value) -> dict[str, str]:
    """Return parameters of bfloat16 and their rests (STORE.5), by lines that are added.

    Args:
        n: the operations on bits.
        x: the values in the arithmetic.
    """
    lines, w = x.lines, bits.quiet(n, n.words(x))
    # w + 0x807F + odd, with one operation less: see rounded_up in conversions.py
    both = w - ~((n.right(w, 8) & 1) | 0x807E)
    p = upper_half(lines, both.name, f"%p.new{lines.tag}")
    rest = picked_bytes(lines, both.name, f"%p_rest.new{lines.tag}", 1)
    byte = lines.kind("i8")
    signed = lines.put(f"{rest}.signed", f"xor {byte} {rest}, {lines.constant(-0x80, 'i8')}")
    return {"p": p, "p_rest": signed}


def load_moment(
    lines: Lines, raw: Mapping[str, str], name: str, dtypes: Format, kind: type[ValueWords] = ValueWords
) -> str:
    """Return a moment that is kept in 8 bits in the arithmetic, by lines that are added.

    Args:
        lines, dtypes: see :func:`adamcore.backends.kernels.body.body`; a vector is a block, or several.
        raw: what was read, by the names of the arrays: the codes, and the scales of the blocks.
        name: of the moment.
        kind: of the operations on bits.
    """
    coding = dtypes.coding(name)
    assert coding is not None
    codes = Value(lines, load_integer(lines, raw[name], dtypes.of(name)), "i32")
    element: Any = "float"
    scales, count = raw[name + "_scale"], dtypes.scales(name)
    if dtypes.of(f"{name}_scale") == "int16":
        wide = f"sext <{count} x i16> {scales} to <{count} x i32>"
        scales, element = lines.put(f"%{name}.scale.wide{lines.tag}", wide), "i32"
    all_ = lines.spread(f"{scales}.all", element, scales, count)
    words = kind(block=coding.block)
    x = moments.decode(words, coding, codes, Value(lines, all_, element)).name
    return x if dtypes.work == "float32" else lines.cast(f"{x}.double", "fpext", "float", x, "double")


def store_moment(lines: Lines, x: str, name: str, dtypes: Format) -> dict[str, str]:
    """Return the codes and the scales of a moment as they are written, by lines that are added.

    Args:
        lines, name, dtypes: as for :func:`load_moment`.
        x: the name of the moment in the arithmetic.
    """
    coding = dtypes.coding(name)
    assert coding is not None
    if dtypes.work == "float64":
        x = lines.cast(f"{x}.{name}.single", "fptrunc", "double", x, "float")
    codes, scales = moments.encode(ValueWords(block=coding.block), coding, Value(lines, x, "float"))
    new = {f"{name}_scale": store_scales(scales, name, dtypes)}
    return new | {name: store_integer(lines, codes.name, dtypes.of(name), f"%{name}.new{lines.tag}")}


def store_scales(all_: Value, name: str, dtypes: Format) -> str:
    """Return the scales of a moment as they are written, by lines that are added.

    Args:
        all_: the scale of each element's block.
        name, dtypes: as for :func:`load_moment`.
    """
    lines, coding, count = all_.lines, dtypes.coding(name), dtypes.scales(name)
    assert coding is not None
    firsts = ", ".join(f"i32 {k * coding.block}" for k in range(count))
    taken = f"shufflevector {all_.typed(all_)}, {lines.kind(all_.kind)} poison, <{count} x i32> <{firsts}>"
    scales = lines.put(f"%{name}.scale.words{lines.tag}", taken)
    if dtypes.of(f"{name}_scale") == "int16":
        narrow = f"trunc <{count} x i32> {scales} to <{count} x i16>"
        scales = lines.put(f"%{name}.scale.new{lines.tag}", narrow)
    return scales

"""The numbers of an array read and rounded, in LLVM's language.

A kernel computes in float32 or float64, and each of its arrays may be stored in another dtype.  :func:`load`
widens what was read, which is exact, and :func:`store` rounds a result once, to the nearest, ties to even.
An overflow becomes an infinity.  A NaN stays a NaN, with its sign and the upper bits of its payload, and
arithmetic makes it quiet.

No line calls a function of a runtime library.  bfloat16 is converted by integer arithmetic, since the
processors' own instruction (AVX512-BF16) takes subnormal numbers for 0.  float16 is converted by the
processor where it can, and by integer arithmetic elsewhere.
"""

from __future__ import annotations

from sys import byteorder

from adamcore.backends.kernels.formats import LLVM, Lines, Real, Storage
from adamcore.backends.kernels.llvm import native_tables

LOOKUP = "@llvm.x86.avx512.vpermi2var.qi.512"  #: takes 64 bytes from two vectors of 64
QUARTERS = 64  #: elements of a vector of 32 bits that fills four of 512 bits


def load(lines: Lines, x: str, storage: Storage, work: Real, native_half: bool) -> str:
    """Return the number of an element of type ``BITS[storage]`` in the arithmetic, by lines that are added.

    Args:
        lines: gets the operations.
        x: the name of the element; the names that are added begin with it.
        storage: the dtype of the array.
        work: the dtype of the arithmetic.
        native_half: True if the processor converts float16.
    """
    if storage == work:
        return x
    if storage in LLVM:
        return lines.cast(f"{x}.{work}", *resized(storage, x, work))
    if storage == "bfloat16":
        x = (pairs_to_float if lines.pairs else bfloat16_to_float)(lines, x)
    else:
        x = (native_half_to_float if native_half else half_to_float)(lines, x)
    return x if work == "float32" else lines.cast(f"{x}.{work}", "fpext", "float", x, "double")


def store(lines: Lines, x: str, storage: Storage, work: Real, native_half: bool, name: str) -> str:
    """Return a number of the arithmetic rounded to ``storage``, by lines that are added.

    Args:
        lines: gets the operations.
        x: the name of the number.
        storage: the dtype of the array.
        work: the dtype of the arithmetic.
        native_half: True if the processor converts float16.
        name: what the names that are added begin with.
    """
    if storage == work:
        return x
    if storage in LLVM:
        return lines.cast(f"{name}.{storage}", *resized(work, x, storage))
    if work == "float64":
        x = double_to_odd_float(lines, x, name)
    if storage == "bfloat16":
        return (float_to_pairs if lines.pairs else float_to_bfloat16)(lines, x, name)
    return (float_to_native_half if native_half else float_to_half)(lines, x, name)


def store_exact(lines: Lines, x: str, storage: Storage, native_half: bool, name: str) -> str:
    """Return a float that is a number of ``storage`` in that dtype, by lines that are added.

    Args:
        lines, x, storage, native_half, name: as for :func:`store`.
    """
    if storage != "bfloat16":  # a float32 as it is
        return store(lines, x, storage, "float32", native_half, name)
    bits = lines.cast(f"{name}.bits", "bitcast", "float", x, "i32")
    return (words_to_pairs if lines.pairs else upper_half)(lines, bits, name)


def load_integer(lines: Lines, x: str, storage: Storage) -> str:
    """Return an element of type int16, int8 or uint8 as an integer of 32 bits, by lines that are added."""
    widen = "zext" if storage == "uint8" else "sext"
    if not lines.pairs:
        return lines.cast(f"{x}.wide", widen, "i16" if storage == "int16" else "i8", x, "i32")
    half = Lines(lines.lanes // 2)
    if storage == "int16":
        words, left = half.put(f"{x}.words", f"bitcast {lines.kind('i16')} {x} to {half.kind('i32')}"), 16
    else:
        both = half.put(f"{x}.both", f"bitcast {lines.kind('i8')} {x} to {half.kind('i16')}")
        words, left = half.cast(f"{x}.words", widen, "i16", both, "i32"), 24
    right = "lshr" if storage == "uint8" else "ashr"
    lower = half.integer(f"{x}.lower", right, half.integer(f"{x}.left", "shl", words, left), left)
    upper = half.integer(f"{x}.upper", right, words, 32 - left if left == 24 else left)
    lines += half
    halves = f"{half.kind('i32')} {lower}, {half.kind('i32')} {upper}"
    return lines.put(f"{x}.all", f"shufflevector {halves}, {places(0, lines.lanes)}")


def store_integer(lines: Lines, x: str, storage: Storage, name: str) -> str:
    """Return an integer of 32 bits as an element of type int16, int8 or uint8, by lines that are added."""
    kind = "i16" if storage == "int16" else "i8"
    if not lines.pairs and (lines.lanes < QUARTERS or kind == "i16"):
        return lines.cast(f"{name}.stored", "trunc", "i32", x, kind)
    if not lines.pairs:
        return low_bytes(lines, x, name)
    if storage == "int16":
        return words_to_pairs(lines, lines.integer(f"{name}.up", "shl", x, 16), name)
    half = Lines(lines.lanes // 2)
    first, second = both_halves(lines, half, x, name)
    lower = half.integer(f"{name}.lower", "and", first, 0xFF)
    upper = half.integer(f"{name}.up", "shl", second, 8)
    words = half.put(f"{name}.words", f"or {half.kind('i32')} {lower}, {upper}")
    both = half.cast(f"{name}.both", "trunc", "i32", words, "i16")
    lines += half
    return lines.put(f"{name}.stored", f"bitcast {half.kind('i16')} {both} to {lines.kind('i8')}")


def low_bytes(lines: Lines, x: str, name: str) -> str:
    """Return the lowest bytes of integers of 32 bits, by lines that are added.

    A conversion would be made of four parts of a vector one by one, and these be put together.
    """
    if lines.lanes == QUARTERS and native_tables():
        return picked_bytes(lines, x, name)
    number = 4 * lines.lanes
    lines.put(f"{name}.bytes", f"bitcast {lines.kind('i32')} {x} to <{number} x i8>")
    first = 0 if byteorder == "little" else 3
    for half in range(2):
        at = range(first + 2 * half * lines.lanes, 2 * (half + 1) * lines.lanes, 4)
        taken = f"<{len(at)} x i32> <{', '.join(f'i32 {k}' for k in at)}>"
        bytes_ = f"<{number} x i8> {name}.bytes, <{number} x i8> poison"
        lines.put(f"{name}.half.{half}", f"shufflevector {bytes_}, {taken}")
    kind = f"<{lines.lanes // 2} x i8>"
    both = f"shufflevector {kind} {name}.half.0, {kind} {name}.half.1, {places(0, lines.lanes)}"
    return lines.put(f"{name}.stored", both)


def picked_bytes(lines: Lines, x: str, name: str, number: int = 0) -> str:
    """Return a byte of 64 integers of 32 bits, the lowest or a higher one, by the instruction for tables."""
    byte, quarter = lines.kind("i8"), lines.lanes // 4
    numbers = ", ".join(f"i8 {4 * (k % 32) + number}" for k in range(lines.lanes))
    at = (byte, outside_word(lines, f"@bytes.{number}", byte, f"<{numbers}>", 64))
    parts = []
    for k, part in enumerate(lines.parts(f"{name}.part", "i32", x, quarter)):
        parts.append((byte, lines.put(f"{name}.bytes.{k}", f"bitcast <{quarter} x i32> {part} to {byte}")))
    lines.call(f"{name}.half.0", byte, LOOKUP, parts[0], at, parts[1])
    lines.call(f"{name}.half.1", byte, LOOKUP, parts[2], at, parts[3])
    both = ", ".join(f"i32 {k}" for k in (*range(32), *range(64, 96)))
    joined = f"shufflevector {byte} {name}.half.0, {byte} {name}.half.1, <{lines.lanes} x i32> <{both}>"
    return lines.put(f"{name}.stored", joined)


def outside_word(lines: Lines, at: str, kind: str, value: int | str, size: int = 8) -> str:
    """Return what stands outside of the function as what might change, by a line that is added.

    LLVM takes places of the instruction for tables that it knows apart into shuffles within the parts of a
    vector, which are twice as many.
    """
    lines.outside[at] = f"{at} = global {kind} {value}, align {size}"
    name = f"%{at[1:]}{lines.tag}.{len(lines)}"
    return lines.put(name, f"load {kind}, ptr {at}, align {size}")


def resized(before: str, x: str, after: str) -> tuple[str, str, str, str]:
    """Return the conversion of a float to a double or back: see :meth:`Lines.cast`."""
    return "fpext" if after == "float64" else "fptrunc", LLVM[before], x, LLVM[after]


# bfloat16 is the upper half of a float -----------------------------------------------------------

UPPER = -0x10000  #: the mask of a word's upper half


def bfloat16_to_float(lines: Lines, x: str) -> str:
    if lines.lanes > 1:  # one move of a vector; a shift would need another one before
        kind, number = lines.kind("i16"), lines.lanes
        halves = ", ".join(
            f"i32 {half}"
            for k in range(number)
            for half in ((number, k) if byteorder == "little" else (k, number))
        )
        both = f"shufflevector {kind} {x}, {kind} zeroinitializer, <{2 * number} x i32> <{halves}>"
        lines.put(f"{x}.up", both)
        return lines.put(f"{x}.float", f"bitcast <{2 * number} x i16> {x}.up to {lines.kind('float')}")
    x = lines.integer(f"{x}.up", "shl", lines.cast(f"{x}.wide", "zext", "i16", x, "i32"), 16)
    return lines.cast(f"{x}.float", "bitcast", "i32", x, "float")


def pairs_to_float(lines: Lines, x: str) -> str:
    """Convert a vector to one in the order of ``Lines.pairs``."""
    half = Lines(lines.lanes // 2)
    words = half.put(f"{x}.words", f"bitcast {lines.kind('i16')} {x} to {half.kind('i32')}")
    lower = half.integer(f"{x}.lower", "shl", words, 16)
    upper = half.integer(f"{x}.upper", "and", words, UPPER)
    lines += half
    halves = f"{half.kind('i32')} {lower}, {half.kind('i32')} {upper}"
    both = lines.put(f"{x}.both", f"shufflevector {halves}, {places(0, lines.lanes)}")
    return lines.cast(f"{x}.float", "bitcast", "i32", both, "float")


def float_to_pairs(lines: Lines, x: str, name: str) -> str:
    """Round a vector in the order of ``Lines.pairs``, and bring it into the order of the array.

    All arrays are of bfloat16 here, so the lower half of a NaN is 0, and rounding leaves the NaN as it is.
    """
    bits = lines.cast(f"{name}.bits", "bitcast", "float", x, "i32")
    return words_to_pairs(lines, rounded_up(lines, bits, name), name)


def words_to_pairs(lines: Lines, words: str, name: str) -> str:
    """Bring the upper halves of words in the order of ``Lines.pairs`` into the order of the array."""
    half = Lines(lines.lanes // 2)
    first, second = both_halves(lines, half, words, name)
    lower = half.integer(f"{name}.lower", "lshr", first, 16)
    upper = half.integer(f"{name}.higher", "and", second, UPPER)
    words = half.put(f"{name}.words", f"or {half.kind('i32')} {lower}, {upper}")
    lines += half
    return lines.put(f"{name}.stored", f"bitcast {half.kind('i32')} {words} to {lines.kind('i16')}")


def both_halves(lines: Lines, half: Lines, x: str, name: str, element: str = "i32") -> tuple[str, str]:
    """Return the first and the second half of a vector, by lines that are added to ``half``."""
    whole = f"shufflevector {lines.kind(element)} {x}, {lines.kind(element)} poison"
    first = half.put(f"{name}.first", f"{whole}, {places(0, half.lanes)}")
    return first, half.put(f"{name}.second", f"{whole}, {places(half.lanes, lines.lanes)}")


def places(start: int, stop: int) -> str:
    """Return the last argument of a shuffle, which takes these places of a vector, or of two."""
    return f"<{stop - start} x i32> <{', '.join(f'i32 {k}' for k in range(start, stop))}>"


def rounded_up(lines: Lines, bits: str, name: str) -> str:
    """Return the bits of a float plus what makes their upper half the nearest bfloat16."""
    odd = lines.integer(f"{name}.odd", "and", lines.integer(f"{name}.upper", "lshr", bits, 16), 1)
    # bits + 0x7FFF + odd, as AVX-512 forms it with one operation less: less the complement of 0x7FFE + odd
    carry = lines.integer(f"{name}.carry", "xor", lines.integer(f"{name}.low", "or", odd, 0x7FFE), -1)
    return lines.put(f"{name}.sum", f"sub {lines.kind('i32')} {bits}, {carry}")


def float_to_bfloat16(lines: Lines, x: str, name: str) -> str:
    bits = lines.cast(f"{name}.bits", "bitcast", "float", x, "i32")
    sum_ = rounded_up(lines, bits, name)
    quiet = lines.integer(f"{name}.quiet", "or", bits, 0x40_0000)
    nan = lines.put(f"{name}.nan", f"fcmp uno {lines.kind('float')} {x}, {x}")
    chosen = lines.select(f"{name}.chosen", nan, "i32", quiet, sum_)
    return upper_half(lines, chosen, name)


def upper_half(lines: Lines, x: str, name: str) -> str:
    """Return the upper 16 bits of an integer; those of a vector are gathered by one shuffle."""
    n = lines.lanes
    if n == 1:
        return lines.cast(
            f"{name}.stored", "trunc", "i32", lines.integer(f"{name}.half", "lshr", x, 16), "i16"
        )
    halves = lines.put(f"{name}.halves", f"bitcast {lines.kind('i32')} {x} to <{2 * n} x i16>")
    chosen = ", ".join(f"i32 {2 * k + (byteorder == 'little')}" for k in range(n))
    pair = f"<{2 * n} x i16> {halves}, <{2 * n} x i16> poison"
    return lines.put(f"{name}.stored", f"shufflevector {pair}, <{n} x i32> <{chosen}>")


# float16 has 5 bits of exponent and 10 of significand ----------------------------------------------

SHIFT = 13  #: bits of a float's significand that float16 does not have
REBIAS = (127 - 15) << 23  #: what the exponents of a float and of a float16 differ by, in a float's place
LEAST = 2.0**-14  #: the smallest normal number of float16
INFINITY = 0x7C00  #: the bits of an infinity in float16


def native_half_to_float(lines: Lines, x: str) -> str:
    half = lines.cast(f"{x}.half", "bitcast", "i16", x, "half")
    return lines.cast(f"{x}.float", "fpext", "half", half, "float")


def float_to_native_half(lines: Lines, x: str, name: str) -> str:
    half = lines.cast(f"{name}.half", "fptrunc", "float", x, "half")
    return lines.cast(f"{name}.stored", "bitcast", "half", half, "i16")


def half_to_float(lines: Lines, x: str) -> str:
    """Convert by integer arithmetic; a subnormal number is 1.s * 2**-14 less 2**-14, which is exact."""
    wide = lines.cast(f"{x}.wide", "zext", "i16", x, "i32")
    size = lines.integer(f"{x}.size", "and", wide, 0x7FFF)
    sign = lines.integer(f"{x}.sign", "shl", lines.integer(f"{x}.signed", "and", wide, 0x8000), 16)
    up = lines.integer(f"{x}.up", "shl", size, SHIFT)
    normal = lines.integer(f"{x}.normal", "add", up, REBIAS)
    endless = lines.integer(f"{x}.endless", "add", up, 2 * REBIAS)
    special = lines.integer(f"{x}.special", "icmp uge", size, INFINITY)
    large = lines.select(f"{x}.large", special, "i32", endless, normal)
    above = lines.integer(f"{x}.above", "add", up, REBIAS + (1 << 23))
    number = lines.cast(f"{x}.number", "bitcast", "i32", above, "float")
    exact = lines.put(f"{x}.exact", f"fsub {lines.kind('float')} {number}, {lines.constant(LEAST, 'float')}")
    small = lines.cast(f"{x}.small", "bitcast", "float", exact, "i32")
    subnormal = lines.integer(f"{x}.subnormal", "icmp ult", size, 0x400)
    found = lines.select(f"{x}.found", subnormal, "i32", small, large)
    return lines.cast(
        f"{x}.float",
        "bitcast",
        "i32",
        lines.put(f"{x}.all", f"or {lines.kind('i32')} {found}, {sign}"),
        "float",
    )


def float_to_half(lines: Lines, x: str, name: str) -> str:
    """Convert by integer arithmetic; adding 1/2 rounds a number of less than 2**-14 to its subnormal."""
    bits = lines.cast(f"{name}.bits", "bitcast", "float", x, "i32")
    size = lines.integer(f"{name}.size", "and", bits, 0x7FFF_FFFF)
    high = lines.integer(f"{name}.high", "lshr", bits, 16)
    sign = lines.integer(f"{name}.sign", "and", high, 0x8000)
    upper = lines.integer(f"{name}.upper", "lshr", size, SHIFT)
    odd = lines.integer(f"{name}.odd", "and", upper, 1)
    carry = lines.integer(f"{name}.carry", "add", odd, 0xFFF - REBIAS)
    sum_ = lines.put(f"{name}.sum", f"add {lines.kind('i32')} {size}, {carry}")
    normal = lines.integer(f"{name}.normal", "lshr", sum_, SHIFT)
    number = lines.cast(f"{name}.number", "bitcast", "i32", size, "float")
    shifted = lines.put(
        f"{name}.shifted", f"fadd {lines.kind('float')} {number}, {lines.constant(0.5, 'float')}"
    )
    above = lines.cast(f"{name}.above", "bitcast", "float", shifted, "i32")
    small = lines.integer(f"{name}.small", "sub", above, 0x3F00_0000)
    subnormal = lines.integer(f"{name}.subnormal", "icmp ult", size, REBIAS + (1 << 23))
    finite = lines.select(f"{name}.finite", subnormal, "i32", small, normal)
    payload = lines.integer(f"{name}.payload", "and", upper, 0x3FF)
    quiet = lines.integer(f"{name}.quiet", "or", payload, INFINITY | 0x200)
    nan = lines.integer(f"{name}.nan", "icmp ugt", size, 0x7F80_0000)
    infinity = lines.constant(INFINITY, "i32")
    special = lines.select(f"{name}.special", nan, "i32", quiet, infinity)
    large = lines.integer(f"{name}.large", "icmp uge", size, REBIAS + (31 << 23))  # 2**16
    found = lines.select(f"{name}.found", large, "i32", special, finite)
    return lines.cast(
        f"{name}.stored",
        "trunc",
        "i32",
        lines.put(f"{name}.all", f"or {lines.kind('i32')} {found}, {sign}"),
        "i16",
    )


# From float64 to 16 bits by way of a float -----------------------------------------------------------


def double_to_odd_float(lines: Lines, x: str, name: str) -> str:
    """Round to a float: of the two next to a number that is none, to the one whose last bit is 1.

    A float has more than two bits more than a dtype of 16 bits.  What is rounded to odd first is therefore
    rounded to 16 bits as the number itself would be, and no number is rounded to even twice.
    """
    double = lines.kind("double")
    near = lines.cast(f"{name}.near", "fptrunc", "double", x, "float")
    back = lines.cast(f"{name}.back", "fpext", "float", near, "double")
    bits = lines.cast(f"{name}.near.bits", "bitcast", "float", near, "i32")
    below = lines.put(f"{name}.below", f"fcmp olt {double} {back}, {x}")
    above = lines.put(f"{name}.over", f"fcmp ogt {double} {back}, {x}")
    negative = lines.integer(f"{name}.negative", "icmp slt", bits, 0)
    # the float on the other side of x is nearer to 0 if this one is farther from 0 than x
    inwards = lines.select(f"{name}.inwards", negative, "i1", below, above)
    one, less = lines.constant(1, "i32"), lines.constant(-1, "i32")
    move = lines.select(f"{name}.move", inwards, "i32", less, one)
    other = lines.put(f"{name}.other", f"add {lines.kind('i32')} {bits}, {move}")
    inexact = lines.put(f"{name}.inexact", f"or {lines.kind('i1')} {below}, {above}")
    last = lines.integer(f"{name}.last", "and", bits, 1)
    even = lines.integer(f"{name}.even", "icmp eq", last, 0)
    wrong = lines.put(f"{name}.wrong", f"and {lines.kind('i1')} {inexact}, {even}")
    chosen = lines.select(f"{name}.odd.bits", wrong, "i32", other, bits)
    return lines.cast(f"{name}.odd.float", "bitcast", "i32", chosen, "float")

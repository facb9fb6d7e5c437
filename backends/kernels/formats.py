"""The dtypes of a kernel's arithmetic and of its arrays, and lines of LLVM's language on vectors."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Literal, NamedTuple

from adamcore.storage.moments import IN_8_BITS, Coding, MomentStorage
from adamcore.storage.policies import RESTS, PStorage
from adamcore.storage.policies import Storage as PolicyAndDtype

Real = Literal["float32", "float64"]  #: what a kernel computes in
#: what an array is stored in; whole numbers are rests of parameters, or codes and scales of moments
Storage = Literal["bfloat16", "float16", "float32", "float64", "int16", "int8", "uint8"]

LLVM = {"float32": "float", "float64": "double"}
#: the type in which a number is read and written
BITS = {"bfloat16": "i16", "float16": "i16", "int16": "i16", "int8": "i8", "uint8": "i8", **LLVM}
#: bytes of a number
SIZES = {"bfloat16": 2, "float16": 2, "float32": 4, "float64": 8, "int16": 2, "int8": 1, "uint8": 1}
CODES = {"float32": "f", "float64": "d"}  #: type codes of the module array, for the coefficients


class Format(NamedTuple):
    """The dtype of a kernel's arithmetic, and those in which its arrays are stored."""

    work: Real
    p: Storage
    g: Storage
    m: Storage
    v: Storage  #: of v and v_max
    p_storage: PStorage = "plain"  #: how p is kept
    m_storage: MomentStorage = "plain"  #: how m is kept
    v_storage: MomentStorage = "plain"  #: how v and v_max are kept

    @property
    def policy(self) -> PolicyAndDtype | None:
        """How p is kept, as :mod:`adamcore.storage.policies` takes it; None for plainly."""
        return None if self.p_storage == "plain" else PolicyAndDtype(self.p_storage, self.p)

    @property
    def rest(self) -> Storage | None:
        """The dtype of the array that holds the rests of p; None if there is none."""
        found: Storage | None = RESTS.get(self.p_storage, self.p) or self.p  # type: ignore[assignment]
        return found if self.p_storage in RESTS else None

    def of(self, name: str) -> Storage:
        """Return the dtype in which the array of this name is stored.

        >>> Format("float32", "bfloat16", "bfloat16", "float32", "float32").of("v_max")
        'float32'
        """
        if name == "p_rest":
            assert self.rest is not None
            return self.rest
        if name.endswith("_scale"):
            coding = self.coding(name.removesuffix("_scale"))
            assert coding is not None
            return coding.scale_dtype  # type: ignore[return-value]
        found: Storage = getattr(self, "v" if name == "v_max" else name)
        return found

    @property
    def stored(self) -> list[Storage]:
        """The dtypes of the arrays."""
        return [self.p, self.g, self.m, self.v, *([] if self.rest is None else [self.rest])]

    def coding(self, name: str) -> Coding | None:
        """How "m", "v" or "v_max" is kept in 8 bits; None if it is not."""
        policy = self.moment_storage(name)
        return Coding(policy, name == "m") if policy in IN_8_BITS else None

    def random(self, name: str) -> bool:
        """True if "m", "v" or "v_max" is rounded at random."""
        return self.moment_storage(name) == "stochastic"

    def moment_storage(self, name: str) -> MomentStorage:
        """Return how "m", "v" or "v_max" is kept; what is no moment is kept plainly."""
        kept: dict[str, MomentStorage] = {"m": self.m_storage, "v": self.v_storage, "v_max": self.v_storage}
        return kept.get(name, "plain")

    @property
    def draws(self) -> bool:
        """True if the loop makes random bits."""
        return "stochastic" in (self.p_storage, self.m_storage, self.v_storage)

    @property
    def block(self) -> int | None:
        """How many elements share a scale, the most of m and v; None if there are no scales."""
        codings = self.coding("m"), self.coding("v")
        return max((coding.block for coding in codings if coding is not None), default=None)

    def scales(self, name: str) -> int:
        """Return how many scales of "m", "v" or "v_max" belong to a pass of the loop."""
        coding = self.coding(name)
        return 0 if coding is None else self.lanes // coding.block

    @property
    def pairs(self) -> bool:
        """True if the loop has ``Lines.pairs``: if all numbers are of bfloat16, their order may be any.

        Codes of 8 bits would need more moves in that order than the numbers of 16 bits save.
        """
        numbers = {self.p, self.g, self.m, self.v}
        return numbers == {"bfloat16"} and self.rest != "float32"

    @property
    def lanes(self) -> int:
        """The number of elements in one pass of the loop: a block, or 64 bytes of the widest array."""
        return self.block or 64 // max(map(SIZES.__getitem__, self.stored))


def uniform(dtype: Real) -> Format:
    """Return the format of arrays that are all stored in the dtype of the arithmetic."""
    return Format(dtype, dtype, dtype, dtype, dtype)


def hex_of(x: float) -> str:
    """Return a number of float32 as LLVM writes it without a rounding.

    >>> hex_of(1.0)
    '0x3FF0000000000000'
    """
    return f"0x{struct.unpack('<Q', struct.pack('<d', x))[0]:016X}"


class Lines(list[str]):
    """Lines of LLVM's language on vectors of so many elements, or on one element if ``lanes`` is 1.

    Args:
        lanes: the number of elements.
        pairs: True if a vector in the arithmetic has the elements at even places in its first half and those
            at odd places in its second half.  Two neighbours of 16 bits are one word, of which one shift and
            one mask make two floats; to keep their order would take moves between the parts of a vector.
        tag: what the names of these lines have that those of other lines in one function do not.

    >>> lines = Lines(4)
    >>> lines.put("%y", f"add {lines.kind('i32')} %x, {lines.constant(7, 'i32')}")
    '%y'
    >>> print(lines[0])
      %y = add <4 x i32> %x, <i32 7, i32 7, i32 7, i32 7>
    """

    def __init__(self, lanes: int, pairs: bool = False, tag: str = "") -> None:
        super().__init__()
        self.lanes, self.pairs, self.tag = lanes, pairs, tag
        self.outside: dict[str, str] = {}  #: what stands outside of the function, by its names there

    def kind(self, element: str) -> str:
        """Return the type of a vector of ``element``, or ``element`` itself."""
        return element if self.lanes == 1 else f"<{self.lanes} x {element}>"

    def constant(self, value: float, element: str) -> str:
        """Return a number as a constant of the type ``kind(element)``."""
        if self.lanes == 1:
            return str(value)
        return f"<{', '.join([f'{element} {value}'] * self.lanes)}>"

    def put(self, name: str, operation: str) -> str:
        """Give the result of an operation a name, and return the name."""
        self.append(f"  {name} = {operation}")
        return name

    def integer(self, name: str, operation: str, x: str, y: int) -> str:
        """Give the result of an operation on integers of 32 bits and a number a name, and return it."""
        return self.put(name, f"{operation} {self.kind('i32')} {x}, {self.constant(y, 'i32')}")

    def select(self, name: str, flag: str, element: str, x: str, y: str) -> str:
        """Give ``x`` where the flag is set, else ``y``, a name and return it."""
        kind = self.kind(element)
        return self.put(name, f"select {self.kind('i1')} {flag}, {kind} {x}, {kind} {y}")

    def repeated(self, name: str, element: str, x: str) -> str:
        """Give a vector whose elements are all ``x`` a name and return it."""
        vector = self.kind(element)
        first = self.put(f"{name}.first", f"insertelement {vector} poison, {element} {x}, i64 0")
        zeros = f"<{self.lanes} x i32> zeroinitializer"
        return self.put(name, f"shufflevector {vector} {first}, {vector} poison, {zeros}")

    def some(self, name: str, flags: str, number: int) -> str:
        """Give whether one of so many flags is set a name and return it."""
        self.put(f"{name}.bits", f"bitcast <{number} x i1> {flags} to i{number}")
        return self.put(name, f"icmp ne i{number} {name}.bits, 0")

    def call(self, name: str, kind: str, function: str, *given: tuple[str, str]) -> str:
        """Give the result of one of LLVM's functions a name, return it, and declare the function outside.

        Args:
            name, kind: of the result.
            function: its name.
            given: the type and the name of each argument.
        """
        self.outside[function] = f"declare {kind} {function}({', '.join(each for each, _ in given)})"
        return self.put(name, f"call {kind} {function}({', '.join(map(' '.join, given))})")

    def numbers(self, numbers: Sequence[float]) -> str:
        """Return the name of a constant outside of the function that has these floats one after the other."""
        written = ", ".join(f"float {hex_of(x)}" for x in numbers)
        text = f"private unnamed_addr constant [{len(numbers)} x float] [{written}], align 64"
        known = (at for at, other in self.outside.items() if other.endswith(text))
        at = next(known, f"@numbers.{len(self.outside)}{self.tag}")
        self.outside[at] = f"{at} = {text}"
        return at

    def spread(self, name: str, element: str, x: str, count: int) -> str:
        """Give a vector of ``count`` elements, each repeated in its part of the lanes, a name."""
        given = f"<{count} x {element}> {x}, <{count} x {element}> poison"
        places = ", ".join(f"i32 {k * count // self.lanes}" for k in range(self.lanes))
        return self.put(name, f"shufflevector {given}, <{self.lanes} x i32> <{places}>")

    def parts(self, name: str, element: str, x: str, width: int) -> list[str]:
        """Give the parts of ``x``, of so many elements each, names that begin with ``name``."""
        if width == self.lanes:
            return [x]
        found = []
        for first in range(0, self.lanes, width):
            places = ", ".join(f"i32 {k}" for k in range(first, first + width))
            both = f"{self.kind(element)} {x}, {self.kind(element)} poison"
            found.append(self.put(f"{name}.{first}", f"shufflevector {both}, <{width} x i32> <{places}>"))
        return found

    def joined(self, element: str, names: Sequence[str]) -> str:
        """Return the vector that these parts make up, whose number is a power of two."""
        width = self.lanes // len(names)
        while len(names) > 1:  # two by two
            both, places = f"<{width} x {element}>", ", ".join(f"i32 {k}" for k in range(2 * width))
            names = [
                self.put(
                    f"{a}.joined", f"shufflevector {both} {a}, {both} {b}, <{2 * width} x i32> <{places}>"
                )
                for a, b in zip(names[::2], names[1::2], strict=True)
            ]
            width *= 2
        return names[0]

    def cast(self, name: str, operation: str, before: str, x: str, after: str) -> str:
        """Give ``x`` as another type a name and return it."""
        return self.put(name, f"{operation} {self.kind(before)} {x} to {self.kind(after)}")

"""The bits of float32 numbers as integers: what a library has to offer, and rounding to 16 bits.

A *word* is a float32 number's 32 bits as an unsigned integer.  Two numbers of one sign are as many float32
numbers apart as their words.  The rounding is done on words: a compiler may leave out a rounding that is
written as a conversion to a narrow dtype and back, as XLA does within ``jit``, but it leaves integers alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adamcore.types import Array, DType, Scalar

MASK = 0xFFFFFFFF  #: of the bits of a word
UPPER = 0xFFFF0000  #: of those that bfloat16 keeps
SIZE, INFINITY, NAN = 0x7FFFFFFF, 0x7F800000, 0x7FC00000  #: rounded to bfloat16 this NaN is itself
LEAST_NORMAL, TOO_LARGE = 0x38800000, 0x47800000  #: the words of 2**-14 and 2**16: float16 is normal between


class Words(Protocol):
    """The operations of a library on the bits of its float32 arrays.

    Words are arrays of a dtype of integers that holds 0 to 2**32 - 1.  Additions and products may go over
    that range, by wrapping or by growing: what is used of them is masked.
    """

    def words(self, x: Array) -> Array:
        """Return the words of a float32 array."""

    def floats(self, w: Array) -> Array:
        """Return the float32 array that has these words."""

    def signed(self, w: Array) -> Array:
        """Return words below 2**31 in a signed dtype of 32 bits or more."""

    def unsigned(self, x: Array) -> Array:
        """Return signed integers as words, modulo 2**32."""

    def number(self, x: Array) -> Array:
        """Return integers of less than 24 bits, of whatever dtype, in float32."""

    def word(self, value: Scalar) -> Scalar:
        """Return an integer of Python as what can be combined with words; an array as it is."""

    def right(self, w: Array, count: Scalar) -> Array:
        """Return words shifted to the right by so many places, 0 to 31: a number, or words."""

    def where(self, condition: Array, new: Array, old: Scalar) -> Array:
        """Return ``new`` where the condition is True, else ``old``, an array or a number below 2**31."""

    def byte(self, w: Array, signed: bool) -> Array:
        """Return the lowest byte of each word, as a number from -128 to 127 if ``signed``."""

    def usual(self, condition: Array, new: Array, old: Scalar) -> Array:
        """Return what :meth:`where` does, of a condition that ordinary numbers meet.

        Machine code may see to blocks of ordinary numbers apart, and leaves the choice out there.
        """

    def index(self, like: Array) -> Array:
        """Return the number of each element, from 0 on in the order of an array's indices, as words."""

    # for moments in 8 bits

    def root(self, x: Array) -> Array:
        """Return the square root of a float32 array, rounded correctly."""

    def blocks(self, x: Array, size: int) -> Array:
        """Return the elements in the order of an array's indices, ``size`` in a row; zeros fill the last.

        Raises:
            StateError: the array is a shard that does not begin and end between two blocks.
        """

    def unblocked(self, rows: Array, like: Array) -> Array:
        """Return what :meth:`blocks` has laid out, in the shape of ``like``."""

    def most(self, rows: Array) -> Array:
        """Return the largest element of each row, as a column."""

    def zero_scales(self, like: Array, size: int, dtype: DType) -> Array:
        """Return a vector of zeros with a number for each block of ``like``."""

    def each_block(self, column: Array, like: Array) -> Array:
        """Return a column with a number for each block of ``like`` as a vector, which a state keeps."""

    def column(self, vector: Array) -> Array:
        """Return what :meth:`each_block` has made of a column as a column again."""


class TableWords(Words, Protocol):
    """The operations that codes of a table need besides."""

    def places(self, borders: Sequence[float], x: Array) -> Array:
        """Return how many of these ascending float32 numbers are not above each number, as integers."""

    def entries(self, table: Sequence[float], places: Array) -> Array:
        """Return the float32 numbers at these places, an array of uint8, of a table of 256."""


def to_odd(n: Words, w: Array, above: Array, below: Array) -> Array:
    """Return the words of wider numbers rounded to float32: to the neighbour whose word is odd.

    What is rounded to odd first is rounded to 16 bits as the number itself would be.  Rounded to even twice,
    a number just beside the middle of two 16-bit numbers may become that middle, and then the wrong one.

    Args:
        n: the library's operations.
        w: the words of the nearest float32 numbers.
        above, below: where these are larger, and where they are smaller, than the numbers themselves.
    """
    negative = w > SIZE
    inwards = (negative & below) | (~negative & above)
    return n.where((above | below) & ((w & 1) == 0), n.where(inwards, w - 1, w + 1), w)


def is_nan(w: Array) -> Array:
    """Return which words are those of NaN."""
    return (w & SIZE) > INFINITY


def quiet(n: Words, w: Array) -> Array:
    """Return the words with one and the same NaN for every NaN, since libraries differ in its bits."""
    x = n.floats(w)
    return n.usual(x == x, w, NAN)  # False of NaN alone; one operation of a processor


def nearest(n: Words, w: Array, dtype: str) -> Array:
    """Return the words of the nearest numbers of a 16-bit dtype, ties to even.

    Args:
        n: the library's operations.
        w: words, without NaN but that of :func:`quiet`.
        dtype: "bfloat16" or "float16".
    """
    if dtype == "bfloat16":
        return (w + 0x7FFF + (n.right(w, 16) & 1)) & n.word(UPPER)
    size = w & SIZE
    normal = n.where(size < INFINITY, (size + 0xFFF + (n.right(size, 13) & 1)) & n.word(0xFFFFE000), size)
    digits, shift = fixed_point(n, size)
    half = n.right((size & 0) | 0x40000000, 31 - shift)  # 2**(shift - 1)
    tiny = n.right(digits + half - 1 + (n.right(digits, shift) & 1), shift)
    return kept_nan(n, w, joined(n, w, normal, tiny))


def away(n: Words, w: Array) -> Array:
    """Return the words of the nearest numbers of bfloat16, ties away from 0."""
    return (w + 0x8000) & n.word(UPPER)


def stochastic(n: Words, w: Array, dtype: str, random: Array) -> Array:
    """Return the words of one of the two neighbours in a 16-bit dtype, the nearer one more often.

    Args:
        n, w, dtype: as for :func:`nearest`.
        random: 32 random bits for each element, as words.
    """
    if dtype == "bfloat16":
        return (w + n.right(random, 16)) & n.word(UPPER)
    size = w & SIZE
    normal = n.where(size < INFINITY, (size + n.right(random, 19)) & n.word(0xFFFFE000), size)
    digits, shift = fixed_point(n, size)
    tiny = n.right(digits + n.right(random, 32 - shift), shift)
    return kept_nan(n, w, joined(n, w, normal, tiny))


def fixed_point(n: Words, size: Array) -> tuple[Array, Array]:
    """Return numbers below 2**-14 as whole numbers of ``2**-24 / 2**shift``, and the shift, 14 to 31.

    Digits below 2**-55 are cut off.  Larger numbers give anything.
    """
    exponent = n.where(size < LEAST_NORMAL, n.right(size, 23), 112)
    shift = 126 - exponent
    cut = n.where(shift > 31, shift - 31, 0)
    digits = n.right((size & 0x7FFFFF) | 0x800000, n.where(cut < 31, cut, 31))
    return digits, n.where(shift < 31, shift, 31)


def joined(n: Words, w: Array, normal: Array, tiny: Array) -> Array:
    """Return the words of float16's numbers, from what numbers of the size of ``w`` round to.

    Args:
        n, w: as for :func:`nearest`; the result has the signs of ``w``.
        normal: words that are right from 2**-14 on; they become infinite beyond the range.
        tiny: how many times 2**-24 a smaller number is.
    """
    size = w & SIZE
    tiny = n.words((n.floats(tiny | 0x4B000000) - 2.0**23) * 2.0**-24)  # the word of 2**23
    normal = n.where(normal < TOO_LARGE, normal, INFINITY)
    return n.where(size < LEAST_NORMAL, tiny, normal) | (w & n.word(0x80000000))


def kept_nan(n: Words, w: Array, rounded: Array) -> Array:
    """Return rounded words, and NaN where it was before: in float16 it would round to infinity."""
    return n.where(is_nan(w), w, rounded)

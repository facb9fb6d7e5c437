"""Random bits out of counters, and rounding by them (STORE.7).

They are the same in every library, on any number of devices.

Each element's 32 bits are a hash of the seed, the leaf's number, the clock of the update and the number of
the element.  Nothing is kept from step to step, and no element needs the bits of another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from adamcore.storage.bits import MASK, Words, quiet, stochastic

if TYPE_CHECKING:
    from adamcore.types import Array, Scalar

GOLDEN = 0x9E3779B9  #: 2**32 over the golden ratio
PARTS = {"p": 0, "m": 1, "v": 2, "v_max": 3}  #: what tells the bits of an element's parts apart (STORE.16)


class LeafKey(NamedTuple):
    """What the random bits of one leaf are made of in every step: three words."""

    by_leaf: Scalar
    by_seed: Scalar
    leaf: Scalar


class Key(NamedTuple):
    """What the random bits of one leaf in one step are made of."""

    of_leaf: LeafKey
    t: Scalar  #: the clock of the update: a number, or a word of a library
    elements: Array | None = None  #: the numbers of the elements, as words; None: an array's own


class Numbers:
    """Python's integers as words."""

    @staticmethod
    def word(value: Scalar) -> Scalar:
        return value

    @staticmethod
    def right(w: Scalar, count: int) -> Scalar:
        return w >> count


def mix(x: Scalar, n: type[Numbers] | Words = Numbers) -> Scalar:
    """Return a word that depends on each bit of ``x``; one to one.

    Args:
        x: a word, or words.
        n: the operations of its kind.

    >>> mix(0), mix(1)
    (2462723854, 2527132011)
    """
    return scrambled((x + n.word(GOLDEN)) & n.word(MASK), 0, n)


def scrambled(x: Scalar, key: Scalar, n: type[Numbers] | Words = Numbers) -> Scalar:
    """Return words by the finalizer of MurmurHash3, with a key between its two products.

    Args:
        x: the words.
        key: a word: with another one, the results are other words in another order.
        n: the operations of their kind.

    >>> scrambled(1, 2) == scrambled(2, 1)
    False
    """
    mask = n.word(MASK)
    x = ((x ^ n.right(x, 16)) * n.word(0x85EBCA6B)) & mask
    x = ((x ^ n.right(x, 13) ^ n.word(key)) * n.word(0xC2B2AE35)) & mask
    return x ^ n.right(x, 16)


def key_of(seed: int, leaf: int, t: Scalar) -> Key:
    """Return the key of a leaf in the update that has the clock ``t``: a number, or a word of a library.

    >>> key_of(0, 0, 1) == key_of(0, 1, 0)
    False
    """
    return Key(LeafKey(mix(mix(seed) ^ leaf), mix(seed ^ GOLDEN), leaf), t)


def words_of(n: Words, key: Key) -> tuple[Scalar, Scalar]:
    """Return the two words that scramble the numbers of the elements; Python's for Python's clock."""
    (by_leaf, by_seed, leaf), t = key.of_leaf, key.t
    kind = Numbers if isinstance(t, int) else n
    first = mix(t ^ kind.word(by_leaf), kind)
    return first, mix(mix(t ^ kind.word(by_seed), kind) ^ kind.word(leaf), kind)


def random_words(n: Words, index: Array, key: Key, part: int = 0) -> Array:
    """Return 32 random bits for each element, as words.

    Args:
        n: the library's operations.
        index: the elements' numbers, as words.
        key: of the leaf and the step.
        part: what is rounded, 0 for p; each part has bits of its own (STORE.16).
    """
    first, second = words_of(n, key)
    if part:
        second = mix(second ^ part, Numbers if isinstance(second, int) else n)
    return scrambled(index ^ n.word(first), second, n)


def at_random(n: Words, name: str, x: Array, dtype: str, key: Key) -> Array:
    """Return numbers rounded to one of their two neighbours in a 16-bit dtype, in float32.

    Args:
        n: the library's operations.
        name: of the part: "p", "m", "v" or "v_max".
        x: its numbers, in float32.
        dtype: "bfloat16" or "float16".
        key: of the random bits.
    """
    index = n.index(x) if key.elements is None else key.elements
    bits = random_words(n, index, key, PARTS[name])
    return n.floats(stochastic(n, quiet(n, n.words(x)), dtype, bits))

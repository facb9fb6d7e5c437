"""Random bits out of counters: the same in every library, on any number of devices (rule STORE.7).

Each element's 32 bits are a hash of the seed, the leaf's number, the clock of the update and the number of
the element.  Nothing is kept from step to step, and no element needs the bits of another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from adamcore.storage.bits import MASK, Words

if TYPE_CHECKING:
    from adamcore.types import Array, Scalar

GOLDEN = 0x9E3779B9  #: 2**32 over the golden ratio


class Key(NamedTuple):
    """What the random bits of one leaf in one step are made of; two words, Python's or 0-d arrays."""

    first: Scalar
    second: Scalar
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
    """Return a word that depends on each bit of ``x``, by the finalizer of MurmurHash3; one to one.

    Args:
        x: a word, or words.
        n: the operations of its kind.

    >>> mix(0), mix(1)
    (2462723854, 2527132011)
    """
    mask = n.word(MASK)
    x = (x + n.word(GOLDEN)) & mask
    x = ((x ^ n.right(x, 16)) * n.word(0x85EBCA6B)) & mask
    x = ((x ^ n.right(x, 13)) * n.word(0xC2B2AE35)) & mask
    return x ^ n.right(x, 16)


def key_of(seed: int, leaf: int, t: Scalar, n: type[Numbers] | Words = Numbers) -> Key:
    """Return the key of a leaf in the update that has the clock ``t``: a number, or a word of a library.

    >>> key_of(0, 0, 1) == key_of(0, 1, 0)
    False
    """
    by_leaf, by_seed = n.word(mix(mix(seed) ^ leaf)), n.word(mix(seed ^ GOLDEN))
    return Key(mix(by_leaf ^ t, n), mix(mix(by_seed ^ t, n) ^ leaf, n))


def random_words(n: Words, index: Array, key: Key) -> Array:
    """Return 32 random bits for each element, as words; ``index`` has the elements' numbers, as words."""
    return mix(mix(index ^ n.word(key.first), n) ^ n.word(key.second), n)

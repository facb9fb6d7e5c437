"""Random bits out of counters: the same in every library, on any number of devices (rule STORE.7).

Each element's 32 bits are a hash of the seed, the leaf's number, the clock of the update and the number of
the element.  Nothing is kept from step to step, and no element needs the bits of another one.
"""

from __future__ import annotations

from collections.abc import Callable
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


def mix(x: Scalar, word: Callable[[int], Scalar] = int) -> Scalar:
    """Return a word that depends on each bit of ``x``, by the finalizer of MurmurHash3; one to one.

    Args:
        x: a word, or words.
        word: makes a constant of the kind of ``x``: :meth:`adamcore.storage.bits.Words.word`.

    >>> mix(0), mix(1)
    (2462723854, 2527132011)
    """
    mask = word(MASK)
    x = (x + word(GOLDEN)) & mask
    x = ((x ^ (x >> 16)) * word(0x85EBCA6B)) & mask
    x = ((x ^ (x >> 13)) * word(0xC2B2AE35)) & mask
    return x ^ (x >> 16)


def key_of(seed: int, leaf: int, t: Scalar, word: Callable[[int], Scalar] = int) -> Key:
    """Return the key of a leaf in the update that has the clock ``t``: a number, or a word of a library.

    >>> key_of(0, 0, 1) == key_of(0, 1, 0)
    False
    """
    by_leaf, by_seed = word(mix(mix(seed) ^ leaf)), word(mix(seed ^ GOLDEN))
    return Key(mix(by_leaf ^ t, word), mix(mix(by_seed ^ t, word) ^ leaf, word))


def random_words(n: Words, index: Array, key: Key) -> Array:
    """Return 32 random bits for each element, as words; ``index`` has the elements' numbers, as words."""
    return mix(mix(index ^ n.word(key.first), n.word) ^ n.word(key.second), n.word)

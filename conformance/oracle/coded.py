"""Moments in 8 bits as they are stored, from values that are known up to an error (STORE.9).

A code depends on its element and on the largest of its block.  Both may be off, so that several numbers are
possible; most often they are one.
"""

from __future__ import annotations

import numpy as np

from adamcore import Adam
from adamcore.backends.numpy.words import WORDS
from adamcore.conformance.types import FloatArray
from adamcore.storage.moments import IN_8_BITS, Coding, decode, encode


def codings_of(adam: Adam, parts: int, shape: tuple[int, ...]) -> dict[int, Coding]:
    """Return how state variables are kept in 8 bits, by their numbers in ``(p..., m..., v, v_max)``."""
    fields = ["m_storage"] * parts + ["v_storage"] * 2
    found = {}
    for k, field in enumerate(fields, start=parts):
        policy = getattr(adam, field)
        coding = Coding(policy, field == "m_storage")
        if policy in IN_8_BITS and coding.serves(shape):
            found[k] = coding
    return found


def round_trip(coding: Coding, x: FloatArray) -> FloatArray:
    """Return the numbers that the codes of ``x`` stand for.

    >>> round_trip(Coding("companded8", True), np.array([1.0, 0.3])).round(3).tolist()
    [1.008, 0.297]
    """
    with np.errstate(all="ignore"):
        codes, scales = encode(WORDS, coding, x.astype(np.float32))
        kept = codes.astype(coding.dtype), scales.astype(coding.scale_dtype)
        return np.asarray(decode(WORDS, coding, *kept), np.float64)


def possible(coding: Coding, centre: FloatArray, radius: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the least and the largest number that may be stored for each element.

    Args:
        coding: how the moment is kept.
        centre: the moment before it is stored, a vector of the whole array.
        radius: how far it may be off.
    """
    rows = np.pad(np.nan_to_num(np.abs(centre)), (0, -centre.size % coding.block)).reshape(-1, coding.block)
    largest = np.zeros(rows.shape, dtype=bool)
    largest[np.arange(len(rows)), rows.argmax(axis=1)] = True
    first = largest.reshape(-1)[: centre.size]
    found = [
        round_trip(coding, centre + np.where(first, top * np.sign(centre), own) * radius)
        for own in (-1.0, 0.0, 1.0)
        for top in (-1.0, 1.0)
    ]
    digits = 2.0**-23 * np.abs(found[0])  # a scale that is found again may be off by its last digit
    with np.errstate(invalid="ignore"):
        return np.min(found, axis=0) - digits, np.max(found, axis=0) + digits

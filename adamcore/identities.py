"""The identities of many objects at once.

``id`` takes 30 ns and makes a number.  A list of CPython is a C structure with the address of a vector,
which holds the addresses of the objects, their identities; one copy of it has them all.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from ctypes import c_int64, c_void_p, string_at
from functools import cache
from typing import Any

FEW = 64  #: objects below which the copy does not pay
ITEMS = tuple.__basicsize__  #: bytes of a list in front of its vector's address: the head of any sequence


def identities(xs: Sequence[Any]) -> array[int]:
    """Return the ``id`` of each object; of a list they are copied.

    >>> xs = [object() for _ in range(100)]
    >>> list(identities(xs)) == list(map(id, xs))
    True
    """
    if type(xs) is not list or len(xs) < FEW or not readable():
        return array("q", map(id, xs))
    vector: Any = c_void_p.from_address(id(xs) + ITEMS).value
    return array("q", string_at(vector, 8 * len(xs)))


@cache
def readable() -> bool:
    """True if a list of this interpreter is as it is known here."""
    if sys.implementation.name != "cpython" or list.__basicsize__ < ITEMS + 8:
        return False
    probe = [object(), object()]
    vector: Any = c_void_p.from_address(id(probe) + ITEMS).value
    return list((c_int64 * 2).from_address(vector)) == list(map(id, probe))

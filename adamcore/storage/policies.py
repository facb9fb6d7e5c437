"""The policies: how the float32 value of a 16-bit parameter is kept, and how it is found again.

:func:`store` makes of the value ``x`` what is kept: the parameter p, and for some policies a *rest* in the
state.  :func:`load` makes of p and the rest the value with which the next step computes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from adamcore.storage.bits import INFINITY, MASK, UPPER, Words, nearest, quiet
from adamcore.storage.random_bits import Key, at_random

if TYPE_CHECKING:
    from adamcore.types import Array

PStorage = Literal["plain", "master", "split", "split8", "kahan", "stochastic"]
P_STORAGES = get_args(PStorage)
NARROW = ("bfloat16", "float16")  #: the dtypes of p for which the policies but "plain" are
#: the dtype of the rest; None for p's own
RESTS = {"master": "float32", "split": "int16", "split8": "int8", "kahan": None}


class Storage(NamedTuple):
    """How the parameter of a leaf is kept; "plain" is None instead."""

    policy: PStorage
    dtype: str  #: of p: one of :data:`NARROW`

    @property
    def has_rest(self) -> bool:
        return self.policy in RESTS


def load(n: Words, storage: Storage, p: Array, rest: Array | None) -> Array:
    """Return the float32 value of a parameter.

    Args:
        n: the library's operations.
        storage: the policy.
        p: the parameter, in float32.
        rest: what the state has of it, in float32 for "master" and "kahan", in integers for "split".
    """
    if rest is None:
        return p
    if storage.policy in ("split", "split8"):
        apart = n.unsigned(rest) * (256 if storage.policy == "split8" else 1)
        return n.floats((n.words(p) + apart) & n.word(MASK))
    pw = quiet(n, n.words(p))
    if storage.policy == "master":
        rounded = nearest(n, quiet(n, n.words(rest)), storage.dtype)
        return n.where(rounded == pw, rest, p)
    x = n.where(rest == 0.0, p, p + rest)  # -0 + 0 would be 0
    off = n.floats(nearest(n, quiet(n, n.words(x)), storage.dtype)) - x
    return n.where(abs(p - x) > abs(off), p, x)  # not nearest: p was changed


def store(n: Words, storage: Storage, x: Array, key: Key | None) -> tuple[Array, Array | None]:
    """Return a parameter and its rest, for :func:`load`, in the dtypes that it takes them in.

    Args:
        n, storage: as for :func:`load`.
        x: the value, in float32.
        key: of the random bits, for "stochastic".
    """
    if storage.policy == "stochastic":
        assert key is not None
        return at_random(n, "p", x, storage.dtype, key), None
    w = quiet(n, n.words(x))
    if storage.policy in ("split", "split8"):
        return split(n, storage, w)
    pw = nearest(n, w, storage.dtype)
    p = n.floats(pw)
    if storage.policy == "master":
        return p, x
    lost = n.where((pw & INFINITY) < INFINITY, x - p, 0.0)  # 0 where p is infinite or NaN
    return p, n.floats(nearest(n, quiet(n, n.words(lost)), storage.dtype))


def split(n: Words, storage: Storage, w: Array) -> tuple[Array, Array]:
    """Return the nearest parameter, and how many float32 numbers lie from it to the value."""
    if storage.policy == "split8":
        w = w + 0x7F + (n.right(w, 8) & 1)  # its lowest byte is kept nowhere
    if storage.dtype == "bfloat16":
        both = w + 0x8000  # the nearest, ties away from 0, over how far it is
        pw, apart = both & n.word(UPPER), both & 0xFFFF
        if storage.policy == "split8":
            return n.floats(pw), n.byte(n.right(w, 8), True)
    else:
        pw = nearest(n, w, storage.dtype)
        apart = (w - pw + 0x8000) & n.word(MASK)
        apart = n.where(apart < 0x10000, apart, 0x8000)  # 0 where p is too far away
    if storage.policy == "split8":
        return n.floats(pw), n.byte(n.right(apart, 8) ^ 0x80, True)
    return n.floats(pw), n.signed(apart) - 0x8000

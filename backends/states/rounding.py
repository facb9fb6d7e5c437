"""Moments that go into arrays of a narrower dtype (MOM.4)."""

from __future__ import annotations

from typing import Any

import numpy as np

from adamcore.backends.states.named import numpy_of
from adamcore.errors import ConversionError


def refuse_rounded(value: np.ndarray, new: Any, what: str) -> None:
    """Raise ConversionError if an array of any library is not equal to what it was made of.

    Args:
        value: the moment in the state.
        new: the array that it became.
        what: the moment's name in the message.

    >>> refuse_rounded(np.ones(2), np.ones(2, dtype=np.float16), "v of w")
    """
    kept = numpy_of(new)
    wide = np.complex128 if np.iscomplexobj(kept) else np.float64
    if not np.array_equal(value.astype(wide), kept.astype(wide), equal_nan=True):
        raise ConversionError(
            f"{what} is {value.dtype} in the state and {kept.dtype} where it goes, which does not hold it: a "
            "second moment that becomes 0 makes a huge step; keep the moments wide (moment_dtype='float32', "
            "optax' mu_dtype), or say narrow=True"
        )

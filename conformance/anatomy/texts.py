"""Numbers as a reader of equations needs them."""

from __future__ import annotations

import numpy as np

from adamcore.conformance.types import FloatArray

Equation = tuple[str, str]  #: the name of a part, and its text
Comparison = tuple[str, str, str]  #: the name of a part, its text as claimed, and as measured; "" is none


def number(x: float) -> str:
    """Return a number with the digits that a reader needs.

    >>> number(0.8000000001), number(1e-8)
    ('0.8', '1e-08')
    """
    return f"{float(x):.5g}"


def times(x: float) -> str:
    """Return a factor that stands before a name: nothing for 1.

    >>> times(1.0) + "g", times(0.2) + "g"
    ('g', '0.2 g')
    """
    return "" if number(x) == "1" else f"{number(x)} "


def listed(values: FloatArray) -> str:
    """Return the values of successive steps in a line; of many, the first ones and the last, or what stays.

    >>> listed(np.array([1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625]))
    '1, 0.5, 0.25, 0.125, ..., 0.015625'
    >>> listed(np.array([0.25, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0]))
    '0.25, 0.5, then 1'
    >>> listed(np.array([np.nan, np.nan]))
    'NaN'
    """
    texts = [number(x) for x in np.ravel(values)]
    if set(texts) == {"nan"}:
        return "NaN"
    begun = next((k for k, text in enumerate(texts) if set(texts[k:]) == {text}), 0)
    if 0 < begun <= len(texts) - 4 and begun < 6 < len(texts):
        return f"{', '.join(texts[:begun])}, then {texts[-1]}"
    return ", ".join(texts if len(texts) < 7 else [*texts[:4], "...", texts[-1]])


def shortened(error: str) -> str:
    """Return the beginning of an error's text.

    >>> shortened("ValueError: " + "a" * 100)[-8:]
    'aaaaa...'
    """
    return error if len(error) <= 80 else f"{error[:77]}..."

"""Coefficients that are 0 or infinite in the dtype of the arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from adamcore.numerics.formats import Format
from adamcore.numerics.moments import Loss

if TYPE_CHECKING:
    from adamcore.definition import Coefficients

#: what each coefficient is; the momentum product is not among them, since it is meant to become 0
WORDS = {
    "w1": "1 - b1",
    "w2": "1 - b2",
    "step_m": "the length of the step",
    "step_g": "the length of the step along g",
    "inside": "the epsilon under the root",
    "over_root": "the correction of v",
    "square": "the correction of v",
    "outside": "the epsilon beside the root",
    "decay": "the part of p that decays",
}


def vanishing(work: Format, rows: Mapping[int, Coefficients]) -> Iterator[Loss]:
    """Yield the coefficients that vanish or overflow, each once; ``rows`` has them by the clock."""
    seen = set()
    for t, row in rows.items():
        for name, words in WORDS.items():
            value = getattr(row, name)
            if not value or name in seen or not work.vanishes(value):
                continue
            seen.add(name)
            becomes = "0" if value < 1 else "infinite"
            numbers = {"value": value, "t": t}
            message = f"{words} is {value:.3g} at t={t} and becomes {becomes}; give moment_dtype='float64'"
            yield Loss("coefficient-lost", work.name, numbers, message)

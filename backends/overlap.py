"""Jobs that share memory: in place, the step of one would change what another reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from adamcore.jobs import Columns
from adamcore.types import Array


class Span(NamedTuple):
    """The memory between the first and the last byte of an array."""

    start: int
    end: int
    job: int
    array: Array
    written: bool  #: True for p, m, v and v_max, False for a gradient


def first_overlap(
    columns: Columns,
    bounds: Callable[[Array], tuple[int, int] | None],
    shares: Callable[[Array, Array], bool],
) -> tuple[int, int] | None:
    """Return two jobs of which one writes to memory of the other, or None.

    Args:
        columns: the arrays of the jobs.
        bounds: returns the addresses of an array's first byte and of the one after its last; None if
            they are not known.
        shares: True if two arrays have an element in common, which those with gaps need not.

    Example:
        >>> import numpy as np
        >>> x, m, v = np.ones(8), np.ones(8), np.ones(8)
        >>> parts = [[a[0:5], a[5:8]] for a in (x, np.ones(8), m, v)]
        >>> first_overlap(Columns(*parts), np.lib.array_utils.byte_bounds, np.shares_memory)
        >>> parts[0] = [x[0:5], x[4:7]]
        >>> first_overlap(Columns(*parts), np.lib.array_utils.byte_bounds, np.shares_memory)
        (0, 1)
    """
    spans = []
    for name, column in zip(Columns._fields, columns, strict=True):
        for job, x in enumerate(column):
            found = bounds(x)
            if found is not None and found[0] < found[1]:
                spans.append(Span(*found, job, x, name != "g"))
    spans.sort(key=lambda span: span.start)
    open_spans: list[Span] = []  # those that reach into the next one
    for span in spans:
        open_spans = [other for other in open_spans if other.end > span.start]
        for other in open_spans:
            if other.job != span.job and (other.written or span.written) and shares(other.array, span.array):
                return other.job, span.job
        open_spans.append(span)
    return None

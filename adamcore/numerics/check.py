"""All findings on the leaves of a tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from adamcore.numerics.coefficients import vanishing
from adamcore.numerics.formats import Format, format_of
from adamcore.numerics.moments import Loss, first_moment, second_moment
from adamcore.numerics.report import Finding, NumericsReport
from adamcore.numerics.values import counted, losses_of_values
from adamcore.storage.policies import Storage

if TYPE_CHECKING:
    from adamcore.config import AdamConfig
    from adamcore.definition import Coefficients
    from adamcore.jobs import LeafDtypes
    from adamcore.protocol import Backend
    from adamcore.types import Array


class Leaf(NamedTuple):
    """A parameter, where it stands, and the dtypes that go with it."""

    path: str
    array: Array
    formats: LeafDtypes


def report(
    adam: AdamConfig, b: Backend, leaves: Sequence[Leaf], lr: float, rows: Mapping[int, Coefficients]
) -> NumericsReport:
    """Return what the dtypes of these leaves lose.

    Args:
        adam: the Adam that will step.
        b: the backend of the leaves.
        leaves: the parameters.
        lr: the learning rate of the steps.
        rows: the coefficients of the first update and of a late one, by its clock.
    """
    late = rows[max(rows)]
    decay = 0.0 if adam.decay == "l2" or late.decay is None else float(late.decay)
    findings: list[Finding] = []
    unread: list[str] = []
    by_dtype: dict[LeafDtypes, list[str]] = {}
    for path, p, formats in leaves:
        by_dtype.setdefault(formats, []).append(path)
        held = format_of(p.dtype)
        counts = None if held is None else counted(b, p, formats, lr, decay)
        if held is None or counts is None:
            unread.append(path)
            continue
        findings += [
            Finding(loss.what, path, loss.dtype, loss.numbers, loss.message)
            for loss in losses_of_values(*kept_format(held, formats.storage), counts, lr, decay)
        ]
    findings.sort(key=lambda finding: -finding.numbers["fraction"])
    findings += [
        Finding(loss.what, paths[0], loss.dtype, loss.numbers, loss.message, tuple(paths[1:]))
        for formats, paths in by_dtype.items()
        for loss in losses_of_dtypes(adam, b, formats, rows)
    ]
    return NumericsReport(tuple(findings), tuple(unread))


def kept_format(held: Format, storage: Storage | None) -> tuple[Format, bool]:
    """Return the format in which a parameter's value is kept (STORE.1), and whether it is rounded at random.

    >>> kept_format(format_of("bfloat16"), Storage("split8", "bfloat16"))[0].digits
    16
    """
    if storage is None:
        return held, False
    digits = {"master": 24, "split": 24, "split8": 16, "kahan": 2 * held.digits}
    held = held._replace(digits=digits.get(storage.policy, held.digits))
    return held, storage.policy == "stochastic"


def losses_of_dtypes(
    adam: AdamConfig, b: Backend, formats: LeafDtypes, rows: Mapping[int, Coefficients]
) -> Iterator[Loss]:
    """Yield what the dtypes of the moments and of the arithmetic lose, whatever the values are."""
    flushed_below = b.least(formats.work) if b.flushes else 0.0
    work, m, v = (format_of(dtype, flushed_below) for dtype in (formats.work, formats.m, formats.v))
    if m is not None:
        yield from first_moment(adam, m)
    if v is not None and work is not None:
        yield from second_moment(adam, v, work)
    if work is not None:
        yield from vanishing(work, rows)

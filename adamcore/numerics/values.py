"""What the dtype of a parameter loses: elements that a step or its decay leaves as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import array_api_compat

from adamcore.numerics.formats import Format
from adamcore.numerics.moments import Loss
from adamcore.storage.policies import load, store

if TYPE_CHECKING:
    from adamcore.jobs import LeafDtypes
    from adamcore.protocol import Backend
    from adamcore.types import Array

INSTEAD = "keep the parameter in a wider dtype, or more of it by p_storage"
BLOCK = 2**22  #: elements that are looked at together


class Counts(NamedTuple):
    """Numbers of elements; real and imaginary part of a complex one count as two."""

    elements: int
    finite: int
    stuck: int  #: finite, and left as they are by a step of either sign
    one_way: int  #: moved by a step of one sign alone
    undecayed: int  #: finite, not 0, and left as they are by the decay


def counted(b: Backend, p: Array, formats: LeafDtypes, lr: float, decay: float) -> Counts | None:
    """Return the counts of an array; None if only a program knows its values.

    Args:
        b: the array's backend.
        p: the array.
        formats: the dtype of the arithmetic, and how the array is kept.
        lr: the length of the step.
        decay: the fraction of p that decays.
    """
    total = Counts(0, 0, 0, 0, 0)
    with b.scope():
        for part in blocks(b, p):
            counts = counts_of_block(b, part, formats, lr, decay)
            if counts is None:
                return None
            total = Counts(*map(sum, zip(total, counts, strict=True)))
    return total


def blocks(b: Backend, p: Array) -> Iterator[Array]:
    """Yield a parameter as real vectors of at most :data:`BLOCK` elements."""
    xp = array_api_compat.array_namespace(p)
    for part in (xp.real(p), xp.imag(p)) if b.kind(p.dtype) == "complex" else (p,):
        flat = xp.reshape(part, (-1,))
        for start in range(0, flat.shape[0], BLOCK):
            yield flat[start : min(start + BLOCK, flat.shape[0])]


def counts_of_block(b: Backend, p: Array, formats: LeafDtypes, lr: float, decay: float) -> Counts | None:
    """Return the counts of one block, from steps that are really made; None if only a program knows them."""
    xp = array_api_compat.array_namespace(p)
    work, storage, n = formats.work, formats.storage, b.bits_of_floats()
    wide = b.cast(p, work)
    finite = xp.isfinite(wide)

    def same(moved: Array) -> Array:
        if storage is None or n is None or not storage.has_rest:
            return (b.cast(b.cast(moved, p.dtype), work) == wide) & finite
        kept = store(n, storage, b.cast(moved, b.dtype_named("float32", p)), None)
        return (b.cast(load(n, storage, *kept), work) == wide) & finite

    down, up = same(wide - lr), same(wide + lr)
    undecayed = same(wide - decay * wide) & (wide != 0) if decay else None
    masks = [finite, down & up, down ^ up, finite & False if undecayed is None else undecayed]
    try:
        return Counts(p.shape[0], *(int(xp.sum(xp.astype(mask, xp.int32))) for mask in masks))
    except (TypeError, RuntimeError):  # of a tracer, or of an array that takes part in a transform
        return None


def losses_of_values(
    held: Format, at_random: bool, counts: Counts, lr: float, decay: float
) -> Iterator[Loss]:
    """Yield what a format loses of a parameter; each finding has the fraction of elements.

    Args:
        held: the format in which the value is kept.
        at_random: True if it is rounded at random, so that no step is lost on average.
        counts: of the elements.
        lr, decay: as for :func:`counted`.
    """
    n = max(counts.elements, 1)
    infinite = counts.elements - counts.finite
    if infinite:
        numbers: dict[str, float] = {"elements": n, "lost": infinite, "fraction": infinite / n}
        yield Loss(
            "not-finite", held.name, numbers, f"{share(infinite, n)} of the elements are NaN or infinite"
        )
    if at_random:
        return
    if lr and counts.stuck:
        above = held.stuck_above(lr)
        numbers = {
            "elements": n,
            "lost": counts.stuck,
            "fraction": counts.stuck / n,
            "one_way": counts.one_way,
            "lr": lr,
            "above": above,
            "spacing": held.spacing(above),
        }
        message = (
            f"a full step of lr={lr:.3g} does not move {share(counts.stuck, n)} of the elements: above "
            f"{above:.3g}, numbers of {held.name} are {numbers['spacing']:.3g} apart or more, and less than "
            f"half of that is rounded away; {INSTEAD}"
        )
        yield Loss("step-lost", held.name, numbers, message)
    if counts.undecayed:
        share_lost = counts.undecayed / n
        numbers = {"elements": n, "lost": counts.undecayed, "fraction": share_lost, "decay": decay}
        message = (
            f"the decay by {decay:.3g} of p does not by itself move {share(counts.undecayed, n)} of the "
            f"elements: it is less than half the distance of two numbers of {held.name}; {INSTEAD}"
        )
        yield Loss("decay-lost", held.name, numbers, message)


def share(part: int, whole: int) -> str:
    """Return a part in percent: 100% for the whole alone.

    >>> share(999_999, 1_000_000), share(3, 3), share(1, 3000)
    ('99%', '100%', '0.03%')
    """
    if part == whole:
        return "100%"
    percent = 100 * part / whole
    return f"{min(percent, 99):.0f}%" if percent >= 1 else f"{percent:.1g}%"

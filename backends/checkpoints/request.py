"""What a caller asks of a reader of checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from adamcore.errors import CheckpointError


class Request(NamedTuple):
    """What is asked of a reader, as :func:`adamcore.backends.states.foreign.read` takes it."""

    kind: str | None = None
    dialect: str | None = None
    hyper: Mapping[str, Any] | None = None
    t: int | Mapping[str, int] | None = None
    needs_dialect: bool = False
    key: str | None = None

    def chosen(self, places: Iterable[str], where: str) -> str:
        """Return the one place of an optimizer, or the one that ``key`` chooses.

        Raises:
            CheckpointError: there is none, or there are several and ``key`` does not choose one.
        """
        found = list(places)
        under = [place for place in found if self.key is None or f"{place}.".startswith(f"{self.key}.")]
        if len(under) == 1:
            return under[0]
        listing = f", which has {listing_of(found)}" if found else ""
        came = f"{len(found) or 'no'} states of Adam" if self.key is None else f"no one Adam at {self.key!r}"
        raise CheckpointError(
            f"{came} in {where}{listing}: expected one"
            + ("; choose it by its key (key=, on the command line --key KEY)" if found else "")
        )


def listing_of(places: list[str], most: int = 12) -> str:
    """Return places for a message.

    >>> listing_of(["a", ""])
    "'a', 'the top'"
    """
    more = f" and {len(places) - most} more" if len(places) > most else ""
    return ", ".join(repr(place or "the top") for place in places[:most]) + more

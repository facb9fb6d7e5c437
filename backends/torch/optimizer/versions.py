"""Whether dictionaries were changed, told by the number that CPython gives a dictionary at each change.

To look at the state of 1000 parameters takes Python a tenth of a millisecond.  CPython up to 3.13 gives a
dictionary another number whenever it is changed, which no dictionary has had before (``ma_version_tag``,
PEP 509), and machine code reads a thousand of these in a microsecond.  :func:`known` looks for the number in
dictionaries that are changed in every way.  If it is not there, changes are not seen, and the state is looked
at in each step.
"""

from __future__ import annotations

import ctypes
from array import array
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from itertools import count
from operator import attrgetter
from typing import Any

from adamcore.backends.kernels import llvm
from adamcore.backends.kernels.objects import FEW, words

VERSION = object.__basicsize__ + 8  #: the place of the number, behind that of the items
KINDS = {dict, defaultdict}  #: of dictionaries that say so whenever they change

VALUE: Any = attrgetter("value")
word = ctypes.c_uint64.from_address
_stamps = count(1)


class DictVersions:
    """The versions of some dictionaries; they live as long as it does."""

    def __init__(self, dicts: Sequence[Any]) -> None:
        self.dicts = dicts
        self.places = array("q", map(id, dicts)) if known() and {*map(type, dicts)} <= KINDS else array("q")
        self.cells = [word(id(each) + VERSION) for each in dicts] if 0 < len(self.places) < FEW else []
        self.seen: Any = None
        self.number = 0

    def stamp(self) -> int | None:
        """Return a number that is another one after each change; None if changes are not seen."""
        if self.cells:
            now: Any = list(map(VALUE, self.cells))
        elif self.places and llvm.available():
            now = words(self.places, VERSION)
        else:
            return None
        if now != self.seen:
            self.seen, self.number = now, next(_stamps)
        return self.number


@cache
def known() -> bool:
    """True if a dictionary of this interpreter has its version where it is looked for."""
    if dict.__basicsize__ < VERSION + 8:
        return False
    changes: list[Callable[[dict[Any, Any]], Any]] = [
        lambda d: d.update(a=1), lambda d: d.update(a=2), lambda d: d.__setitem__("b", d),
        lambda d: d.pop("b"), lambda d: d.setdefault(0, None), lambda d: d.popitem(),
        lambda d: d.__delitem__("a"),
        lambda d: d.__ior__({"c": 1, 5: 6}), lambda d: d.clear(), lambda d: d.update({"e": 1}),
    ]  # fmt: skip
    one, other = dict[Any, Any](), defaultdict[Any, Any](dict)
    seen = set()
    for change in changes:
        for d in (one, other):
            before = word(id(one) + VERSION).value, word(id(other) + VERSION).value
            list(d.items()), d.get("a"), d.copy()  # what reads leaves it alone
            if (word(id(one) + VERSION).value, word(id(other) + VERSION).value) != before:
                return False
            change(d)
            after = word(id(d) + VERSION).value
            if after in seen or after in before:
                return False
            seen.add(after)
    return True

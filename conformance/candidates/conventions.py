"""How a kernel is to be called, found by calling it on a few elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adamcore.conformance.candidates.adapter.base import cast, describe, same_bits
from adamcore.conformance.candidates.calls import STATE, TRIED, Convention, Form, Request, Slot
from adamcore.conformance.candidates.own import Library
from adamcore.conformance.candidates.signatures import Signature, role_of
from adamcore.conformance.errors import CandidateError
from adamcore.conformance.types import FloatArray

#: Numbers of elements on which a kernel is called: few, and if nothing comes of that, whole vectors of them.
SIZES = (3, 192)


class ChangesNothing(Exception):
    """A kernel returns nothing, and writes to none of its arrays."""


def find_convention(
    function: Callable[..., Any],
    signature: Signature,
    libraries: Sequence[Library],
    dtype: str,
    returns: tuple[str, ...] | None = None,
) -> Convention:
    """Return how a kernel is called, found by calling it on a few elements.

    Args:
        function: the kernel.
        signature: its arguments.
        libraries: whose arrays are tried, in order.
        dtype: the dtype of the arrays.
        returns: the roles of what it returns, if they are known.

    Raises:
        CandidateError: every trial raised an error, or it returned what no role is known for.
    """
    errors = []
    idle = None
    for count in SIZES:
        for tried in conventions(function, signature, libraries):
            try:
                found = settled(tried, dtype, returns, count)
            except ChangesNothing:
                idle = idle or tried
            except Exception as error:
                errors.append((tried.library.xp.__name__, error))
            else:
                return with_own_clock(found, dtype, returns, count) or found
    if idle is not None:
        return idle
    first = errors[0][1]
    if isinstance(first, CandidateError):
        raise first
    names = " and of ".join(dict.fromkeys(name for name, _ in errors))
    raise CandidateError(f"a call on {dtype} arrays of {names} raised {describe(first)}") from first


def with_own_clock(
    found: Convention, dtype: str, returns: tuple[str, ...] | None, count: int
) -> Convention | None:
    """Return how a kernel is called that ticks its clock where that is an array, or None if it does not.

    Such a kernel may take a number too, and raises it for itself alone.
    """
    if found.clock == "array" or found.ticks or not found.signature.takes("t"):
        return None
    try:
        other = settled(replace(found, clock="array"), dtype, returns, count)
    except Exception:  # it takes no array
        return None
    return other if other.ticks else None


def conventions(
    function: Callable[..., Any], signature: Signature, libraries: Sequence[Library]
) -> Iterator[Convention]:
    """Yield the conventions to try, the likeliest first: ``grads`` may be one array all the same."""
    if signature.of_lists:
        yield from conventions_of(function, signature, libraries)
    yield from conventions_of(function, replace(signature, lists=False), libraries)


def conventions_of(
    function: Callable[..., Any], signature: Signature, libraries: Sequence[Library]
) -> Iterator[Convention]:
    """Yield the conventions of lists, or of single arrays."""
    for library in libraries:
        arrays_first = library.xp.__name__ == "torch"
        clocks: tuple[Form, ...] = ("array", "number") if signature.of_lists else ("number", "array")
        flags: tuple[Form, ...] = ("array", "number") if arrays_first else ("number", "array")
        for clock in clocks if signature.takes("t") else clocks[:1]:
            for form in flags if signature.takes("scale", "inv_scale", "found_inf", "h") else flags[:1]:
                yield Convention(function, signature, library, clock, form)


def settled(tried: Convention, dtype: str, returns: tuple[str, ...] | None, count: int) -> Convention:
    """Return the convention with what a call on so many elements shows of it."""
    probing = replace(tried, ticks=True, begins=0) if tried.signature.takes("t") else tried
    slot, before, after, result = called(probing, dtype, 1, count)
    found = replace(tried, read=probing.read)
    clock_moved = slot.clock is not None and float(np.reshape(numpy(tried, slot.clock), ())) != 1.0
    wrote_moments = changed(before, after, "m", "v")
    if not same_bits(before["p"], after["p"]) or (result is None and wrote_moments):  # p may be what is wrong
        found.ticks = clock_moved
    elif result is None:
        raise ChangesNothing
    else:
        found.returns = returns or returned_roles(probing, result)
        parts = found.parts(result)
        if "p" not in parts or not ({"m", "v"} <= set(parts) or wrote_moments):
            raise CandidateError(
                f"it wrote to no parameter, and returned {text_of(result)}; expected p, m and v as new "
                'arrays in this order, or kernel(..., returns="v, m, p") that tells another'
            )
        found.ticks = "t" in parts
    if found.ticks:
        found.begins = 0 if moves_from_zero(found, dtype, count) else 1
    return found


def called(
    tried: Convention, dtype: str, t: int, count: int
) -> tuple[Slot, dict[str, FloatArray], dict[str, FloatArray], Any]:
    """Call a kernel on so many elements; return its slot, its arrays before and after, and the result."""
    slot = tried.slot(cast(np.resize([1.0, -2.0, 0.5], count), dtype), t=0)
    if tried.ticks:
        slot.clock = tried.as_form(t, tried.clock)
    before = {name: tried.library.numpy(getattr(slot, name)) for name in STATE}
    grads = [tried.library.array(cast(np.resize([0.5, 0.25, -1.0], count), dtype))]
    result = tried.step([slot], grads, Request(TRIED, scale=1.0))
    after = {name: tried.library.numpy(getattr(slot, name)) for name in STATE}
    return slot, before, after, result


def moves_from_zero(found: Convention, dtype: str, count: int) -> bool:
    """Return whether a kernel that ticks its clock makes its first update from a clock of 0."""
    try:
        with np.errstate(all="ignore"):
            after = called(found, dtype, 0, count)[2]["p"]
    except ArithmeticError:
        return False
    return bool(np.isfinite(after).all())


def returned_roles(tried: Convention, result: Any) -> tuple[str, ...]:
    """Return the roles of what a kernel returned, by names if there are any, or else by their number."""
    if isinstance(result, Mapping):
        return tuple(role_of(name) for name in result)
    if fields := getattr(result, "_fields", None):
        return tuple(role_of(name) for name in fields)
    if result is None:
        return ()
    count = len(result) if isinstance(result, (tuple, list)) and not tried.is_one(result) else 1
    takes = tried.signature.takes
    more = [role for role in ("v_max", "t") if takes(role) and (role == "t" or tried.keeps_maximum)]
    return {1: ("p",), 3: STATE[:3], 4: (*STATE[:3], *more[:1]), 5: (*STATE, "t")}.get(count, ())


def changed(before: Mapping[str, FloatArray], after: Mapping[str, FloatArray], *names: str) -> bool:
    return all(not same_bits(before[name], after[name]) for name in names)


def numpy(tried: Convention, value: Any) -> Any:
    """Return a clock in NumPy."""
    return value if isinstance(value, (int, float)) else tried.library.numpy(value)


def text_of(result: Any) -> str:
    """Return what a kernel returned, as text."""
    if isinstance(result, (tuple, list)):
        return f"{len(result)} values"
    return "nothing" if result is None else f"one {type(result).__name__}"

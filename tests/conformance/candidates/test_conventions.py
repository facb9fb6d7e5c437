"""How a kernel is called is found by calling it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adamcore.conformance.candidates.conventions import find_convention
from adamcore.conformance.candidates.own import Library, library_for
from adamcore.conformance.candidates.signatures import read_signature
from adamcore.conformance.errors import CandidateError


def libraries(*names: str) -> list[Library]:
    return [library for library in map(library_for, names) if library is not None]


def convention(function: Any, *names: str, returns: tuple[str, ...] | None = None) -> Any:
    signature = read_signature(function, {}, required=())
    return find_convention(function, signature, libraries(*names or ("numpy",)), "float32", returns)


def in_place(p: Any, g: Any, m: Any, v: Any, t: Any, lr: float) -> None:
    m += 0.5 * g
    p -= lr * m / (1 - 0.5**t)


def in_place_and_returned(p: Any, g: Any, m: Any, v: Any, lr: float) -> Any:
    p -= lr * g
    return p


def new(p: Any, g: Any, m: Any, v: Any, t: Any, lr: float) -> Any:
    return p - lr * g / (1 - 0.5**t), m + g, v + g * g


def ticking(p: Any, g: Any, m: Any, v: Any, t: Any, lr: float) -> Any:
    t = t + 1
    return p - lr * g / (1 - 0.5**t), m + g, v + g * g, t


def next_clock(p: Any, g: Any, m: Any, v: Any, t: Any, lr: float) -> Any:
    return p - lr * g / (1 - 0.5**t), m + g, v + g * g, t + 1


def ticking_in_place(p: Any, g: Any, m: Any, v: Any, step: Any, lr: float) -> None:
    step += 1
    p -= lr * g


def named(p: Any, g: Any, m: Any, v: Any, lr: float) -> Any:
    return {"nu": v + g * g, "mu": m + g, "param": p - lr * g}


def plural(params: Any, grads: Any, m: Any, v: Any, lr: float) -> Any:
    return params - lr * grads, 0.5 * m + grads, v + grads * grads


def plural_lists(params: Any, grads: Any, m: Any, v: Any, lr: float) -> None:
    for p, g in zip(params, grads, strict=True):
        p -= lr * g


def swapped(p: Any, g: Any, m: Any, v: Any, lr: float) -> Any:
    return v + g * g, m + g, p - lr * g


def idle(p: Any, g: Any, m: Any, v: Any, lr: float) -> Any:
    return p * g


def to_nobody(p: Any, g: Any, m: Any, v: Any, lr: float) -> None:
    m += g
    v += g * g
    p = p - lr * m


def alone(p: Any, g: Any, m: Any, v: Any, lr: float) -> None:
    m += g


def raising(p: Any, g: Any, m: Any, v: Any, lr: float) -> None:
    raise RuntimeError("needs 16 bytes of alignment")


@pytest.mark.parametrize(
    ("function", "returns", "ticks", "begins"),
    [
        (in_place, (), False, 0),
        (in_place_and_returned, (), False, 0),
        (new, ("p", "m", "v"), False, 0),
        (ticking, ("p", "m", "v", "t"), True, 0),
        (next_clock, ("p", "m", "v", "t"), True, 1),
        (ticking_in_place, (), True, 0),
        (to_nobody, (), False, 0),
        (named, ("v", "m", "p"), False, 0),
    ],
)
def test_what_a_call_shows(function: Any, returns: tuple[str, ...], ticks: bool, begins: int) -> None:
    found = convention(function)
    assert (found.returns, found.ticks) == (returns, ticks)
    assert not ticks or found.begins == begins


def test_what_is_named_in_the_plural_may_be_one_array() -> None:
    assert convention(plural).returns == ("p", "m", "v")
    assert [convention(f).signature.of_lists for f in (plural, plural_lists, new)] == [False, True, False]


def test_what_is_returned_can_be_told() -> None:
    found = convention(swapped, returns=("v", "m", "p"))
    slot = found.slot(np.ones(1, np.float32))
    found.keep([slot], found.parts(swapped(slot.p, 2 * slot.p, slot.m, slot.v, 0.25)))
    assert [float(x[0]) for x in (slot.p, slot.m, slot.v)] == [0.5, 2.0, 4.0]


def test_the_clock_goes_on_from_what_was_returned() -> None:
    for function in (ticking, next_clock):
        found = convention(function)
        slot = found.slot(np.ones(1, np.float32), t=4)
        assert found.updates_of(slot) == 4
        found.keep([slot], found.parts(function(slot.p, slot.p, slot.m, slot.v, slot.clock, 0.5)))
        assert found.updates_of(slot) == 5


def test_one_new_array_alone_is_not_enough() -> None:
    with pytest.raises(
        CandidateError, match="wrote to no parameter, and returned one ndarray; expected p, m and v"
    ):
        convention(idle)


def nothing_done(p: Any, g: Any, m: Any, v: Any, lr: float) -> None:
    pass


@pytest.mark.parametrize("function", [alone, nothing_done])
def test_a_kernel_that_returns_nothing_works_in_place_whatever_it_leaves_alone(function: Any) -> None:
    assert convention(function).returns == ()


def test_an_error_of_every_trial_is_told_with_the_arrays() -> None:
    with pytest.raises(CandidateError, match="float32 arrays of numpy raised RuntimeError: needs 16 bytes"):
        convention(raising)


def test_the_first_library_that_serves_is_taken() -> None:
    pytest.importorskip("torch")

    def tensors(p: Any, g: Any, m: Any, v: Any, lr: float) -> None:
        p.sub_(lr * g)

    assert convention(tensors, "numpy", "torch").library.xp.__name__ == "torch"
    assert convention(in_place_and_returned, "numpy", "torch").library.xp.__name__ == "numpy"

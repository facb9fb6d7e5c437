"""Changes of a step's coefficients."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from adamcore import Adam
from adamcore.coefficients import Host
from adamcore.conformance.faults import _scalars
from adamcore.conformance.oracle.perturbation import StepContext
from adamcore.definition import Coefficients, coefficients

ADAM = Adam(lr=0.5, b1=0.75, b2=0.9375, eps=0.25, decay="decoupled", weight_decay=0.5)
T, LR = 3, 0.25


def both(change: Any, adam: Adam = ADAM, t: int = T) -> tuple[Coefficients, Coefficients]:
    """The coefficients of a step, and those that a change makes of them."""
    c = coefficients(Host(), adam, t, LR, 1.0)
    return c, change(c, Host(), StepContext(adam, t, LR, (2,), False, t))


def differing(a: Coefficients, b: Coefficients) -> set[str]:
    return {name for name in a._fields if getattr(a, name) != getattr(b, name)}


def test_epsilon_is_changed_alone() -> None:
    plain, changed = both(partial(_scalars.eps_changed, lambda e, n, at: e * at.lr))
    assert differing(plain, changed) == {"outside"}
    assert changed.outside == 0.25 * LR


def test_epsilon_squared_under_the_root_is_in_the_units_of_v() -> None:
    _, changed = both(_scalars.eps_squared_inside)
    assert changed.outside is None
    assert changed.inside == pytest.approx(0.25**2 * (1 - 0.9375**T))


def test_one_beta_for_both_moments() -> None:
    plain, changed = both(partial(_scalars.same_beta, "b1"))
    assert (changed.w2, changed.keep2) == (0.25, 0.75)
    assert changed.over_root == plain.over_root


def test_corrections_exchanged() -> None:
    _, changed = both(_scalars.corrections_swapped)
    assert changed.step_m == pytest.approx(LR / (1 - 0.9375**T))
    assert changed.square == pytest.approx(1 - 0.75**T)


def test_a_correction_that_ends() -> None:
    for t, corrected in ((3, True), (4, False)):
        plain, changed = both(partial(_scalars.correction_ends, 4), t=t)
        assert (changed == plain) is corrected
    assert changed.step_m == LR
    assert changed.over_root is None


def test_a_moment_written_back_is_kept_larger() -> None:
    _, changed = both(partial(_scalars.written_back, "first"))
    assert changed.keep1 == pytest.approx(0.75 / (1 - 0.75 ** (T - 1)))
    first, same = both(partial(_scalars.written_back, "both"), t=1)
    assert first == same


def test_decay_with_the_first_lr() -> None:
    _, changed = both(partial(_scalars.decay_changed, _scalars.first_lr))
    assert changed.decay == pytest.approx(0.5 * 0.5)


@pytest.mark.parametrize(
    "change",
    [
        _scalars.root_missing, _scalars.root_times, _scalars.corrections_swapped,
        partial(_scalars.one_correction, "b1"), partial(_scalars.corrected_at, 1),
        _scalars.correction_times,
    ],
)  # fmt: skip
def test_a_fault_of_a_correction_means_nothing_without_one(change: Any) -> None:
    plain, changed = both(change, Adam(bias_correction="none"))
    assert changed == plain

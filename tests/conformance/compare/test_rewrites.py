"""What the rewrites propose, and what they do not."""

from __future__ import annotations

from adamcore import Adam
from adamcore.conformance.compare.compare import (
    adam_of_row,
    nearest_match,
)
from adamcore.dialects import dialect

STEPS = 12


def test_l2_is_no_decoupled_decay() -> None:
    a = adam_of_row(dialect("paper"), weight_decay=0.1, lr=0.1)
    row = dialect("keras.AdamW")
    assert nearest_match(a, row, STEPS).verdict == "different"
    b = adam_of_row(dialect("torch.AdamW"), weight_decay=0.1, lr=0.1)
    assert nearest_match(b, dialect("torch.Adam"), STEPS).adam.decay == "decoupled"


def test_no_correction_is_a_schedule() -> None:
    """eps-hat with corrections is no correction with a schedule of lr, exactly."""
    a = Adam.like("keras.Adam", lr=0.1)
    found = nearest_match(a, dialect("mindspore.AdamWeightDecay"), STEPS)
    assert found.verdict == "exact"
    assert found.scheduled


def test_eps_that_stands_far_below_makes_no_difference() -> None:
    """The same pair: 'different' with the default eps, approximate where eps is small beside sqrt(v)."""
    row = dialect("keras.Adam")
    gap = [
        max(nearest_match(adam_of_row(dialect("torch.Adam"), eps=eps), row, STEPS).gaps)
        for eps in (1e-6, 1e-8, 1e-12, 0.0)
    ]
    assert gap == sorted(gap, reverse=True)
    assert gap[-1] < 1e-20
    assert gap[-2] < 1e-3

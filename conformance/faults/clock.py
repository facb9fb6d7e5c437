"""Clocks that stop, wrap, lag, or count something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from adamcore.conformance.oracle.perturbation import ClockContext, Fault


def stops(last: int, at: ClockContext) -> int:
    return min(at.t, last)


def wraps(bits: int, signed: bool, at: ClockContext) -> int:
    """Return the clock as an integer of ``bits`` bits."""
    half = 1 << (bits - 1)
    return (at.t + half) % (2 * half) - half if signed else at.t % (2 * half)


def restarts(after: int, at: ClockContext) -> int:
    return (at.t - 1) % after + 1


def coarse(bits: int, at: ClockContext) -> int:
    """Return the clock cut to ``bits`` significant bits."""
    dropped = max(at.t.bit_length() - bits, 0)
    return at.t >> dropped << dropped


def present(at: ClockContext) -> list[int]:
    """Return the clocks of the parameters that have a gradient in this step."""
    return [t for t, absent in zip(at.clocks, at.absent, strict=True) if not absent] or [at.t]


def stopping() -> Iterator[Fault]:
    for last in (1, 2, 5, 10, 20, 50, 100, 128, 256, 2048, 2**24):
        area = ("bias_correction", "BC.1") if last < 128 else ("clock", "CLK.3")
        says = "stays at 1" if last == 1 else f"stops at {last}"
        yield Fault(
            f"clock-stops-at-{last}",
            *area,
            f"the step count of the correction {says}",
            clock=partial(stops, last),
        )


def others() -> Iterator[Fault]:
    by: dict[str, tuple[str, str, Callable[[ClockContext], int]]] = {
        "late": ("CLK.2", "the first update counts as t=2", lambda at: at.t + 1),
        "of-calls": ("CLK.1", "one clock for all tensors, which ticks once a tensor", lambda at: at.calls),
        "of-calls-late": (
            "CLK.1",
            "one clock for all tensors, from 1 on, which ticks before each tensor's update",
            lambda at: at.calls + 1,
        ),
        "begins-twice": ("CLK.2", "the first two updates count as t=1", lambda at: max(at.t - 1, 1)),
        "of-shape": (
            "CLK.1",
            "tensors of one shape share a clock, which each ticks",
            lambda at: at.calls_of_shape,
        ),
        "own": ("CLK.1", "a clock for each tensor", lambda at: max(at.own_updates, 1)),
        "of-steps": ("CLK.1", "one clock for all tensors", lambda at: at.step),
        "double": ("CLK.2", "the clock ticks twice a step", lambda at: 2 * at.t),
        "half": ("CLK.2", "the clock ticks every other step", lambda at: (at.t + 1) // 2),
        "of-last": ("CLK.1", "the last present parameter's clock serves all", lambda at: present(at)[-1]),
        "of-first": ("CLK.1", "the first parameter's clock serves all", lambda at: max(at.clocks[0], 1)),
        "largest": ("CLK.1", "the largest of all clocks serves every parameter", lambda at: max(at.clocks)),
        "smallest": ("CLK.1", "the smallest clock of those present serves all", lambda at: min(present(at))),
    }
    for name, (rule, says, clock) in by.items():
        yield Fault(f"clock-{name}", "clock", rule, says, clock=clock)
    for bits, signed in ((8, True), (8, False), (16, True), (16, False)):
        name = f"{'' if signed else 'unsigned '}{bits} bits"
        yield Fault(
            f"clock-{bits}{'s' if signed else 'u'}",
            "clock",
            "CLK.3",
            f"the clock wraps, being of {name}",
            clock=partial(wraps, bits, signed),
        )
    for after in (100, 10, 1000, 50, 128, 256):
        yield Fault(
            f"clock-restarts-{after}",
            "clock",
            "CLK.2",
            f"the clock starts again after {after} steps",
            clock=partial(restarts, after),
        )
    for bits in (3, 4, 8, 11):
        yield Fault(
            f"clock-coarse-{bits}",
            "clock",
            "CLK.3",
            f"the clock has {bits} significant bits",
            clock=partial(coarse, bits),
        )


CLOCK = (*stopping(), *others())

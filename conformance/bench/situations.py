"""What surrounds the steps that are timed: nothing, or what a training does between two steps.

In a training a backward pass fills the caches and makes new gradients before each step, and a schedule
changes the learning rate.  A step that is repeated at once finds its arrays where it left them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi

from adamcore.conformance.bench.step import Step

EVICTED = 64 << 20  #: bytes that are read and written between two steps of a training
PERIOD = 1000  #: steps of the cosine schedule of lr


@dataclass(frozen=True)
class Situation:
    """What is done between two steps."""

    name: str
    about: str
    training: bool  #: True if caches are filled, gradients made and lr changed between two steps
    fresh: bool = False  #: True if the gradients' memory is new as well


SITUATIONS = {
    each.name: each
    for each in (
        Situation(
            "training",
            f"between two steps {EVICTED >> 20} MB are read and written, gradients are made in new memory, "
            "and a schedule changes lr",
            training=True,
            fresh=True,
        ),
        Situation("kept", "as in training, with new gradients in the memory of the old ones", training=True),
        Situation("hot", "the same step again at once, on the same gradients", training=False),
    )
}


def between(situation: Situation, step: Step, evict: Callable[[], None]) -> Callable[[], None] | None:
    """Return a function to call before each timed step, or None if the step can't be in this situation.

    Args:
        situation: what surrounds the step.
        step: whose gradients and lr change.
        evict: reads and writes ``EVICTED`` bytes, with the threads of the step's framework.
    """
    if not situation.training:
        return lambda: None
    gradients, done = step.gradients, 0
    if gradients is None or (not situation.fresh and not gradients.refill()):
        return None

    def prepare() -> None:
        nonlocal done
        if situation.fresh:
            gradients.release()
        evict()
        if situation.fresh:
            gradients.make()
        else:
            gradients.refill()
        if step.set_lr is not None:
            step.set_lr(1e-3 * (0.55 + 0.45 * cos(2 * pi * done / PERIOD)))
        done += 1

    return prepare

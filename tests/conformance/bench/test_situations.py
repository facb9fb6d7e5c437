"""What is done between two steps: the gradients and lr change, and the caches are filled, in this order."""

from __future__ import annotations

import numpy as np

from adamcore.conformance.bench.situations import EVICTED, SITUATIONS, between
from adamcore.conformance.bench.step import ListGradients, Step


def recorded() -> tuple[list[str], Step]:
    """Return a list of what is done, and a step whose gradients and lr write into it."""
    done: list[str] = []

    class Recorder:
        def release(self) -> None:
            done.append("release")

        def make(self) -> None:
            done.append("make")

        def refill(self) -> bool:
            done.append("refill")
            return True

    return done, Step(lambda: None, Recorder(), lambda lr: done.append(f"lr {lr}"))


def test_hot_steps_are_repeated_at_once() -> None:
    done, step = recorded()
    prepare = between(SITUATIONS["hot"], step, lambda: done.append("evict"))
    assert prepare is not None
    prepare()
    assert done == []


def test_gradients_of_a_training_lie_in_new_memory() -> None:
    done, step = recorded()
    prepare = between(SITUATIONS["training"], step, lambda: done.append("evict"))
    assert prepare is not None
    prepare()
    assert done == ["release", "evict", "make", "lr 0.001"]


def test_the_learning_rate_changes_from_step_to_step() -> None:
    done, step = recorded()
    prepare = between(SITUATIONS["training"], step, lambda: None)
    assert prepare is not None
    for _ in range(20):
        prepare()
    rates = [word for word in done if word.startswith("lr")]
    assert len(set(rates)) == 20


def test_kept_memory_is_written_again() -> None:
    done, step = recorded()
    prepare = between(SITUATIONS["kept"], step, lambda: done.append("evict"))
    assert prepare is not None
    done.clear()  # whether it can be refilled was tried
    prepare()
    assert done == ["evict", "refill", "lr 0.001"]


def test_steps_without_gradients_take_no_part_in_a_training() -> None:
    step = Step(lambda: None)
    assert between(SITUATIONS["training"], step, lambda: None) is None
    assert between(SITUATIONS["hot"], step, lambda: None) is not None


def test_arrays_that_cannot_be_written_are_not_kept() -> None:
    step = Step(lambda: None, ListGradients([np.ones(2)], [np.ones(2)], np.copy))
    assert between(SITUATIONS["kept"], step, lambda: None) is None


def test_the_size_of_the_traffic_is_stated() -> None:
    assert f"{EVICTED >> 20} MB" in SITUATIONS["training"].about

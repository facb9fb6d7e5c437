"""What storage is for: 200 steps of lr 1e-3 from 1.0, each less than half a distance of bfloat16 there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from storage_runs import LIBRARIES, array, numbers, same, words_of

from adamcore import Adam, AdamState
from adamcore.storage.policies import Storage, load

STEPS, LR = 200, 1e-3
UNIT = 2.0**-8  #: the distance of bfloat16's numbers from 1/2 to 1
GRADIENTS = (0.5, 2.0, 0.03125)


def run(library: str, policy: Any, dtype: str = "bfloat16", size: int = 3) -> Iterator[tuple[Any, AdamState]]:
    """Yield the parameter and the state after each step, under constant gradients."""
    adam = Adam(lr=LR, moment_dtype="float32", p_storage=policy)
    p = array(library, np.ones(size), dtype)
    g, state = array(library, np.resize(GRADIENTS, size), dtype), adam.init(p)
    for _ in range(STEPS):
        p, state = adam.step(p, g, state)
        yield p, state


@cache
def in_float32(library: str) -> list[Any]:
    return [numbers(p) for p, _ in run(library, "plain", "float32")]


def value(policy: Any, p: Any, state: AdamState) -> Any:
    """Return the value that the next step starts from."""
    return load(words_of("numpy"), Storage(policy, "bfloat16"), numbers(p), numbers(state.p_rest))


def test_plain_bfloat16_stands_still() -> None:
    *_, (p, _) = run("numpy", "plain")
    assert numbers(p).tolist() == [1.0] * 3
    assert np.abs(in_float32("numpy")[-1] - 0.8).max() < 1e-5


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("policy", ["master", "split"])
def test_master_and_split_are_float32_bit_for_bit(library: str, policy: str) -> None:
    for (p, state), wanted in zip(run(library, policy), in_float32(library), strict=True):
        x = value(policy, p, state)
        assert same([x], [wanted])
        assert (np.abs(numbers(p) - wanted) <= UNIT / 2).all()


@pytest.mark.parametrize(("policy", "each"), [("split8", UNIT / 2**9), ("kahan", UNIT / 2**10)])
def test_sixteen_digits_stay_within_the_sum_of_their_roundings(policy: str, each: float) -> None:
    """A step rounds the value once more than float32: to 2**-16, or to half a step of the rest."""
    for k, ((p, state), wanted) in enumerate(zip(run("numpy", policy), in_float32("numpy"), strict=True), 1):
        x = value(policy, p, state)
        assert np.abs(x - wanted).max() <= k * (each + 2.0**-24)
        assert np.abs(numbers(p) - x).max() <= UNIT / 2


def test_random_roundings_cancel_out() -> None:
    """The mean of 4096 elements is float32's, to what Azuma and Hoeffding allow: beyond with less than 1e-9.

    Given what was before, each rounding has a mean of 0 and lies in an interval of UNIT.  So the mean of N
    elements after n steps is farther than s from 0 with a probability of 2*exp(-2*s*s*N/(n*UNIT**2)) at most.
    """
    size = 4096
    wanted = np.resize(in_float32("numpy")[-1], size)
    *_, (p, _) = run("numpy", "stochastic", size=size)
    off = numbers(p) - wanted
    assert abs(off.mean()) <= UNIT * math.sqrt(STEPS * math.log(2 / 1e-9) / (2 * size))
    assert 0.2 < off.std() / (UNIT * math.sqrt(STEPS) / 2) < 1.0  # it does go at random

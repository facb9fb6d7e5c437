"""Probes of large gradients, large updates and long arrays, in which clipping and leftovers show."""

from __future__ import annotations

import numpy as np

from adamcore.conformance.probes.design import ODD, array, gradients, numbers
from adamcore.conformance.types import Probe, Start, Step

PERIOD = 37  #: after so many elements the values repeat; no block size of a kernel is a multiple of it
LONG = (1025, 4097)  #: one more than the elements of one and of four blocks of 1024 threads


def repeated(seed: int, size: int) -> np.ndarray:
    """Return a long array of few distinct numbers, whose exact answer costs no more than a short one's."""
    return np.resize(numbers(seed, PERIOD), size)


PROBES = [
    Probe(
        "MOM.2/large",
        "gradients from a hundred to a million: what is clipped on the way shows",
        (numbers(80, 4),),
        gradients(
            [[3e2, -4e4, 1e6, 2e2], [-2e4, 5e5, 7e3, -3e2], [9e5, 2e2, -6e5, 1e6], [4e3, -8e5, 3e4, 5e3]]
        ),
        ODD,
    ),
    Probe(
        "STEP.1/burst",
        "small gradients, then large ones: updates of over twice lr",
        (numbers(81, 3),),
        gradients(*[[[0.01, -0.02, 0.015]] * 10 + [[1.0, -2.0, 1.5], [2.0, -1.0, 0.01]]]),
        {"lr": 0.25, "b1": 0.25, "b2": 0.99, "eps": 1e-3, "weight_decay": 0.0},
    ),
    Probe(
        "STEP.1/late-burst",
        "a large gradient after ten thousand small ones: updates of up to (1-b1)/sqrt(1-b2), 50 times lr",
        (numbers(82, 3),),
        gradients([[1.0, -2.0, 4.0], [0.5, -1.0, -4.0]]),
        {"lr": 0.25, "b1": 0.5, "b2": 0.9999, "eps": 1e-4, "weight_decay": 0.0},
        needs={"amsgrad": ("none", "uncorrected"), "nesterov": ("none", "optax", "same-t")},
        start=(Start(10_000, array([1e-3, -1e-3, 2e-3]), array([1e-6] * 3), array([1e-6] * 3)),),
    ),
    Probe(
        "STEP.1/long",
        "more than 1024 and than 4096 elements: the second block of a grid, and what is left over",
        tuple(repeated(83 + i, size) for i, size in enumerate(LONG)),
        tuple(Step(tuple(repeated(85 + 2 * s + i, size) for i, size in enumerate(LONG))) for s in range(2)),
        ODD,
    ),
]

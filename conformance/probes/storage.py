"""Probes of 16-bit parameters: steps shorter than the distance of numbers, and roundings at random."""

from __future__ import annotations

import numpy as np

from adamcore.conformance.probes.design import array, moving, numbers
from adamcore.conformance.settings import NARROW
from adamcore.conformance.types import FloatArray, Probe, Step

IN_BLOCKS = ("companded8", "blockwise8")  #: the ways to keep moments in 8 bits
SEVENTH = np.arange(4096) % 7 == 3  #: elements with a small gradient
SIGNED = [np.sign(numbers(209 + s, 4096)) for s in range(3)]
SMALL = (1e-5, 0.0, 0.0)  #: their gradient in each step
KEPT = ("master", "split", "split8", "kahan", "stochastic")  #: the policies that lose no short step


def around_one(seed: int, *shape: int) -> FloatArray:
    """Return numbers of either sign whose size is 1.0 to 1.5."""
    x = numbers(seed, *shape)
    return array(np.sign(x) * (1.0 + 0.4 * np.abs(x)))


PROBES = [
    Probe(
        "STORE.1/short-steps",
        "20 steps of a quarter of the distance of two numbers: together they move a parameter by five",
        (around_one(200, 2, 3), around_one(201, 2, 3)),
        tuple(
            Step(tuple(array(np.abs(g) * np.array([1.0, -1.0, 1.0])) for g in step.grads if g is not None))
            for step in moving(202, 20, (2, 3), (2, 3))
        ),
        {"lr": 2.0**-9, "b1": 0.5, "b2": 0.75, "eps": 2.0**-10, "weight_decay": 0.0},
        needs={"p_storage": KEPT},
        only=NARROW,
    ),
    Probe(
        "STORE.9/blocks",
        "4096 elements, whose moments are kept in 8 bits by blocks",
        (around_one(206, 64, 64),),
        moving(207, 4, (64, 64)),
        {"lr": 2.0**-7, "b1": 0.75, "b2": 0.9375, "eps": 2.0**-10, "weight_decay": 0.0},
        needs={"m_storage": IN_BLOCKS},
        only=("float32",),
    ),
    Probe(
        "STORE.15/small-v",
        "v is 1e-10 of the largest in its block, and m 1e-5: then elements without a gradient",
        (around_one(208, 4096),),
        tuple(
            Step((array(np.where(SEVENTH, small * x, x)),)) for x, small in zip(SIGNED, SMALL, strict=True)
        ),
        {"lr": 2.0**-9, "b1": 0.875, "b2": 0.9375, "eps": 2.0**-24, "weight_decay": 0.0},
        needs={"m_storage": IN_BLOCKS},
        only=("float32",),
    ),
    Probe(
        "STORE.16/random",
        "2048 elements and 12 steps, of which the later ones move some v by less than half a distance",
        (around_one(210, 1024), around_one(211, 1024)),
        moving(212, 12, (1024,), (1024,)),
        {"lr": 2.0**-7, "b1": 0.9, "b2": 0.995, "eps": 2.0**-10, "weight_decay": 0.0},
        needs={"v_storage": ("stochastic",)},
        only=NARROW,
    ),
    Probe(
        "STORE.6/random",
        "2048 elements and 12 steps, whose values lie anywhere between two numbers",
        (around_one(203, 1024), around_one(204, 1024)),
        moving(205, 12, (1024,), (1024,)),
        {"lr": 2.0**-7, "b1": 0.5, "b2": 0.75, "eps": 2.0**-10, "weight_decay": 0.0},
        needs={"p_storage": ("stochastic",)},
        only=NARROW,
    ),
]

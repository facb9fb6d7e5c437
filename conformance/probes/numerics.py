"""Probes of the precision of coefficients, of underflow and overflow, and of NaN and infinity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from adamcore.conformance.probes.design import ODD, array, gradients, moving, numbers
from adamcore.conformance.types import Probe, Step

NAN, INF = float("nan"), float("inf")


def spoiled(steps: tuple[Step, ...], at: int, values: Mapping[int, float]) -> tuple[Step, ...]:
    """Return the steps with these values put into the first parameter's gradient in step ``at``."""
    first, *others = steps[at].grads
    assert first is not None
    first = first.copy()
    first[list(values)] = list(values.values())
    return (*steps[:at], Step((first, *others)), *steps[at + 1 :])


FINITE = Probe(
    "STEP.1/finite",
    "the probe of NaN and infinity with numbers in their place",
    (array([1.0, -1.0, 0.5, 2.0, -0.5]), array([1.0, 2.0])),
    gradients(
        [[0.5, 0.25, -1.0, 0.5, 1.0], [0.5, 1.0, 1.0, -0.5, 0.5], [0.25, 0.5, 0.5, 1.0, -1.0]],
        [[1.0, -1.0], [0.5, 0.5], [0.25, -0.5]],
    ),
    {"lr": 0.25, "b1": 0.5, "b2": 0.8, "eps": 0.03, "weight_decay": 0.25},
)

FIRST_IS_FLOAT32 = ("float32", None, None, "float32")

PROBES = [
    Probe(
        "NUM.1/two-dtypes",
        "parameters of two dtypes in one optimizer, the first in float32: each is stepped in its own",
        tuple(numbers(70 + i, *shape) for i, shape in enumerate(((3,), (2, 2), (5,), ()))),
        moving(74, 4, (3,), (2, 2), (5,), ()),
        {**ODD, "b2": 0.7},
        dtypes=FIRST_IS_FLOAT32,
        only=("float64",),
    ),
    Probe(
        "NUM.4/near-one",
        "b2=0.9999 from p=0: 1-b**t formed in float32 is over a thousand ULP off",
        (array([0.0, 0.0]),),
        gradients([[1.0, -0.5], [1.0, -0.5], [1.0, -0.5]]),
        {"lr": 1.0, "b1": 0.9, "b2": 0.9999, "eps": 1e-8, "weight_decay": 0.0},
        tells=("coefficients",),
    ),
    Probe(
        "NUM.2/tiny",
        "gradients whose square underflows in float32: epsilon alone is the denominator",
        (array([0.0, 1e-20, 0.5]),),
        gradients([[1e-25, -2e-25, 1e-24], [2e-25, 1e-25, -1e-24], [1e-25, 1e-25, 1e-25]]),
        {"lr": 1.0, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "weight_decay": 0.0},
        needs={"epsilon": ("outside-corrected", "outside-uncorrected")},
    ),
    Probe(
        "NUM.3/huge",
        "g=1e20 in float32: its square overflows, (1-b2)*g*g does not",
        (array([0.0, 0.5]),),
        gradients([[1e20, -1e20], [1e20, 1e20], [-1e20, 1e20]]),
        {"lr": 0.5, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "weight_decay": 0.0},
        needs={"amsgrad": ("none", "uncorrected")},
        level="should",
    ),
    Probe(
        "NUM.1/digits",
        "parameters and gradients of 53 bits, none of which float32 has",
        (1.0 / np.arange(3.0, 16.0, 2.0), 1.0 / np.arange(3.0, 9.0)),
        tuple(
            Step((s / np.arange(21.0, 34.0, 2.0), -s / np.arange(11.0, 17.0))) for s in (1.0, -0.7, 0.3, 1.1)
        ),
        ODD,
        only=("float64",),
    ),
    FINITE,
    replace(
        FINITE,
        name="NF.1/nan",
        about="a NaN and an infinity in two elements: theirs are spoiled, their neighbours' bit for bit not",
        steps=spoiled(FINITE.steps, 1, {1: NAN, 3: INF}),
        twin=FINITE.name,
    ),
]

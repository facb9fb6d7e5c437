"""Precision of coefficients, underflow, overflow, and what is not finite."""

from __future__ import annotations

import numpy as np

from adamcore.conformance.probe import Probe
from adamcore.conformance.probes.design import array, gradients

NAN, INF = float("nan"), float("inf")

PROBES = [
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
        "NF.1/nan",
        "a NaN and an infinity in two elements: theirs are spoiled, their neighbours' are not",
        (array([1.0, -1.0, 0.5, 2.0, -0.5]), array([1.0, 2.0])),
        gradients(
            [[0.5, 0.25, -1.0, 0.5, 1.0], [0.5, NAN, 1.0, INF, 0.5], [0.25, 0.5, 0.5, 1.0, -1.0]],
            [[1.0, -1.0], [0.5, 0.5], [np.float64(0.25), -0.5]],
        ),
        {"lr": 0.25, "b1": 0.5, "b2": 0.8, "eps": 0.03, "weight_decay": 0.25},
    ),
]

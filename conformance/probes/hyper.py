"""Probes whose hyperparameters need many bits, so that one kept in fewer bits shows."""

from __future__ import annotations

import numpy as np

from adamcore.conformance.probes.design import moving, numbers, scheduled
from adamcore.conformance.types import Probe, Step

DECIMAL = {"lr": float(np.float32(0.3)), "b1": 0.7, "b2": 0.78, "eps": 0.09, "weight_decay": 0.19}
"""Values far from any number of float32 or a narrower format, but for lr, which Keras keeps in float32."""
SCALES = (1.0, 0.25, 0.5, 2.0, 0.25, 0.5)  #: factors of the gradients, so that v changes in each step


PROBES = [
    Probe(
        "NUM.4/decimals",
        "hyperparameters of many bits, each as large as what it stands beside: rounded ones show",
        (numbers(70, 5),),
        tuple(Step((numbers(71 + s, 5, scale=0.25 * scale),)) for s, scale in enumerate(SCALES)),
        DECIMAL,
    ),
    Probe(
        "LR.1/odd-values",
        "learning rates of 24 bits, changed twice: one kept in 16 bits shows; then one far above 1",
        (numbers(72, 4),),
        scheduled(
            moving(73, 7, (4,)),
            {s: float(np.float32(lr)) for s, lr in ((2, 0.1), (4, 0.7), (6, 7.9))},
        ),
        DECIMAL,
    ),
    Probe(
        "LR.1/all-bits",
        "learning rates that float32 does not hold: in float64 they keep all their bits",
        (numbers(74, 4),),
        scheduled(moving(75, 6, (4,)), {2: 0.1, 4: 0.7}),
        {**DECIMAL, "lr": 0.3},
        level="should",
    ),
]

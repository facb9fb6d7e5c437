"""Probes of the formula, one or more for each of its axes, and of complex numbers and lr=0.

A :class:`Probe` has a name, its purpose in a line, the parameters, the steps (gradients, and perhaps a new
lr) and the hyperparameters.  The rule is the part of the name before the slash.  ``tells`` names the axes
whose values give other results on the probe; ``needs`` names the values of axes that the probe is made for.
"""

from __future__ import annotations

import numpy as np

from adamcore.conformance.probes.design import ODD, array, gradients, moving, numbers, scheduled
from adamcore.conformance.types import Probe, Step

PROBES = [
    Probe(
        "STEP.1/fingerprint",
        "five steps of one element that keep every combination of axes apart by at least 2 % of lr",
        (array([-1.5]),),
        gradients([[0.07], [-0.79], [-0.29], [-1.0], [-0.26]]),
        ODD,
        tells=("epsilon", "bias_correction", "decay", "amsgrad", "nesterov", "maximize"),
    ),
    Probe(
        "EPS.1/beside-small-root",
        "gradients of 1e-3 under eps=1e-2: where epsilon stands is most of the step",
        (array([0.0, 0.25, -0.25]),),
        gradients([[1e-3, -2e-3, 4e-3], [2e-3, 1e-3, -1e-3], [-1e-3, 3e-3, 2e-3], [1e-3, 1e-3, 1e-3]]),
        {"lr": 0.5, "b1": 0.9, "b2": 0.999, "eps": 1e-2, "weight_decay": 0.0},
        tells=("epsilon",),
    ),
    Probe(
        "EPS.2/comparable",
        "eps as large as the root, on all scales from 1/8 to 8",
        (numbers(1, 7),),
        tuple(Step((array(8.0 ** (k - 1) * numbers(2 + k, 7)),)) for k in (1, 2, 0, 1, 2, 0)),
        {"lr": 0.5, "b1": 0.75, "b2": 0.9, "eps": 1.0, "weight_decay": 0.0},
        tells=("epsilon",),
    ),
    Probe(
        "EPS.1/small",
        "the most usual eps, 1e-8, and a root as large as it, on all scales from 1/8 to 8",
        (array(np.zeros(7)),),
        tuple(Step((array(1e-8 * 8.0 ** (k - 1) * numbers(2 + k, 7)),)) for k in (1, 2, 0, 1, 2, 0)),
        {"lr": 0.5, "b1": 0.75, "b2": 0.9, "eps": 1e-8, "weight_decay": 0.0},
        tells=("epsilon",),
    ),
    Probe(
        "EPS.1/none",
        "an eps of 0 beside small gradients: a default in its place shows",
        (numbers(5, 4),),
        moving(6, 4, (4,), scale=2.0**-14),
        {"lr": 0.5, "b1": 0.5, "b2": 0.8, "eps": 0.0, "weight_decay": 0.0},
        only=("float32", "float64"),
    ),
    Probe(
        "EPS.5/root",
        "eps_root beside eps: under the root of the corrected second moment",
        (numbers(3, 4),),
        moving(4, 6, (4,)),
        {"lr": 0.5, "b1": 0.5, "b2": 0.8, "eps": 0.03, "eps_root": 0.25, "weight_decay": 0.0},
        needs={"epsilon": ("outside-corrected", "outside-uncorrected")},
    ),
    Probe(
        "BC.1/first-steps",
        "the first ten steps of a small constant and a sign-changing gradient, b1 unlike b2",
        (array([0.0, 0.0]),),
        gradients([[0.5, (-1) ** t * 0.5] for t in range(10)]),
        {"lr": 0.5, "b1": 0.9, "b2": 0.999, "eps": 1e-4, "weight_decay": 0.0},
        tells=("bias_correction",),
    ),
    Probe(
        "BC.3/not-written-back",
        "thirty steps: a correction that leaks into the state accumulates",
        (numbers(5, 3),),
        moving(6, 30, (3,)),
        {"lr": 0.125, "b1": 0.9, "b2": 0.95, "eps": 1e-3, "weight_decay": 0.0},
        tells=("bias_correction",),
    ),
    Probe(
        "DEC.1/coupling",
        "a large parameter and a small gradient: decay is most of what happens",
        (array([8.0, -8.0, 4.0]),),
        gradients(*[[[0.125, 0.25, -0.125], [0.25, -0.125, 0.25], [-0.125, 0.125, 0.25]] * 2]),
        {"lr": 0.25, "b1": 0.75, "b2": 0.9, "eps": 0.125, "weight_decay": 0.5},
        tells=("decay",),
    ),
    Probe(
        "DEC.1/zero-gradient",
        "300 steps of which all but three have a zero gradient: only decay and momentum act",
        (array([1.0, -0.5, 2.0, 1e-3]),),
        tuple(Step((array([1.0, -2.0, 0.5, 0.25] if s < 3 else np.zeros(4)),)) for s in range(300)),
        {"lr": 0.015625, "b1": 0.9, "b2": 0.99, "eps": 1e-3, "weight_decay": 0.125},
        tells=("decay",),
    ),
    Probe(
        "DEC.1/long",
        "100 steps of a matrix that decays to a twentieth: decay that is gathered before it counts",
        (numbers(113, 3, 2),),
        moving(114, 100, (3, 2)),
        {"lr": 0.125, "b1": 0.5, "b2": 0.8, "eps": 0.03, "weight_decay": 0.25},
    ),
    Probe(
        "DEC.2/lr-changed",
        "lr falls to a sixteenth: decay that is multiplied by it falls with it",
        (array([4.0, -4.0]),),
        scheduled(moving(8, 8, (2,)), {3: 0.03125}),
        {"lr": 0.5, "b1": 0.5, "b2": 0.8, "eps": 0.03, "weight_decay": 0.25},
        tells=("decay",),
    ),
    Probe(
        "DEC.7/lr-above-and-below",
        "lr rises above its first value and falls far below it: decay relative to lr_max follows",
        (array([4.0, -4.0, 2.0]),),
        scheduled(moving(11, 8, (3,)), {2: 0.5, 4: 0.0625, 6: 0.25}),
        {"lr": 0.25, "b1": 0.5, "b2": 0.8, "eps": 0.03, "weight_decay": 0.25},
        needs={"decay": ("decoupled-relative", "decoupled-squared")},
    ),
    Probe(
        "DEC.7/lr-max",
        "lr_max four times the lr, which changes: decay is divided by lr_max, not by the first lr",
        (array([4.0, -4.0, 2.0]),),
        scheduled(moving(12, 7, (3,)), {3: 0.5, 5: 0.125}),
        {"lr": 0.25, "b1": 0.5, "b2": 0.8, "eps": 0.03, "weight_decay": 0.25, "lr_max": 1.0},
        needs={"decay": ("decoupled-relative", "decoupled-squared")},
    ),
    Probe(
        "DEC.5/order",
        "steps as large as the parameter under strong decay: before or after shows at once",
        (array([0.5, -0.25, 1.0]),),
        moving(9, 6, (3,)),
        {"lr": 0.5, "b1": 0.5, "b2": 0.8, "eps": 0.03, "weight_decay": 0.5},
        tells=("decay_order",),
    ),
    Probe(
        "DEC.6/cautious",
        "steps towards 0, away from it and of 0; against their gradient, and across 0",
        (array([2.0, 2.0, -2.0, -2.0, 1.0, -1.0, 0.125, -0.125]),),
        gradients(
            [
                [1.0, -1.0, 1.0, -1.0, 0.0, 0.0, 1.0, -1.0],
                [1.0, -1.0, 1.0, -1.0, 0.0, 0.0, 0.5, -0.5],
                [-0.25, 0.25, -0.25, 0.25, 0.0, 0.0, 1.0, -1.0],
                [-0.25, 0.25, -0.25, 0.25, 1.0, 1.0, -0.25, 0.25],
                [1.0, -1.0, 1.0, -1.0, -0.25, -0.25, 1.0, -1.0],
            ]
        ),
        {"lr": 0.25, "b1": 0.75, "b2": 0.9, "eps": 0.125, "weight_decay": 0.5},
        tells=("cautious_decay",),
    ),
    Probe(
        "AMS.1/shrinking",
        "one large gradient, then small ones: only the maximum remembers",
        (array([0.0, 1.0]),),
        gradients([[10.0, 8.0], [0.1, -0.2], [0.1, 0.1], [-0.1, 0.1], [0.1, 0.2], [0.1, 0.1]]),
        {"lr": 0.5, "b1": 0.5, "b2": 0.8, "eps": 0.03, "weight_decay": 0.0},
        tells=("amsgrad",),
    ),
    Probe(
        "NES.1/look-ahead",
        "alternating gradients and a fast momentum schedule: the look-ahead term changes sign",
        (array([0.5, -0.5]),),
        gradients([[1.0, 0.5], [-1.0, 1.0], [0.5, -0.5], [-0.5, 1.0], [1.0, -1.0], [-1.0, 0.5]]),
        {"lr": 0.5, "b1": 0.75, "b2": 0.9, "eps": 0.03, "weight_decay": 0.0, "momentum_decay": 4e-3},
        tells=("nesterov",),
    ),
    Probe(
        "NES.1/schedule",
        "a momentum schedule sixteen times as fast as the usual one: it goes by momentum_decay",
        (array([0.5, -0.5]),),
        gradients([[1.0, 0.5], [-1.0, 1.0], [0.5, -0.5], [-0.5, 1.0], [1.0, -1.0], [-1.0, 0.5]]),
        {"lr": 0.5, "b1": 0.75, "b2": 0.9, "eps": 0.03, "weight_decay": 0.0, "momentum_decay": 0.0625},
        needs={"nesterov": ("dozat",)},
    ),
    Probe(
        "MAX.1/ascent",
        "up instead of down, decay still towards zero",
        (array([2.0, -2.0]),),
        gradients([[0.5, 0.5], [0.25, 0.5], [0.5, 0.25], [0.5, 0.5]]),
        {"lr": 0.25, "b1": 0.5, "b2": 0.8, "eps": 0.03, "weight_decay": 0.25},
        tells=("maximize",),
    ),
    Probe(
        "CPX.1/complex",
        "complex parameters: two independent reals, or one modulus",
        (array([1.0 + 0.5j, -0.5 - 1.0j, 0.25j]),),
        gradients([[3 + 4j, 1 - 2j, 0.5j], [-1 + 1j, 2 + 1j, 1 + 0j], [0.5 - 3j, -1 - 1j, 2 + 2j]] * 2),
        {"lr": 0.25, "b1": 0.5, "b2": 0.8, "eps": 0.03, "weight_decay": 0.0},
        tells=("complex",),
    ),
    Probe(
        "CPX.1/decay",
        "complex parameters under decay, of no dimension too: real and imaginary parts decay alike",
        (array([2.0 + 1.0j, -1.0 - 2.0j, 1.5j]), array(1.0 - 2.0j)),
        gradients(
            [[0.5 + 1j, 1 - 0.5j, 0.5j], [-0.25 + 0.5j, 0.5 + 1j, 1 + 0.25j]] * 2,
            [0.5 - 1j, 1 + 0.25j] * 2,
        ),
        {"lr": 0.25, "b1": 0.5, "b2": 0.8, "eps": 0.03, "weight_decay": 0.25},
    ),
    Probe(
        "LR.1/every-array",
        "lr is set before the first step, then twice, then a sixteenth higher: each array is stepped with it",
        (numbers(13, 3), numbers(14, 2, 2), numbers(15, 3)),
        scheduled(moving(16, 6, (3,), (2, 2), (3,)), {0: 0.375, 2: 0.125, 4: 0.25, 5: 0.265625}),
        ODD,
    ),
    Probe(
        "LR.2/first",
        "lr=0 in the first two steps, one element and its gradient 0 up to then: moments and clock go on",
        (array([1.0, 0.0, 0.5]),),
        scheduled(
            gradients([[0.5, 0.0, -1.0], [-0.25, 0.0, 0.5], [1.0, 0.0, 0.5], [0.25, -0.5, 0.5]]),
            {0: 0.0, 2: 0.5},
        ),
        ODD,
    ),
    Probe(
        "LR.2/zero",
        "lr=0 in the middle: parameters stand still but for unscaled decay, moments go on",
        (array([1.0, -1.0]),),
        scheduled(moving(10, 8, (2,)), {2: 0.0, 5: 0.5}),
        {"lr": 0.5, "b1": 0.5, "b2": 0.8, "eps": 0.03, "weight_decay": 0.25},
    ),
]

"""Probes of the moments over many steps, and of steps over many shapes."""

from __future__ import annotations

from adamcore.conformance.probes.design import ODD, array, gradients, moving, numbers
from adamcore.conformance.types import Probe, Step

SHAPES = ((), (1,), (2,), (3,), (4,), (5,), (7,), (8,), (9,), (15,), (16,), (17,), (31,), (33,), (2, 3), (0,),
          (2, 2, 3), (2, 1, 2, 2))  # fmt: skip

PROBES = [
    Probe(
        "MOM.1/common",
        "a dozen steps with everybody's betas",
        (numbers(11, 5),),
        moving(12, 12, (5,)),
        {"lr": 0.0625, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "weight_decay": 0.0},
    ),
    Probe(
        "MOM.1/b1-zero",
        "b1=0: the first moment is the gradient, whatever it was before",
        (numbers(13, 4),),
        gradients([[1.0, 64.0, -1.0, 0.5], [0.5, -0.0625, 2.0, 0.25], [-0.25, 0.5, 1.0, -2.0]] * 2),
        {**ODD, "b1": 0.0},
    ),
    Probe(
        "MOM.2/b2-zero",
        "b2=0: the second moment is the squared gradient, whatever it was before",
        (numbers(14, 4),),
        gradients([[1.0, 8.0, -1.0, 0.5], [0.5, -0.125, 2.0, 0.25], [-0.25, 0.5, 1.0, -2.0]] * 2),
        {**ODD, "b2": 0.0},
    ),
    Probe(
        "MOM.2/long",
        "300 steps of a matrix: a clock or a product that goes wrong slowly",
        (numbers(15, 5, 1),),
        moving(17, 300, (5, 1)),
        {"lr": 0.015625, "b1": 0.9, "b2": 0.99, "eps": 1e-3, "weight_decay": 0.03125},
    ),
    Probe(
        "MOM.3/constant",
        "a constant gradient from zero moments: each step is lr but for epsilon",
        (array([0.0, 0.0, 0.0]),),
        tuple(Step((array([0.5, -2.0, 1.0]),)) for _ in range(20)),
        {"lr": 0.125, "b1": 0.9, "b2": 0.99, "eps": 1e-3, "weight_decay": 0.0},
        tells=("bias_correction",),
    ),
    Probe(
        "MOM.4/kept",
        "a parameter of float32, also where float64 may be had: whether moments are kept in its dtype",
        (numbers(18, 3),),
        moving(19, 3, (3,)),
        ODD,
        only=("float64",),
        dtypes=("float32",),
    ),
    Probe(
        "STEP.1/shapes",
        "0-d, empty, 2-d to 4-d and odd sizes around vector widths: tails and scalars",
        tuple(numbers(17 + i, *shape) for i, shape in enumerate(SHAPES)),
        moving(50, 3, *SHAPES),
        ODD,
    ),
]

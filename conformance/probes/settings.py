"""Probes whose hyperparameters change between steps, or differ between groups of parameters.

The values need few bits, so that a framework that keeps them in float32 has them exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from adamcore.conformance.probes.design import changing, moving, numbers, resumed, scheduled, without
from adamcore.conformance.types import Probe, Step

START = {"lr": 0.25, "b1": 0.5, "b2": 0.75, "eps": 0.125, "weight_decay": 0.125}


def changed(seed: int, changes: Mapping[int, Mapping[str, float]], count: int = 7) -> tuple[Step, ...]:
    """Return steps that change hyperparameters, by the number of the step; the first is 0."""
    return changing(moving(seed, count, (3,)), changes)


SCHEDULE = (0.125, 0.25, 0.5, 0.0, 0.75, 0.375, 0.0625)  #: a weight_decay for each step
RATES = {1: 0.5, 2: 0.0625, 3: 0.375, 5: 0.125, 6: 0.25, 7: 0.4375, 9: 0.03125, 10: 0.3125, 11: 0.1875}
GROUPED = ((3,), (2,), (2, 2), (3,))
GROUPS: tuple[Mapping[str, float], ...] = (
    {"lr": 0.125, "b1": 0.75, "b2": 0.875, "eps": 0.0625, "weight_decay": 0.5},
    {"lr": 0.125, "b1": 0.75, "b2": 0.875, "eps": 0.0625, "weight_decay": 0.5},
    {},
    {"lr": 0.375, "b1": 0.25, "b2": 0.9375, "eps": 0.5, "weight_decay": 0.0},
)
"""The settings of a first group of two parameters, of a second one, which has the probe's, and of a third."""


def grouped(name: str, about: str, *names: str, lr: float | None = None) -> Probe:
    """Return a probe of three groups that differ in these hyperparameters; ``lr`` comes in the third step."""
    groups = tuple({n: group[n] for n in names if n in group} for group in GROUPS)
    params = tuple(numbers(90 + i, *shape) for i, shape in enumerate(GROUPED))
    steps = moving(94, 4, *GROUPED)
    if lr is not None:
        steps = (*steps[:2], replace(steps[2], lr=lr), *steps[3:])
    return Probe(name, about, params, steps, START, groups=groups)


GROUPED_LR = grouped("LR.4/groups-lr", "three groups with an lr of their own", "lr")

DECAY_SCHEDULE = Probe(
    "LR.5/decay-schedule",
    "weight_decay is another in each step, and 0 in one",
    (numbers(106, 3, scale=4.0),),
    changed(107, {s: {"weight_decay": wd} for s, wd in enumerate(SCHEDULE) if s}),
    {**START, "weight_decay": SCHEDULE[0]},
)

PROBES = [
    Probe(
        "BC.4/betas-changed",
        "b1 and b2 change, each twice, and b1 to 0: 1-b**t is formed with the step's own b and the whole t",
        (numbers(100, 3),),
        changed(101, {2: {"b1": 0.75}, 3: {"b2": 0.9375}, 5: {"b1": 0.25, "b2": 0.875}, 6: {"b1": 0.0}}),
        {**START, "eps": 0.0078125},
    ),
    Probe(
        "LR.3/eps-changed",
        "eps rises and falls: it is read in each step",
        (numbers(102, 3),),
        changed(103, {2: {"eps": 1.0}, 4: {"eps": 0.03125}}),
        START,
    ),
    Probe(
        "LR.3/decay-changed",
        "weight_decay rises from 0 and falls: it is read in each step",
        (numbers(104, 3),),
        changed(105, {2: {"weight_decay": 0.5}, 4: {"weight_decay": 0.0625}}),
        {**START, "weight_decay": 0.0},
    ),
    DECAY_SCHEDULE,
    resumed(Probe(
        "LR.1/function",
        "lr is a function of the number of updates, 0 at first, also of a run that is restored",
        (numbers(108, 3),),
        scheduled(moving(109, 12, (3,)), RATES),
        START,
        manner="scheduled",
    )),
    replace(
        DECAY_SCHEDULE,
        name="LR.5/function",
        about="weight_decay is a function of the number of updates, 0 at first",
        manner="scheduled",
    ),
    GROUPED_LR,
    replace(
        GROUPED_LR,
        name="LR.4/groups-zero",
        about="a group whose lr is 0 beside others: it stands still, its decay too",
        groups=(*GROUPED_LR.groups[:3], {"lr": 0.0}),
    ),
    grouped("LR.4/groups-betas", "three groups with betas of their own", "b1", "b2"),
    grouped("LR.4/groups-eps", "three groups with an eps of their own", "eps"),
    grouped("LR.4/groups-decay", "three groups with a decay of their own", "weight_decay"),
    Probe(
        "LR.4/groups-empty",
        "an array of no elements in a group in front of others: each group has its own lr",
        (np.zeros(0), numbers(95, 3), numbers(96, 2)),
        moving(97, 3, (0,), (3,), (2,)),
        START,
        groups=({"lr": 0.5}, {"lr": 0.125}, {"lr": 0.375}),
    ),
    replace(
        GROUPED_LR,
        name="LR.4/groups-absent",
        about="groups in which no gradient is there, before others and behind them",
        steps=without(GROUPED_LR.steps, (), (0, 1), (2,), (0, 1, 3)),
        tells=("missing", "clock"),
    ),
    replace(
        GROUPED_LR,
        name="STEP.2/groups",
        about="groups whose gradients come from a closure: it is called once, whatever their number",
        manner="closure",
        tells=(),
    ),
    replace(
        grouped(
            "LR.4/joining",
            "parameters that are added behind the first and the second step, in groups of their own",
            "lr", "b1", "b2", "eps", "weight_decay",
        ),
        steps=without(GROUPED_LR.steps, (2, 3), (3,)),
        manner="joining",
        needs={"missing": ("skip",), "clock": ("per-parameter",)},
    ),
    grouped(
        "LR.4/groups-schedule",
        "the same, and an lr that changes: it reaches each group",
        "weight_decay",
        lr=0.0625,
    ),
    replace(
        resumed(grouped(
            "STATE.4/resumed-groups",
            "groups that differ in all, the last like the first, saved and restored: each keeps its own",
            "lr", "b1", "b2", "eps", "weight_decay",
        )),
        groups=(*GROUPS[:3], GROUPS[0]),
    ),
    replace(
        resumed(GROUPED_LR),
        name="STATE.4/resumed-vacant",
        about="a group without parameters between others, saved and restored: these go on",
        manner="vacant",
        tells=(),
    ),
    Probe(
        "LR.3/replaced",
        "an lr that is assigned as a number, also where the optimizer has made a tensor of it",
        (numbers(98, 3),),
        scheduled(moving(99, 4, (3,)), {1: 0.125, 3: 0.375}),
        START,
        manner="replaced",
    ),
]  # fmt: skip

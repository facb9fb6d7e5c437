"""Histories: what happens to an optimizer in training, drawn at random from a seed.

A designed probe shows what somebody thought of.  A history has what nobody arranged: a rate that is set
before the first step, a run that is saved twice, a matrix whose gradient is 0 in one step and absent in the
next.  If a candidate fails nothing else, its history is cut down to what it needs to fail
(:mod:`adamcore.conformance.checking.meetings`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import TypeVar

import numpy as np

from adamcore.conformance.probes.design import array, numbers
from adamcore.conformance.probes.loss_scale import times
from adamcore.conformance.probes.meetings import NEEDS
from adamcore.conformance.settings import HISTORIES
from adamcore.conformance.types import FloatArray, Layout, Manner, Probe, Step

T = TypeVar("T")
Change = Callable[["Dice", Probe], Probe]
TREES = (((3,), (2, 2), (3,)), ((), (1, 2), (5,), (0,)), ((4,), (4,), (2, 3), (1,)))
"""Shapes of the parameters: few of them, since some candidates are compiled for each."""
RATES = (0.5, 0.25, 0.125, 0.53125, 0.1328125, 0.0)  #: learning rates of few bits, two of them near another
SCALES = (3.0, 1000.0, 2.0**16, 2.0**10, 0.375)
VALUES: Mapping[str, Sequence[float]] = {
    "lr": (0.5, 0.25, 0.125),
    "b1": (0.5, 0.75, 0.9, 0.0),
    "b2": (0.75, 0.8, 0.99, 0.999),
    "eps": (0.0625, 0.03, 1e-3, 1e-8),
    "weight_decay": (0.0, 0.125, 0.2),
}
"""Hyperparameters at the start, of a group, and of a later step."""
LAYOUTS: Sequence[Layout] = ("F", "strided", "offset", "readonly", "reversed")
MANNERS: Sequence[Manner] = ("plain", "plain", "beside", "alike", "fresh")


@dataclass
class Dice:
    """Random choices, the same for a seed under every version of Python."""

    seed: int
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    def chance(self, p: float) -> bool:
        """Return True with the probability ``p``."""
        return self.random.random() < p

    def below(self, count: int) -> int:
        """Return a number from 0 to ``count - 1``."""
        return int(self.random.random() * count)

    def of(self, items: Sequence[T]) -> T:
        """Return one of the items."""
        return items[self.below(len(items))]

    def hyper(self) -> dict[str, float]:
        """Return a value for each hyperparameter."""
        return {name: self.of(values) for name, values in VALUES.items()}

    def some_hyper(self, p: float, without: str = "") -> dict[str, float]:
        """Return values for some hyperparameters, each with the probability ``p``, one of them never."""
        return {n: self.of(values) for n, values in VALUES.items() if n != without and self.chance(p)}


def history(seed: int) -> Probe:
    """Return the history of a seed, a number from 0 on.

    Every history has zeros, gradients like those before, new learning rates, and states that are saved and
    restored.  Every second one has absent gradients besides, and every pair one of :data:`KINDS`.  Some
    candidates can't run all kinds, so no history has two of them.

    >>> probe = history(1)
    >>> probe.name, probe.about, dict(probe.needs)
    ('STEP.1/history-1', '6 steps at random, with absent gradients', {'missing': ('skip',)})
    """
    dice = Dice(seed)
    shapes = TREES[(seed + seed // 6) % len(TREES)]
    params, steps = parameters(dice, shapes), gradients(dice, shapes)
    probe = Probe(f"STEP.1/history-{seed}", "", params, steps, dice.hyper(), drawn=True)
    what, change = KINDS[seed // 2 % len(KINDS)]
    has = [*(["absent gradients"] if seed % 2 else []), *([what] if what else [])]
    if seed % 2:
        probe = with_absences(dice, probe, of_all=seed % 4 == 3)
    probe = with_events(dice, change(dice, probe))
    return replace(
        probe, about=f"{len(probe.steps)} steps at random" + f", with {' and '.join(has)}" * bool(has)
    )


def parameters(dice: Dice, shapes: Sequence[tuple[int, ...]]) -> tuple[FloatArray, ...]:
    """Return parameters; of two with one shape the second may be equal to the first."""
    made: list[FloatArray] = []
    for i, shape in enumerate(shapes):
        alike = [p for p in made if p.shape == shape]
        made.append(alike[0] if alike and dice.chance(0.4) else numbers(600 + 10 * dice.seed + i, *shape))
    return tuple(made)


def gradients(dice: Dice, shapes: Sequence[tuple[int, ...]]) -> tuple[Step, ...]:
    """Return steps with gradients: new ones, those of the step before, of another size, or 0."""
    rows: list[tuple[FloatArray, ...]] = []
    for s in range(6 + dice.below(7)):
        row = [numbers(7000 + 100 * dice.seed + 10 * s + i, *shape) for i, shape in enumerate(shapes)]
        still = dice.chance(0.06)  # all of them are 0
        for i, g in enumerate(row):
            if rows and dice.chance(0.2):
                g = dice.of((1.0, -1.0)) * rows[-1][i]
            if dice.chance(0.15):
                g = g * 2.0 ** (dice.below(13) - 6)
            if dice.chance(0.2):
                g = np.where(one_of(dice, g), 0.0, g)
            row[i] = array(np.zeros_like(g) if still or dice.chance(0.1) else g)
        rows.append(tuple(row))
    return tuple(map(Step, rows))


def one_of(dice: Dice, g: FloatArray) -> FloatArray:
    """Return a mask that is True in one element."""
    mask = np.zeros(g.size, dtype=bool)
    place = dice.below(g.size)
    mask[place : place + 1] = True
    return mask.reshape(g.shape)


def with_absences(dice: Dice, probe: Probe, *, of_all: bool) -> Probe:
    """Return a probe with gradients that are absent: here and there, up to a step, or all of a step."""
    count = len(probe.params)
    first = [dice.below(4) if dice.chance(0.4) else 0 for _ in range(count)]
    made = []
    for s, step in enumerate(probe.steps):
        absent = [dice.chance(0.2) or s < first[i] for i in range(count)]
        if of_all and dice.chance(0.15):
            absent = [True] * count
        elif all(absent):
            absent[dice.below(count)] = False
        grads = tuple(None if gone else g for gone, g in zip(absent, step.grads, strict=True))
        made.append(replace(step, grads=grads))
    return replace(
        probe, steps=tuple(made), needs={**NEEDS, "all_missing": ("tick", "hold")} if of_all else NEEDS
    )


def with_events(dice: Dice, probe: Probe) -> Probe:
    """Return a probe with new learning rates, and with states that are saved and restored."""
    steps = tuple(
        replace(step, lr=dice.of(RATES) if dice.chance(0.3) else None, resumed=dice.chance(0.15))
        for step in probe.steps
    )
    return replace(probe, steps=steps)


def in_a_manner(dice: Dice, probe: Probe, *more: Manner) -> Probe:
    """Return a probe that is run in one of the manners, or in one of these."""
    return replace(probe, manner=dice.of((*MANNERS, *more)))


def plain(dice: Dice, probe: Probe) -> Probe:
    """Return a probe that has nothing besides."""
    return in_a_manner(dice, probe, "used", "used")


def with_groups(dice: Dice, probe: Probe, manner: Manner | None = None) -> Probe:
    """Return a probe whose parameters have hyperparameters of their own."""
    probe = replace(probe, groups=tuple(dice.some_hyper(0.3) for _ in probe.params))
    return replace(probe, manner=manner) if manner else in_a_manner(dice, probe)


def with_changes(dice: Dice, probe: Probe) -> Probe:
    """Return a probe whose hyperparameters change."""
    steps = tuple(replace(s, changes=dice.some_hyper(0.15, without="lr") or None) for s in probe.steps)
    return in_a_manner(dice, replace(probe, steps=steps))


def with_scales(dice: Dice, probe: Probe) -> Probe:
    """Return a probe with a loss scale, and most often with steps that are skipped, some in a row."""
    scale, skips, skipped = dice.of(SCALES), dice.chance(0.7), False
    made = []
    for step in probe.steps:
        scale = dice.of(SCALES) if dice.chance(0.3) else scale
        skipped = skips and dice.chance(0.5 if skipped else 0.2)
        made.append(replace(times(step, scale), found_inf=skipped))
    return replace(probe, steps=tuple(made))


def laid_out(dice: Dice, probe: Probe) -> Probe:
    """Return a probe whose arrays lie otherwise in memory, and of whose numbers some are not finite."""

    def spoiled(g: FloatArray) -> FloatArray:
        number = dice.of((np.nan, np.inf, -np.inf))
        return np.where(one_of(dice, g), number, g) if dice.chance(0.05) else g

    return replace(probe.each_gradient(spoiled), layout=dice.of(LAYOUTS))


def with_closures(dice: Dice, probe: Probe) -> Probe:
    """Return a probe whose gradients come from closures."""
    return replace(probe, manner="closure")


def joining(dice: Dice, probe: Probe) -> Probe:
    """Return a probe whose last parameters are added to the optimizer later, in groups of their own.

    In every second history they are in it, and require no gradient as long as they have none.
    """
    late = [dice.below(5) if i else 0 for i in range(len(probe.params))]
    steps = tuple(
        replace(step, grads=tuple(None if s < t else g for g, t in zip(step.grads, late, strict=True)))
        for s, step in enumerate(probe.steps)
    )
    needs = {**probe.needs, **NEEDS, "clock": ("per-parameter",)}
    manner: Manner = "frozen" if dice.seed % 2 else "joining"
    return with_groups(dice, replace(probe, steps=steps, needs=needs), manner)


def set_from_outside(dice: Dice, probe: Probe) -> Probe:
    """Return a probe whose parameters are set to other numbers, with states restored in a used optimizer."""

    def placed(s: int) -> tuple[FloatArray, ...] | None:
        if not s or not dice.chance(0.25):
            return None
        return tuple(
            numbers(9000 + 100 * dice.seed + 10 * s + i, *p.shape) for i, p in enumerate(probe.params)
        )

    steps = tuple(replace(step, before=placed(s)) for s, step in enumerate(probe.steps))
    return replace(probe, steps=steps, manner="used")


KINDS: Sequence[tuple[str, Change]] = (
    ("", plain),
    ("groups", with_groups),
    ("new hyperparameters", with_changes),
    ("a loss scale", with_scales),
    ("another layout and numbers that are not finite", laid_out),
    ("closures", with_closures),
    ("parameters that are added or thawed later", joining),
    ("parameters that are set from outside", set_from_outside),
)
"""What a pair of histories has besides, and the function that brings it in."""
PROBES = [history(seed) for seed in range(HISTORIES)]

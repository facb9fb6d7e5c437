"""The experiments: designed runs in which each part of an Adam shows alone.

A step works on each element alone, so that a run with N elements is N experiments.  The hyperparameters
are levers.  If eps is much larger than the root of v, the step is linear in the gradient, and an impulse
(a gradient in one step alone) shows the weights of the first moment.  If eps is much smaller, the same
impulse shows those weights over the root of the second moment's.  A candidate without an argument for eps
is brought to both ends by the size of its gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from adamcore.conformance.types import FloatArray, Probe, Step

EXPERIMENT = "anatomy/"  #: the beginning of an experiment's name, where a probe's has its rule
TINY, LARGE = 2.0**-52, 2.0**40  #: gradients much smaller, and much larger, than eps
SMALL = 2.0**-20  #: gradients smaller than eps that count beside moments which do not start at 0
LEVERS = {"lr": 0.125, "b1": 0.8, "b2": 0.96, "eps": 1.0, "weight_decay": 0.0}
T = 12  #: steps of the impulse experiments
RESPONSE_EPS = 2.0**-8
POWERS = range(-44, 33)  #: of two: the gradients of the experiment "response"
CLIP_POWERS = range(-20, 21)  #: the gradients of "large", far below its eps
LATE = (20, 50, 100, 200, 256, 257, 300)  #: the steps of the impulses in "late"
DECAYED = (2.0**-60, 2.0**-20, 1.0, -1.0, 2.0**20, 2.0**40)  #: the parameters in "decay"
SCALES = (2.0**-6, 1.0, 2.0**6)  #: the parameters in "scale"
SIGN_SIZES = (
    (2.0 ** (np.arange(-512, 513) / 64.0)).astype(np.float32).astype(np.float64)
)  #: the second gradients in "signs"
NEIGHBOURS = ([1.0], [1.0, 2.0**10, 2.0**10], [1.0, 0.0, 0.0])  #: arrays whose first elements are the same
PAIR = (1, 4)  #: the steps of two impulses
PAIRS = ((1.0, 1.0), (1.0, -1.0), (1.0, 0.125), (0.125, 1.0))  #: the sizes of the two
DOUBLE, MINUS, CONSTANT, ZERO, FIRST_PAIR = T, T + 1, T + 2, T + 3, T + 4  #: elements after the impulses
CROSS = FIRST_PAIR + len(PAIRS)  #: two elements with impulses in steps 1 and 2, of the same and opposite sign
DUST = CROSS + 2  #: an element with an impulse in step 1, and after it gradients that are small, but not 0
TURNED = 2.0**-20  #: the share of a gradient that comes after it with the other sign, in "decay"
CHANGED, LR_FACTOR = 4, 0.25  #: the step from which on lr is another in "lr-decay", and by what factor
ABSENT = ((6,), (3, 4, 6))  #: the steps in which each parameter of "absence" has no gradient
RESUMED, ABSENCE_STEPS = 8, 10


def experiment(
    name: str, about: str, params: Sequence[object], rows: Sequence[Sequence[object]], **levers: float
) -> Probe:
    """Return an experiment as a probe, from the gradients of each step."""
    steps = tuple(
        Step(tuple(None if g is None else np.asarray(g, dtype=np.float64) for g in row)) for row in rows
    )
    arrays = tuple(np.asarray(p, dtype=np.float64) for p in params)
    return Probe(f"{EXPERIMENT}{name}", about, arrays, steps, LEVERS | levers)


def impulses(size: float) -> list[FloatArray]:
    """Return the gradients of each step; the elements are named by the constants of this module."""
    columns = np.zeros((T, DUST + 1))
    columns[range(T), range(T)] = size
    columns[0, DOUBLE], columns[0, MINUS] = 2 * size, -size
    columns[:, CONSTANT] = size
    for k, sizes in enumerate(PAIRS):
        for step, part in zip(PAIR, sizes, strict=True):
            columns[step - 1, FIRST_PAIR + k] = part * size
    columns[0, CROSS : CROSS + 2] = size
    columns[1, CROSS : CROSS + 2] = size, -size
    columns[:, DUST] = 2.0**-24 * size
    columns[0, DUST] = size
    return list(columns)


def curve(name: str, about: str, powers: Sequence[int], **levers: float) -> Probe:
    """A first step with a gradient of each size, and of 0; and one gradient alone and beside larger ones."""
    gradients = [np.array([*(2.0**k for k in powers), 0.0]), np.array([1.0]), np.array([1.0, *[2.0**10] * 2])]
    return experiment(name, about, [np.zeros(g.shape) for g in gradients], [gradients], **levers)


def decaying(name: str, about: str, **levers: float) -> Probe:
    """Zero gradients in arrays of one and of two dimensions, large, tiny and turning ones in others."""
    large = np.array([LARGE, -LARGE])
    rows = [
        [
            np.zeros(len(DECAYED)),
            np.zeros((2, 2)),
            large,
            np.full(2, TINY),
            large if t == 1 else -TURNED * large,
            np.full((2, 2), TINY),
        ]
        for t in range(1, 5)
    ]
    params = [DECAYED, np.ones((2, 2)), np.ones(2), np.ones(2), np.ones(2), np.ones((2, 2))]
    return experiment(name, about, params, rows, **levers)


def late() -> Probe:
    """Impulses after many steps, and constant gradients: slow averages, whose corrections tell the clock."""
    rows = np.zeros((LATE[-1], 2 * len(LATE) + 2))
    for k, t in enumerate(LATE):
        rows[t - 1, [2 * k, 2 * k + 1]] = TINY, LARGE
    rows[:, -2:] = TINY, LARGE
    about = "impulses up to step 300: where the clock stands; constant gradients: what is kept so long"
    return experiment("late", about, [np.zeros(rows.shape[1])], [[row] for row in rows], b1=0.99, b2=0.999)


def late_decay() -> Probe:
    """Zero gradients for as long: whether decay begins or ends."""
    about = "zero gradients up to step 300: whether a parameter goes on to decay"
    return experiment("late-decay", about, [np.ones(1)], [[np.zeros(1)]] * LATE[-1], weight_decay=2.0**-6)


def absence(name: str, about: str, p: float, size: float, **levers: float) -> Probe:
    """Two parameters of three elements that lack gradients in steps of their own."""
    rows: list[list[object]] = []
    for t in range(1, ABSENCE_STEPS + 1):
        row: list[object] = []
        for absent in ABSENT:
            g = np.zeros(4)
            g[[0, 1]] = (TINY, LARGE) if t == 2 else (0.0, 0.0)
            g[[2, 3]] = (TINY, LARGE) if t == RESUMED else (0.0, 0.0)
            row.append(None if t in absent else size * g)
        rows.append(row)
    return experiment(name, about, [np.full(4, p)] * len(ABSENT), rows, **levers)


def changed_lr(name: str, p: float, size: float, **levers: float) -> Probe:
    """Steps of which the later ones have a quarter of the lr."""
    rows = [[size * np.array([TINY * (t == 1), TINY * (t == 4), LARGE])] for t in range(1, 7)]
    about = "lr a quarter of what it was from step 4 on"
    probe = experiment(name, about, [np.full(3, p)], rows, **levers)
    lr = LEVERS["lr"] * LR_FACTOR
    steps = [replace(step, lr=lr) if t == CHANGED else step for t, step in enumerate(probe.steps, 1)]
    return replace(probe, steps=tuple(steps))


def main() -> Probe:
    """All experiments with the same hyperparameters; :data:`PLACES` has their arrays."""
    still = np.zeros(len(DECAYED))
    first = [size * np.array(g) for size in (TINY, 1.0, LARGE) for g in NEIGHBOURS]
    rows = []
    for t, (tiny, large) in enumerate(zip(impulses(TINY), impulses(LARGE), strict=True), start=1):
        opposite = {1: np.ones(len(SIGN_SIZES)), 2: -SIGN_SIZES}.get(t, np.zeros(len(SIGN_SIZES)))
        scaled = [np.full(4, LARGE)] * (len(SCALES) + 1)
        rows.append([tiny, large, *first, *scaled, opposite, still, np.array([LARGE])])
    zeros = (np.zeros(g.shape) for g in rows[0][: 2 + len(first)])
    params = [*zeros, *(np.full(4, c) for c in SCALES), [*SCALES, 1.0]]
    about = "impulses, neighbours, parameters of several sizes, opposite impulses"
    return experiment("main", about, [*params, np.zeros(len(SIGN_SIZES)), DECAYED, np.zeros(1)], rows)


PLACES = {
    "linear": ("main", 0),  # impulses far below eps: the weights of the first moment
    "normal": ("main", 1),  # impulses far above eps: those weights over the root of v
    "neighbours": ("main", 2),  # one gradient beside others, of three sizes
    "scale": ("main", 11),  # the same gradients for parameters of several sizes
    "signs": ("main", 15),  # an impulse, and an opposite one of many sizes
    "decay-none": ("main", 16),  # zero gradients without decay
    "last": ("main", 17),  # the large gradient of "neighbours" again
}
"""For the parts of the experiment "main", where its arrays begin."""


def started() -> Probe:
    rows = [[g] for g in impulses(SMALL)]
    return experiment("started", "impulses below eps and beside a start", [np.zeros(rows[0][0].shape)], rows)


def alone() -> Probe:
    return experiment("alone", "one gradient and no other array", [np.zeros(1)], [[np.full(1, LARGE)]] * 2)


EXPERIMENTS: dict[str, Probe] = {
    probe.name.partition("/")[2]: probe
    for probe in (
        main(),
        started(),
        curve("response", "the first step as a function of the gradient", POWERS, eps=RESPONSE_EPS, lr=0.5),
        curve("large", "large gradients below a still larger eps: clipping", CLIP_POWERS, eps=2.0**80),
        alone(),
        decaying("decay", "zero gradients: decay alone", weight_decay=0.25),
        decaying("decay-lr", "the same with twice the lr", weight_decay=0.25, lr=0.25),
        decaying("decay-wd", "the same with twice the decay", weight_decay=0.5),
        changed_lr("lr", 0.0, 1.0),
        changed_lr("lr-decay", 1.0, 0.0, weight_decay=0.25),
        late(),
        late_decay(),
        absence("absence", "steps without a gradient", 0.0, 1.0),
        absence("absence-decay", "steps without a gradient, under decay", 1.0, 0.0, weight_decay=0.25),
    )
}
"""The experiments that show the rule, by name."""

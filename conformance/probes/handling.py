"""Probes of what happens around the arithmetic: state, clocks, memory, other optimizers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from adamcore.conformance.probes import rules
from adamcore.conformance.probes.design import ODD, array, moving, numbers, resumed, scheduled, without
from adamcore.conformance.types import FloatArray, Probe, Start, Step

FINGERPRINT = rules.PROBES[0]  #: the first probe of any check
GRID = (numbers(40, 4, 6), numbers(41, 5, 3))
AGED = tuple(numbers(26 + i, 3) for i in range(3))
WITH_A_STATE: dict[str, tuple[object, ...]] = {
    "amsgrad": ("none", "uncorrected"), "nesterov": ("none", "optax", "same-t"),
}  # fmt: skip
"""What a claim must have for m, v, v_max and a clock to be its whole state."""


def begun(t: int, p: FloatArray, seed: int) -> Start:
    """Return a state as it might be after ``t`` updates with gradients of the size of ``p``."""
    m = array(0.25 * numbers(seed, *p.shape))
    v = array(0.25 * numbers(seed + 1, *p.shape) ** 2)
    return Start(t, m, v, v)


def late(name: str, about: str, t: int, b2: float, level: str = "must", eps: float = 1e-3) -> Probe:
    """Return a probe of three steps that begins at the clock ``t``."""
    p = numbers(60, 3)
    hyper = {"lr": 0.25, "b1": 0.9, "b2": b2, "eps": eps, "weight_decay": 0.0}
    probe = Probe(name, about, (p,), moving(61, 3, (3,)), hyper, start=(begun(t, p, 62),))
    return replace(probe, needs=WITH_A_STATE, level=level)  # type: ignore[arg-type]


def of_ages(*ages: int) -> tuple[Start, ...]:
    """Return the states of arrays that have had this many updates each."""
    return tuple(begun(t, p, 34 + 2 * i) for i, (t, p) in enumerate(zip(ages, AGED, strict=True)))


def scaled(
    probe: Probe, name: str, about: str, by: float, eps_by: float, **needs: tuple[object, ...]
) -> Probe:
    """Return a probe with gradients times ``by`` and eps times ``eps_by``, which has the same trajectory."""
    made = probe.each_gradient(lambda g: g * by).with_hyper(eps=probe.hyper["eps"] * eps_by)
    return replace(made, name=name, about=about, needs=needs, twin=probe.name, level="should")


PLAIN = Probe(
    "STATE.4/uninterrupted", "ten steps of two parameters, the first by far the largest, without a break",
    (numbers(42, 5), numbers(43, 2, 2)),
    moving(13, 1, (5,), (2, 2), scale=64.0) + moving(44, 9, (5,), (2, 2)), {**ODD, "b1": 0.9, "b2": 0.99},
)  # fmt: skip
OF_ONE_AGE = Probe(
    "CLK.1/one-age", "three arrays after three updates each", AGED, moving(28, 3, (3,), (3,), (3,)),
    {"lr": 0.25, "b1": 0.9, "b2": 0.99, "eps": 1e-3, "weight_decay": 0.0}, start=of_ages(3, 3, 3),
    needs={**WITH_A_STATE, "clock": ("per-parameter",), "missing": ("skip",)},
)  # fmt: skip
UNSCALED = Probe(
    "STEP.1/unscaled", "eight steps whose gradients and eps will be scaled", (numbers(45, 6),),
    moving(46, 8, (6,)), {**ODD, "weight_decay": 0.0},
)  # fmt: skip

ELSEWHERE = (numbers(170, 5), numbers(171, 2, 2))  #: what the parameters of that run are set to
ROWS = ((5,), (4, 6))
SHAPES = ((2,), (3,), (2, 2), (4,))
DOZEN = (*((2,),) * 4, (0,), *((2,),) * 6, (5, 3))  #: shapes, so many that sorted names are not in order


def rows(seed: int, count: int) -> tuple[Step, ...]:
    """Return steps in which all rows of a gradient are the same."""
    return tuple(
        Step(tuple(np.broadcast_to(g[:1], g.shape) for g in step.grads if g is not None))
        for step in moving(seed, count, *ROWS)
    )


def apart(seed: int) -> tuple[Step, ...]:
    """Return eight steps; in the first half parameters lack gradients in some, and the second one in all."""
    return without(moving(seed, 8, *SHAPES), (1, 3), (1, 3), (1, 2), (1,), (1,))


PROBES = [
    late("BC.1/t10", "the correction at t=11 to 13", 10, 0.999),
    late("BC.1/t300", "the correction at t=301 to 303", 300, 0.999),
    late("BC.1/t1e6", "the correction at t=1000000 to 1000002, under b2=0.999999", 999_999, 0.999999),
    late("CLK.3/beyond-2**24", "a clock in float32 stops at 2**24", 2**24 - 1, 0.9999999, "should"),
    late("CLK.3/odd-beyond-2**24", "a clock that begins at 2**24 + 1, where it can: no number of float32",
         2**24 + 1, 0.9999999, eps=1.0),
    OF_ONE_AGE,
    replace(OF_ONE_AGE, name="CLK.1/own-ages", start=of_ages(3, 40, 1),
            about="the same after 3, 40 and 1 updates of their own: each array has its own correction"),
    PLAIN,
    replace(resumed(PLAIN), name="STATE.4/resumed", twin=PLAIN.name,
            about="the same, saved and restored halfway: bit for bit"),
    replace(resumed(PLAIN), name="STATE.4/saved", twin=PLAIN.name, manner="saved",
            about="its state is saved, and it goes on itself as if it had not been: bit for bit"),
    replace(resumed(PLAIN), name="STATE.4/resumed-used", manner="used",
            about="restored in an optimizer that has made as many steps: nothing of them is left"),
    Probe("STEP.1/set-outside", "parameters that are set to other numbers between two steps go on from there",
          PLAIN.params,
          (*PLAIN.steps[:2], replace(PLAIN.steps[2], before=ELSEWHERE), *PLAIN.steps[3:5]),
          PLAIN.hyper, only=("float32", "float64")),
    resumed(Probe(
        "STATE.4/resumed-apart", "saved and restored when each parameter has had updates of its own number",
        tuple(numbers(23 + i, *shape) for i, shape in enumerate(SHAPES)), apart(30),
        {**ODD, "b1": 0.9, "b2": 0.99}, needs={"missing": ("skip",)})),
    resumed(Probe(
        "STATE.4/resumed-first", "saved and restored before the first step, which is t=1 all the same",
        (numbers(27, 3),), moving(28, 1, (3,)), {**ODD, "b1": 0.9, "b2": 0.99})),
    resumed(Probe(
        "STATE.4/resumed-twice", "a state that is restored, saved again before the next step, and restored",
        (numbers(178, 3), numbers(179, 2, 2)), moving(180, 5, (3,), (2, 2)), {**ODD, "b1": 0.9, "b2": 0.99},
        manner="twice")),
    resumed(Probe(
        "STATE.4/resumed-anew", "a state of before all steps, in an optimizer that has made some: t=1 again",
        (numbers(171, 3),), moving(172, 3, (3,)), {**ODD, "b1": 0.9, "b2": 0.99}, manner="used"), 0),
    resumed(late(
        "STATE.4/resumed-late", "saved and restored after 70,000 updates: the clock is no number of 16 bits",
        70_001, 0.99999)),
    resumed(Probe(
        "STATE.4/resumed-rate", "a new lr, then a run is saved and restored: it goes on with the new one",
        (numbers(168, 3),), scheduled(moving(169, 6, (3,)), {1: 0.125}), {**ODD, "b1": 0.9, "b2": 0.99})),
    resumed(Probe(
        "STATE.4/resumed-remade", "a new lr, then a run is saved, and restored in an optimizer made with it",
        (numbers(181, 3),), scheduled(moving(182, 6, (3,)), {1: 0.125}),
        {**ODD, "b1": 0.9, "b2": 0.99, "weight_decay": 0.0}, manner="remade")),
    resumed(Probe(
        "STATE.4/resumed-many", "a dozen arrays, one empty, one of rows, saved and restored: each its own",
        tuple(numbers(130 + i, *shape) for i, shape in enumerate(DOZEN)), moving(150, 4, *DOZEN), ODD)),
    Probe("STATE.3/equal", "arrays that begin with the same numbers: each has its own gradients and moments",
          (numbers(160, 3), numbers(161, 3), numbers(160, 3)), moving(162, 4, *((3,),) * 3), ODD),
    replace(PLAIN, name="STATE.3/beside", about="a second optimizer with other hyperparameters steps in turn",
            manner="beside"),
    replace(PLAIN, name="STATE.3/alike", about="a second optimizer with the same ones steps in turn",
            manner="alike"),
    Probe("STATE.3/beside-absent", "a second optimizer in turn, where other parameters lose their gradients",
          (numbers(175, 3), numbers(176, 3)),
          without(moving(177, 6, (3,), (3,)), *[(1,)] * 6), ODD,
          needs={"missing": ("skip",)}, manner="beside"),
    replace(PLAIN, name="STATE.3/second-run", manner="again",
            about="an object that has made another run: this one begins anew"),
    replace(PLAIN, name="STATE.2/fresh", about="every step's gradients in memory of their own: bit for bit",
            manner="fresh", twin=PLAIN.name),
    replace(PLAIN, name="STEP.2/closure", manner="closure",
            about="the gradients come from a closure, which each step calls once"),
    replace(PLAIN, name="STEP.2/silent", manner="silent closure", steps=PLAIN.steps[:3],
            about="the same of a closure that returns no loss: its gradients are there all the same"),
    replace(PLAIN, name="STEP.2/loss", manner="closure", level="should",
            about="what a closure returns, its loss, the step returns too"),
    Probe("STEP.1/fortran", "two-dimensional arrays in Fortran order", GRID,
          moving(47, 3, (4, 6), (5, 3)), ODD, layout="F"),
    Probe("STEP.1/strided", "views that skip every other element in memory", GRID,
          moving(48, 3, (4, 6), (5, 3)), ODD, layout="strided"),
    Probe("STEP.1/offset", "arrays that begin one element into their memory", GRID,
          moving(51, 3, (4, 6), (5, 3)), ODD, layout="offset"),
    Probe("STEP.1/reversed", "arrays that lie backwards in memory: negative strides", GRID,
          moving(52, 3, (4, 6), (5, 3)), ODD, layout="reversed"),
    Probe("STEP.1/broadcast", "gradients of stride 0, as those of a sum: all rows are one row in memory",
          tuple(numbers(53 + i, *shape) for i, shape in enumerate(ROWS)), rows(55, 3), ODD,
          layout="broadcast"),
    Probe("STATE.2/read-only", "gradients that may not be written to", GRID,
          moving(49, 3, (4, 6), (5, 3)), ODD, layout="readonly"),
    Probe("NUM.2/subnormal", "gradients down to the smallest subnormal of float32",
          (array([0.0, 0.5, -0.5]),),
          tuple(Step((array(np.ldexp([1.0, -1.0, 1.5], e)),)) for e in (-130, -140, -149, -126)),
          {"lr": 1.0, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "weight_decay": 0.0},
          needs={"epsilon": ("outside-corrected", "outside-uncorrected")}),
    Probe("NUM.4/running", "24 steps under b2=0.9999: a power and a running product go apart",
          (array([0.0, 0.0]),), tuple(Step((array([1.0, -0.5]),)) for _ in range(24)),
          {"lr": 1.0, "b1": 0.9, "b2": 0.9999, "eps": 1e-8, "weight_decay": 0.0}, tells=("coefficients",)),
    UNSCALED,
    scaled(UNSCALED, "STEP.1/scaled", "gradients and eps times 2**20: the same trajectory, bit for bit",
           2.0**20, 2.0**20, epsilon=("outside-corrected", "outside-uncorrected")),
    scaled(UNSCALED, "STEP.1/scaled-inside", "gradients times 2**10, eps times 2**20: the same, bit for bit",
           2.0**10, 2.0**20, epsilon=("inside-corrected", "inside-uncorrected")),
    replace(FINGERPRINT, name="STATE.3/again", tells=(), twin=FINGERPRINT.name,
            about="the first probe once more, after all others: what they left behind shows"),
]  # fmt: skip

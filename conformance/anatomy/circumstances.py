"""Circumstances: things in which a run can differ from an ordinary one.

The parts of a rule are measured on ordinary runs.  If all are as claimed and a run with, say, arrays in
Fortran order is not, then the order is what the candidate gets wrong.  A few circumstances disturb the
measuring itself, such as arrays that share a state, and are looked at before the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from adamcore.conformance.anatomy.experiments import TINY
from adamcore.conformance.anatomy.measured import Measured
from adamcore.conformance.anatomy.ordinary import (
    CLOCKS,
    LAYOUTS,
    LONG_STEPS,
    OTHERS,
    PLAIN,
    WHOLE,
    against_plain,
    as_array,
    borrowed,
    burst,
    coupling,
    crosstalk,
    dependence_on_order,
    dependence_on_size,
    factors,
    from_clock,
    in_layout,
    in_order,
    lacking,
    longer,
    matrix,
    moves,
    not_finite,
    nothing,
    opposed,
    ordinary,
    shared,
    spoiled,
    spread,
    twins,
    unevenness,
    uniform,
    unit,
    with_changes,
    with_groups,
    with_lr,
    zero_against_dust,
    zeros,
)  # fmt: skip
from adamcore.conformance.anatomy.readings import Readings
from adamcore.conformance.probes.design import resumed
from adamcore.conformance.rules import AFTER_OTHERS
from adamcore.conformance.types import Probe


@dataclass(frozen=True)
class Circumstance:
    """One thing in which runs differ from ordinary ones."""

    area: str
    rule: str
    text: str  #: what is said of a candidate that is not as claimed here
    probes: tuple[Probe, ...]
    read: Callable[[Readings, Sequence[str]], Measured]  #: from the runs of the probes to numbers

    @property
    def names(self) -> list[str]:
        """The probes' names in the readings."""
        return [probe.name.partition("/")[2] for probe in self.probes]

    def values(self, r: Readings) -> Measured | None:
        """Return the numbers that show; None if the candidate does not take such runs.

        Runs that were compiled may have other digits than runs that were not, so they are not compared.
        """
        runs = [run for run in map(r.runs.get, self.names) if run is not None and not run.unsupported]
        if len(runs) < len(self.names) or len({run.eager for run in runs}) > 1:
            return None
        return self.read(r, self.names)


FIRST: dict[str, Circumstance] = {
    "again": Circumstance(
        "isolation", "STATE.3", AFTER_OTHERS,
        (PLAIN, ordinary("again", "the same run again")), against_plain),
    "betas": Circumstance(
        "isolation", "STATE.3", "corrections under other betas are those of the run before",
        (OTHERS,), borrowed),
    "memory": Circumstance(
        "aliasing", "STATE.2", "a gradient is read after its step, when its memory holds another",
        (PLAIN, replace(ordinary("fresh", "gradients in memory of their own"), manner="fresh")),
        against_plain),
    "twins": Circumstance(
        "isolation", "STATE.3", "an array without gradients moves with another one of its shape",
        (twins(),), crosstalk),
    "shared": Circumstance(
        "clipping", "NUM.5", "elements move whose own gradient is 0, by those beside them",
        (shared(),), spread),
    "even": Circumstance(
        "layout", "STEP.1", "elements of one array with the same gradients go different ways",
        (uniform(),), unevenness),
    "even decay": Circumstance(
        "layout", "STEP.1", "equal elements of one array decay in different ways",
        (uniform("sizes-decay", weight_decay=0.25),), unevenness),
    "order": Circumstance(
        "layout", "STEP.1", "an element's steps depend on its place in its array",
        (in_order("order", 1), in_order("opposite-order", -1)), dependence_on_order),
}  # fmt: skip
"""What disturbs the measuring of any part, by name."""

SECOND: dict[str, Circumstance] = {
    "sizes": Circumstance(
        "clipping", "NUM.5", "a step depends on the number of elements of its array",
        (uniform(), uniform("sizes-small", TINY, eps=TINY * TINY)), dependence_on_size),
    "shapes": Circumstance(
        "moments", "MOM.2", "beside another array of its shape an array takes other steps",
        (twins(),), coupling),
    "opposed": Circumstance(
        "moments", "STEP.1", "a step depends on whether a gradient, however small, has its momentum's sign",
        (zeros(),), opposed),
    "zeros": Circumstance(
        "zero_gradient", "F2", "an array with gradients of 0 takes other steps than one with tiny gradients",
        (zeros(),), zero_against_dust),
    "unit": Circumstance("schedule", "LR.1", "", (unit(),), factors),
    "long": Circumstance("schedule", "LR.1", "", (unit("long", LONG_STEPS),), nothing),
}  # fmt: skip
"""What disturbs the measuring of moments and of all that follows from them, by name."""

AFTER: dict[str, Circumstance] = {
    "beside": Circumstance(
        "isolation", "STATE.3", "a run comes out otherwise beside another optimizer",
        (replace(longer("beside", "beside another optimizer", b1=0.5, b2=0.75), manner="beside"),), moves),
    "absent": Circumstance(
        "missing", "F1", "an absent gradient changes what other steps or other arrays do",
        (lacking(),), moves),
    "zero lr": Circumstance(
        "schedule", "LR.2", "a step with lr=0 is not as claimed, or those after it",
        (with_lr("zero-lr", "an lr of 0 in the midst", {3: 0.0, 5: 0.125}),), moves),
    "many lr": Circumstance(
        "schedule", "LR.1", "steps are not as claimed once lr has changed more than once",
        (with_lr("many-lr", "an lr that changes often", {2: 0.0625, 3: 0.3, 5: 0.125, 6: 0.5}),), moves),
    "many lr under decay": Circumstance(
        "decay", "DEC.2", "decay is not as claimed once lr has gone up",
        (with_lr("many-lr-decay", "an lr that changes often, under decay",
                 {2: 0.0625, 3: 0.3, 5: 0.125, 6: 0.5}, weight_decay=0.25),), moves),
    "sizes under decay": Circumstance(
        "layout", "STEP.1", "arrays of some sizes decay in another way than others",
        (uniform("sizes-decay", weight_decay=0.25),), dependence_on_size),
    "eps changed": Circumstance(
        "schedule", "LR.3", "a new eps in mid-run does not count as claimed",
        (with_changes("new-eps", "a new eps", eps=0.25),), moves),
    "decay changed": Circumstance(
        "schedule", "LR.3", "a new weight decay in mid-run does not count as claimed",
        (with_changes("new-decay", "a new weight decay", weight_decay=0.5),), moves),
    "betas changed": Circumstance(
        "schedule", "LR.3", "new betas in mid-run do not count as claimed",
        (with_changes("new-betas", "new betas", b1=0.5, b2=0.75),), moves),
    **{f"{what} to 0": Circumstance(
        "schedule", "LR.3", f"{new} of 0 in mid-run does not count as claimed",
        (with_changes(f"no-{what}", f"{new} of 0", **{name: 0.0}),), moves)
        for what, name, new in (
            ("momentum", "b1", "a new b1"), ("decay", "weight_decay", "a new weight decay"))},
    **{f"groups by {name}": Circumstance(
        "groups", "LR.4", f"a parameter group does not get its own {name}",
        (with_groups(f"groups-{name}", f"groups that differ in {name}", {name: a}, {name: b}),), moves)
       for name, a, b in (("lr", 0.125, 0.5), ("weight_decay", 0.5, 0.0), ("eps", 1.0, 0.125),
                          ("b1", 0.5, 0.75), ("b2", 0.5, 0.75))},
    "bare group": Circumstance(
        "groups", "LR.4", "a parameter group without settings of its own does not have the optimizer's",
        (with_groups("bare-group", "a group without settings behind one that has some",
                     {"lr": 0.125, "b1": 0.75, "b2": 0.5, "eps": 0.125, "weight_decay": 0.5}, {}),), moves),
    "no NaN": Circumstance(
        "nonfinite", "NF.1", "what is NaN after a gradient of NaN is not what is claimed",
        (not_finite("nan", "a gradient of NaN", np.nan),), spoiled),
    "no infinity": Circumstance(
        "nonfinite", "NF.1", "what is NaN after an infinite gradient is not what is claimed",
        (not_finite("infinite", "an infinite gradient", np.inf),), spoiled),
    "matrix": Circumstance(
        "moments", "MOM.2", "in an array of two dimensions an element's steps are not its own",
        (in_layout("C"),), matrix),
    "square": Circumstance(
        "layout", "STEP.1", "a square matrix is not stepped as other arrays",
        (as_array((3, 3), "square", "a square matrix"),), moves),
    "3-d": Circumstance(
        "layout", "STEP.1", "an array of three dimensions is not stepped as others",
        (as_array((2, 3, 2), "cube", "an array of three dimensions"),), moves),
    "4-d": Circumstance(
        "layout", "STEP.1", "an array of four dimensions is not stepped as others",
        (as_array((2, 1, 2, 2), "filters", "an array of four dimensions"),), moves),
    "4-d decay": Circumstance(
        "decay", "DEC.1", "an array of four dimensions does not decay as claimed",
        (as_array((2, 1, 2, 2), "filters-decay", "decay of an array of four dimensions", weight_decay=0.25),),
        moves),
    **{f"in {layout}": Circumstance(
        "layout", "STEP.1", f"arrays that lie in memory otherwise are not stepped as others: {layout}",
        (in_layout(layout),), moves) for layout in LAYOUTS},
    "0-d": Circumstance(
        "layout", "STEP.1", "a 0-d array is not stepped as claimed",
        (as_array((), "scalar", "an array without dimensions"),), moves),
    "0-d decay": Circumstance(
        "decay", "DEC.1", "a 0-d array does not decay as claimed",
        (as_array((), "scalar-decay", "decay of a 0-d array", weight_decay=0.25),), moves),
    "empty": Circumstance(
        "layout", "STEP.1", "beside an empty array steps are not as claimed",
        (as_array((0,), "empty", "an empty array"),), moves),
    "restored": Circumstance(
        "state", "STATE.4", "a run that is saved and restored does not go on as it would have",
        (WHOLE, resumed(longer("resumed", "saved and restored"))), against_plain),
    "restored groups": Circumstance(
        "state", "STATE.4", "parameter groups that are saved and restored do not go on as they would have",
        (resumed(with_groups("groups-resumed", "groups that are saved and restored",
                             {"lr": 0.125, "b1": 0.5}, {"lr": 0.5, "weight_decay": 0.0})),), moves),
    "still group": Circumstance(
        "groups", "LR.4", "a parameter group whose lr is 0 does not stand still",
        (with_groups("still-group", "a group whose lr is 0", {"lr": 0.125}, {"lr": 0.0}),), moves),
    "given": Circumstance(
        "state", "STATE.4", "from a state that is given, steps are not as claimed",
        (from_clock(5),), moves),
    **{f"clock {t}": Circumstance(
        "clock", "CLK.3", f"steps are not as claimed after step {t}",
        (from_clock(t),), moves) for t in CLOCKS},
    "burst": Circumstance(
        "clipping", "NUM.5", "updates that are many times as large as lr are not as claimed",
        (burst(),), moves),
    "closure": Circumstance(
        "closure", "STEP.2", "a step with a closure is not as claimed",
        (replace(ordinary("closure", "gradients that a closure computes"), manner="closure"),), moves),
}  # fmt: skip
"""What is looked at after the parts, by name."""


def read(chosen: Mapping[str, Circumstance], r: Readings) -> dict[str, Measured]:
    """Return the numbers of all circumstances in which there are runs."""
    every = {name: one.values(r) for name, one in chosen.items()}
    return {name: values for name, values in every.items() if values is not None}


CIRCUMSTANCES: dict[str, Probe] = {
    name: probe
    for one in (*FIRST.values(), *SECOND.values(), *AFTER.values())
    for name, probe in zip(one.names, one.probes, strict=True)
}
"""All runs, by name."""

"""The finding of the first part that is not as claimed: its area, its rule, its measured number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import wrong_parts as wrong
import wrong_steps as steps
from measured_adams import CLAIM, Parts, anatomy, assert_found, whole_anatomy

from adamcore import AXES, Adam
from adamcore.conformance.anatomy.anatomy import Anatomy
from adamcore.conformance.anatomy.parts import PARTS
from adamcore.conformance.anatomy.readings import Readings
from adamcore.conformance.anatomy.words.findings import WORDS, first_finding
from adamcore.conformance.types import FloatArray, Run

UNMEASURED = [
    (wrong.DecaysTwice, "decay", "decay"),
    (wrong.DecaysTwice, "decay-lr", "decay"),
    (wrong.UnderTheRoot, "response", None),
    (wrong.UnderTheRoot, "main", "epsilon"),
    (wrong.Centred, "main", "epsilon"),
]
"""Adams, an experiment that they refuse, and the area of what is left to say; None if nothing is."""
CASES = [
    (wrong.SlowFading, "moments", "MOM.1", "weights of m go down by 0.95 a step where b1 is 0.8"),
    (
        wrong.StopsAfterTen,
        "bias_correction",
        "BC.1",
        "the correction of the first moment is 1, 1, 1, 1, ..., ",
    ),
    (wrong.DecaysTwice, "decay", "DEC.2", "weights decay 1.9688 times as fast as claimed"),
    (wrong.DecaysBySquare, "decay", "DEC.2", "decay goes with lr to the power 2 where 1 is claimed"),
    (wrong.Centred, "moments", "MOM.2", "products of two gradients count in v: -0.2 where "),
    (wrong.RoundedBeta, "hyperparameters", "MOM.1", "b1 is 0.80078 where 0.8 was given"),
    (wrong.OtherBeta, "hyperparameters", "MOM.1", "b1 is 0.9 where 0.8 was given"),
    (wrong.UnderTheRoot, "epsilon", "EPS.1", "eps stands under the root, to the power 0.5"),
    (wrong.NoEpsilon, "epsilon", "EPS.1", "a step does not shrink with its gradient"),
    (wrong.ClockOfAByte, "clock", "CLK.3", "at step 257 the correction is not that of the clock"),
    (wrong.CountsArrays, "clock", "CLK.1", "the last of two equal arrays makes, times the step, "),
    (wrong.DecaysAlways, "missing", "F1", "p decays in steps without a gradient"),
    (wrong.KeepsItsRate, "schedule", "LR.1", "after lr was changed a step is "),
    (wrong.Clips, "clipping", "NUM.5", "a gradient above 1 moves p as one of 1"),
    (wrong.Halved, "moments", "STEP.1", "a step is 0.5 times as large as claimed"),
    (wrong.LosesTheLast, "layout", "STEP.1", " elements that have a gradient do not move"),
    (wrong.SkipsZeros, "zero_gradient", "F2", "after an impulse, zero gradients change its answer"),
    (wrong.Climbs, "maximize", "MAX.1", "p goes up along the gradient in steps 1, 2, 3"),
    (wrong.KeepsCorrected, "bias_correction", "BC.3", "the corrected m is kept"),
    (wrong.Narrow, "mixed_precision", "NUM.1", "a gradient of 2^40 does not move p"),
    (steps.ForgetsGradients, "moments", "MOM.1", "no gradient moves p, which decays alone"),
    (steps.ClipsTogether, "clipping", "NUM.5", "with those of other arrays; alone, one is cut to 5"),
    (steps.NoRoot, "moments", "STEP.1", "the power -1 where 0 is claimed, as if v had no root"),
    (steps.NoDivisor, "moments", "STEP.1", "the power 1 where 0 is claimed, as if v divided nothing"),
    (steps.FourthRoot, "moments", "STEP.1", "as if v stood to the power 0.25"),
    (
        steps.SquaresForRoot,
        "moments",
        "STEP.1",
        "a step goes with the power -3 of its gradient",
    ),
    (steps.StepsWithDecay, "decay", "DEC.2", "without weight decay nothing moves"),
    (steps.StepsFirstArray, "layout", "STEP.1", "of several arrays the first alone moves"),
    (steps.LosesFirstStep, "clock", "CLK.2", "the first step moves nothing, those after it do"),
    (steps.AddsGradient, "moments", "STEP.1", "a gradient is added to the step that is divided by no root"),
    (steps.Freezes, "moments", "MOM.2", "older squares keep, by their age, 1, "),
    (steps.KeepsBytes, "mixed_precision", "NUM.1", "moves by a small part of those beside it"),
    (steps.SkipsRows, "zero_gradient", "F2", "in another way if its gradient is 0 than if it is tiny"),
    (steps.AddsToGradients, "moments", "MOM.1", "without any gradient p moves as with one of 3 in each step"),
    (steps.AddsEpsilonToGradients, "epsilon", "EPS.1", "as with one of 1 in each step, which is eps"),
    (steps.DividesByDecay, "decay", "DEC.1", "without weight decay a step raises ZeroDivisionError: "),
    (
        steps.ProductForPower,
        "bias_correction",
        "BC.1",
        "in steps 2, 3, 4, ...: from there on a correction is",
    ),
    (steps.RootBelowZero, "bias_correction", "BC.1", "a step raises ValueError: "),
    (steps.ParameterInSquare, "moments", "MOM.2", "NaN in later steps"),
]
WHOLE = [
    (steps.AddsBesideEpsilon, "epsilon", "EPS.1", "something counts beside eps, which shows with eps=1e-"),
    (steps.LeavesTail, "layout", "STEP.1", "equal elements of one array decay in different ways"),
    (
        steps.UsesRootBefore,
        "moments",
        "MOM.2",
        "beside another array of its shape an array takes other steps",
    ),
    (
        steps.StepsVectorsTwice,
        "layout",
        "STEP.1",
        "of an array of two dimensions is 0.5, 0.5, 0.5, 0.5 times",
    ),
    (steps.RaisesForLong, "moments", "STEP.1", "an ordinary step raises TypeError: no such warmup"),
    (steps.EpsilonForRate, "schedule", "LR.1", "steps are the same with any lr"),
    (steps.RootOfNeighbour, "layout", "STEP.1", "an element's steps depend on its place in its array"),
]
"""What shows only in the runs that a check makes besides."""


@pytest.mark.parametrize(("cls", "area", "rule", "observed"), CASES, ids=[case[0].__name__ for case in CASES])
def test_the_finding(cls: type, area: str, rule: str, observed: str) -> None:
    assert_found(first_finding(anatomy(cls)), area, rule, observed)


@pytest.mark.parametrize(("cls", "area", "rule", "observed"), WHOLE, ids=[case[0].__name__ for case in WHOLE])
def test_the_finding_of_a_check(cls: type, area: str, rule: str, observed: str) -> None:
    assert_found(first_finding(whole_anatomy(cls)), area, rule, observed)


def test_a_maximum_that_is_not_kept() -> None:
    """It disturbs what is measured far below eps, and is what is wrong all the same."""
    claim = replace(CLAIM, amsgrad="uncorrected")
    assert_found(first_finding(anatomy(steps.KeepsRootOfMaximum, claim=claim)), "amsgrad", "AMS.1")


def test_moments_that_begin_with_the_penalty() -> None:
    assert_found(first_finding(anatomy(steps.BeginsWithPenalty, claim=Adam())), "moments", "MOM.3")


def test_a_right_adam_has_none() -> None:
    assert first_finding(anatomy(Parts)) is None
    assert first_finding(anatomy(Parts, "float32")) is None


def test_a_small_difference_of_a_correction_is_one_of_precision() -> None:
    class Coarse(Parts):
        def correction(self, t: int) -> tuple[float, float]:
            c1, c2 = super().correction(t)
            return c1 * (1 + 1e-4 / t), c2

    assert_found(first_finding(anatomy(Coarse)), "coefficients", "NUM.4")


def test_an_ordinary_step_that_raises_is_said_first() -> None:
    class NoNegativeMoment(Parts):
        def one(self, i: int, g: FloatArray) -> None:
            if np.any(self.m[i] < 0):
                raise ValueError("m must be non-negative")
            super().one(i, g)

    observed = "an ordinary step raises ValueError: m must be non-negative"
    assert_found(first_finding(whole_anatomy(NoNegativeMoment)), "moments", "STEP.1", observed)


def test_a_number_that_a_program_is_to_know_is_a_matter_of_its_compilation() -> None:
    class ConcretizationTypeError(TypeError):
        """As JAX has it."""

    class TakesItem(Parts):
        def one(self, i: int, g: FloatArray) -> None:
            raise ConcretizationTypeError("abstract value")

    observed = "asks for the value of what it computes: it raises ConcretizationTypeError: abstract value"
    assert_found(first_finding(whole_anatomy(TakesItem)), "compilation", "STEP.3", observed)


def test_steps_that_raise_with_several_arrays_alone() -> None:
    class OneMaster(Parts):
        def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
            if len(grads) > 1:
                raise RuntimeError("the sizes must match")
            return super().step(grads)

    observed = "with several arrays a step raises RuntimeError: the sizes must match; with one it does not"
    assert_found(first_finding(whole_anatomy(OneMaster)), "layout", "STEP.1", observed)


def test_steps_that_raise_without_decay_alone() -> None:
    class MaskOfNothing(Parts):
        def step(self, grads: list[FloatArray | None]) -> list[FloatArray]:
            if not self.h["weight_decay"]:
                raise TypeError("None is no mask")
            return super().step(grads)

    observed = "without weight decay a step raises TypeError: None is no mask"
    assert_found(first_finding(whole_anatomy(MaskOfNothing)), "decay", "DEC.1", observed)


def test_there_are_words_for_every_part() -> None:
    assert list(WORDS) == list(PARTS)


def test_another_dialect_is_named_by_its_first_part() -> None:
    coupled = anatomy(Parts, claim=type(CLAIM)())
    assert_found(first_finding(coupled), "decay", "DEC.1")
    assert "decoupled" in AXES["decay"]


@pytest.mark.parametrize(("cls", "refused", "area"), UNMEASURED)
def test_what_could_not_be_measured_is_in_no_words(cls: type, refused: str, area: str | None) -> None:
    r = anatomy(cls).readings
    runs = {**r.runs, refused: Run(unsupported="it has two dimensions")}
    made = Anatomy(Readings(runs, r.probes, r.dtype), CLAIM, anatomy(cls).lacks)
    finding = first_finding(made)
    assert finding is None or "nan" not in finding.observed, finding
    assert (finding and finding.area) == area, finding
    assert all(value["claimed"] is not None for part in made.as_dict()["parts"] for value in part["values"])

"""What is right in ordinary runs and wrong in one thing: the thing is named."""

from __future__ import annotations

import odd_runs as odd
import pytest
import wide_runs as wide
from measured_adams import CLAIM, Parts, assert_found, whole_anatomy

from adamcore.conformance.anatomy.words.findings import first_finding

CASES = [
    (odd.FallingRate, "schedule", "LR.1", "times that of the last one, though neither gradient nor lr "),
    (odd.TailTwice, "layout", "STEP.1", "elements of one array with the same gradients go different ways"),
    (odd.Centres, "clipping", "NUM.5", "elements move whose own gradient is 0"),
    (odd.LongUpdatesCut, "clipping", "NUM.5", ""),
    (odd.SkipsZeroArrays, "zero_gradient", "F2", "with gradients of 0 takes other steps"),
    (odd.KeepsTheGradient, "aliasing", "STATE.2", "a gradient is read after its step"),
    (odd.CountsForAll, "isolation", "STATE.3", "comes out otherwise after other runs"),
    (odd.CachesCorrections, "isolation", "STATE.3", "under other betas are those of the run before"),
    (odd.DropsNan, "nonfinite", "NF.1", "a gradient of NaN"),
    (odd.RatesOnce, "schedule", "LR.2", "a step with lr=0"),
    (odd.RaisesForScalars, "layout", "STEP.1", "a 0-d array is not stepped as claimed: it raised TypeError"),
    (odd.CountsFromTwo, "clock", "CLK.2", "all steps are those of a clock that begins at 1"),
    (odd.StandsIfOpposed, "moments", "STEP.1", "however small, has its momentum's sign"),
    (odd.SharesRows, "moments", "MOM.2", "in an array of two dimensions an element's steps are not its own"),
    (odd.UncorrectedLater, "bias_correction", "BC.1", "at step 50 and after it nothing is corrected"),
    (odd.FlushesSmall, "moments", "NUM.2", "a gradient of 2^-15 does not move p at all"),
    (odd.DecaysByPlace, "decay", "DEC.2", ""),
    (odd.SecondStartsAtEps, "moments", "MOM.3", "v does not start at 0"),
    (odd.RateByPlace, "schedule", "LR.1", "without averages, to which no clock matters, "),
    (odd.RateToItsEnd, "schedule", "LR.1", "times that of the last one"),
    (odd.AveragesTwice, "moments", "STEP.1", "in both moments"),
    (odd.SquareOfArray, "moments", "MOM.2", ""),
    (
        odd.ClockOfBlocks,
        "clock",
        "CLK.1",
        "an array of 200 elements makes its steps 1, 2, ... as those of t ",
    ),
    (odd.MatrixInTurns, "layout", "STEP.1", "a step of an array of two dimensions is "),
    (odd.OneBuffer, "isolation", "STATE.3", "arrays of one shape come back equal"),
    (odd.NothingLeft, "bias_correction", "BC.1", "but not where both betas are 0: a correction is 0"),
    (odd.CorrectsByLast, "clock", "CLK.2", "the clock is a step behind, and 0 at first"),
    (odd.ShrinkingBeta, "moments", "MOM.1", "and gradients that stay the same hardly do"),
    (odd.HalvesCut, "clipping", "NUM.5", "parts of an array are scaled down, each by its own gradients"),
    (odd.ClockOfAll, "bias_correction", "BC.1", "beside other arrays, "),
    (odd.SharesBits, "mixed_precision", "NUM.1", "an array shares few bits"),
    (odd.RoughRoot, "mixed_precision", "NUM.1", "older squares keep, by their age, about "),
    (odd.StepsBySize, "moments", "STEP.1", "a step depends on the size of the parameter"),
    (odd.HeavierLate, "moments", "MOM.1", "from step 100 on the newest gradient counts 0.5 times"),
    (wide.ManyDimensionsKept, "decay", "DEC.1", "an array of four dimensions does not decay as claimed"),
    (wide.LeavesMoment, "isolation", "STATE.3", "after an array of the shape (3, 3) another"),
    (wide.RootOfAll, "moments", "MOM.2", "the root is that of other arrays too"),
    (wide.RateByNumber, "schedule", "LR.1", "the number of arrays counts"),
    (wide.CentresMatrices, "moments", "MOM.1", "their mean is taken off"),
    (wide.OldTimesOld, "moments", "MOM.1", "a moment overflows"),
    (
        wide.EighthTwice,
        "schedule",
        "LR.1",
        "equal steps numbers 8, 15, 22, 29, 36 are 2 times as large as the others",
    ),
    (wide.SlowlyFallingRate, "schedule", "LR.1", "though neither gradient nor lr changes"),
    (wide.EmptiedByThousands, "moments", "STEP.1", "after step 999: no other corrections"),
    (wide.ShortUpdates, "clipping", "NUM.5", "updates that are many times as large as lr"),
    (wide.KeepsMomentum, "schedule", "LR.3", "a new b1 of 0"),
    (wide.StepsOnceChanged, "schedule", "LR.1", "nothing moves until the learning rate is changed"),
    (wide.ZeroDecayIsDefault, "decay", "DEC.1", "a weight decay of 0 does not count"),
    (
        wide.DecayOfFirstUnderOwnRate,
        "groups",
        "LR.4",
        "two groups, each with its own b1, lr, weight_decay, are",
    ),
    (wide.CutByFormerRoot, "clipping", "NUM.5", "beside larger gradients in its array a first step is "),
    (wide.CutToZero, "clipping", "NUM.5", "after a step every parameter is 0"),
    (wide.ForgetsParameter, "moments", "STEP.1", "p does not go on from where it was"),
    (odd.ForgetsLate, "moments", "MOM.1", "from step 130 on constant gradients make steps "),
]


@pytest.mark.parametrize(("cls", "area", "rule", "observed"), CASES, ids=[case[0].__name__ for case in CASES])
def test_the_finding(cls: type, area: str, rule: str, observed: str) -> None:
    assert_found(first_finding(whole_anatomy(cls)), area, rule, observed)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_right_adam_has_none(dtype: str) -> None:
    made = whole_anatomy(Parts, dtype)
    assert [part.name for part in made.parts if not part.as_claimed] == []
    assert made.claim == CLAIM


def test_nor_has_one_that_takes_all_circumstances() -> None:
    assert [part.name for part in whole_anatomy(wide.Begun).parts if not part.as_claimed] == []

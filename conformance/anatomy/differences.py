"""Which part of a candidate is the first that is not as claimed, and by how much it differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from adamcore.conformance.anatomy.anatomy import Anatomy
from adamcore.conformance.anatomy.experiments import CONSTANT, SCALES
from adamcore.conformance.anatomy.facts import NEAR, constant, near, sure
from adamcore.conformance.anatomy.ordinary import SHAPES
from adamcore.conformance.anatomy.parts import Part
from adamcore.conformance.anatomy.precision import DIGIT_STEPS, ODD_LR, finely
from adamcore.conformance.anatomy.texts import listed, number
from adamcore.conformance.types import FloatArray

SLIGHT = 0.01  #: what is cut is cut by more than this share
Words = tuple[str, str, str]  #: the area, the rule, and what was measured


@dataclass(frozen=True)
class Difference:
    """A part that is not as claimed."""

    anatomy: Anatomy
    part: Part

    def differs(self, *names: str) -> bool:
        return any(name in self.part.differs for name in names)

    def values(self, name: str) -> tuple[FloatArray, FloatArray]:
        """Return the measured and the claimed values of one name, flat."""
        return np.ravel(self.part.values[name].value), np.ravel(self.part.claimed[name].value)

    def is_stepped_as_claimed(self, experiment: str) -> bool:
        """True if every array of an experiment moves as the claim moves it."""
        r, claimed = self.anatomy.readings, self.anatomy.claimed
        if claimed is None or r.why_not(experiment):
            return False
        arrays = range(len(r.probes[experiment].params))
        return all(r.moves(experiment, i).all_equal(claimed.moves(experiment, i)) for i in arrays)

    def deviation(self, name: str) -> float:
        """Return the largest relative deviation from the claim; infinite if a value could not be measured."""
        got, want = self.values(name)
        with np.errstate(all="ignore"):
            apart = np.abs(got - want) / np.maximum(np.abs(got), np.abs(want))
        apart = np.where((got == want) | (np.isnan(got) & np.isnan(want)), 0.0, apart)
        return float(np.max(np.nan_to_num(apart, nan=np.inf)))

    def largest(self) -> float:
        """Return the largest relative deviation of all values that differ."""
        return max(self.deviation(name) for name in self.part.differs)

    def beside(self, name: str, what: str = "") -> str:
        """Return the measured values and the claimed ones as a text."""
        got, want = self.values(name)
        if name.startswith("power"):  # an exponent of 0 is measured with the errors of rounding
            got, want = np.round(got, 9), np.round(want, 9)
        same = constant(sure(self.part.values[name])), constant(want)
        texts = [
            number(one) if one is not None and len(all_) > 1 else listed(all_)
            for one, all_ in zip(same, (got, want), strict=True)
        ]
        return f"{what}{texts[0]} where {texts[1]} is claimed"


def first_difference(anatomy: Anatomy) -> Part | None:
    """Return the first part that is not as claimed.

    Two faults disturb the readings of parts before their own.  If p decays without weight decay, it does so
    in all experiments.  A fault of epsilon disturbs whatever is measured far below eps; if the steps far
    above eps are as claimed, and no gradient depends on those beside it, it is the part that is wrong.  So
    does one of the maximum.
    """
    wrong = {part.name: part for part in anatomy.parts if not part.as_claimed}
    claimed = anatomy.claimed
    if not wrong or claimed is None:
        return None
    if "precision" in wrong and loses_digits(wrong["precision"]):
        return wrong["precision"]
    if "decay" in wrong and leaves_parameter(wrong["decay"]):
        return wrong["decay"]
    for name in ("runs", "arrays"):
        if name in wrong:
            return wrong[name]
    if len(wrong) > 1 and "precision" in wrong and not is_rounding(wrong["precision"]):
        del wrong["precision"]
    if "precision" in wrong and is_of_rate(anatomy, wrong):
        del wrong["precision"]
    if len(wrong) > 1 and are_vectors_alone(anatomy):
        del wrong["steps"]
    if "gradient" in wrong and is_of_weights(anatomy, wrong):
        del wrong["gradient"]
    if "gradient" in wrong and is_of_root(wrong):
        del wrong["gradient"]
    if "second moment" in wrong and forgets_maximum(anatomy, wrong["second moment"]):
        return wrong["second moment"]
    if "epsilon" in wrong and not ("gradient" in wrong and "beside others" in wrong["gradient"].differs):
        far = anatomy.readings.moves("normal").all_equal(claimed.moves("normal"))
        powers = [r.exponents[1].value[0] for r in (anatomy.readings, claimed)]
        if far or (near(1.0 + powers[0], 1.0 + powers[1]) and reversed_curve(wrong["epsilon"])):
            return wrong["epsilon"]
    if "decay" in wrong and {"without decay", "sizes without decay"} & set((decay := wrong["decay"]).differs):
        still = np.isfinite(decay.values["without decay"].value).all()
        return decay if still else next(iter(wrong.values()))
    first = next(iter(wrong))
    if first in ("first moment", "second moment", "correction", "epsilon") and goes_with_parameter(wrong):
        return wrong["step"]
    return wrong[first]


def goes_with_parameter(wrong: Mapping[str, Part]) -> bool:
    """True if the size of a parameter multiplies its step, so that steps change as p moves."""
    if "step" not in wrong or "parameters" not in wrong["step"].differs:
        return False
    sizes = np.abs(wrong["step"].values["parameters"].value[: 4 * len(SCALES) : 4])
    return bool(np.isfinite(sizes).all() and np.max(sizes) > 2.0 * np.min(sizes))


def loses_digits(part: Part) -> bool:
    """True if p or its update has fewer digits, or if a parameter is rounded at once and then stays."""
    if any(name.startswith("digits") for name in part.differs):
        return True
    if "odd parameters" not in part.differs:
        return False
    got, want = (
        values["odd parameters"].value.reshape(DIGIT_STEPS, -1) for values in (part.values, part.claimed)
    )
    return np.array_equal(got[0], got[-1]) and bool(np.all(np.abs(got - want) < 2.0**-7 * want))


def is_rounding(part: Part) -> bool:
    """True if all values are numbers: what spoils an array is no matter of digits."""
    return all(np.isfinite(part.values[name].value).all() for name in part.differs)


def is_of_rate(anatomy: Anatomy, wrong: Mapping[str, Part]) -> bool:
    """True if decay and step differ in their lr alone, and that of decay is the claimed one, or far from it.

    An lr may be a number of single precision; what it counts as if it is another is told by sweeps.
    """
    if wrong["precision"].differs != ["decay by an odd lr"] or anatomy.claimed is None:
        return False
    got, want = (finely(r.moves(ODD_LR)[0, 0]) for r in (anatomy.readings, anatomy.claimed))
    return "hyperparameters" in wrong or got.all_equal(want)


def are_vectors_alone(anatomy: Anatomy) -> bool:
    """True if arrays of two dimensions are stepped as claimed, and all others alike, but otherwise.

    The parts are measured on arrays of one dimension, so that they show what is wrong with those.  Steps that
    are multiplied show nothing more there.
    """
    claimed = anatomy.claimed
    [part] = [part for part in anatomy.parts if part.name == "steps"]
    if not {"sizes"} <= set(part.differs) <= {"sizes", "shapes"} or claimed is None:
        return False
    got, want = ([r.moves("sizes", i)[:, 0] for i in range(len(SHAPES))] for r in (anatomy.readings, claimed))
    of_matrices = [len(shape) > 1 for shape in SHAPES]
    vectors = [step for step, is_matrix in zip(got, of_matrices, strict=True) if not is_matrix]
    right = [a.all_equal(b) for a, b in zip(got, want, strict=True)]
    ratio = vectors[0].value / want[0].value
    alike = all(step.all_equal(vectors[0]) for step in vectors)
    return right == of_matrices and alike and not near(ratio, ratio[0])


def leaves_parameter(part: Part) -> bool:
    """True if a parameter is lost without any gradient and decay."""
    rates = part.values.get("sizes without decay")
    return rates is not None and bool(np.any(rates.value >= 1.0)) and "sizes without decay" in part.differs


def is_of_weights(anatomy: Anatomy, wrong: Mapping[str, Part]) -> bool:
    """True if all steps go the wrong way because weights below 0 are not those claimed without a sign."""
    claimed, part = anatomy.claimed, wrong["gradient"]
    if claimed is None or part.differs != ["sign"] or not {"correction", "first moment"} & set(wrong):
        return False
    sums, theirs = (np.abs(r.first_sums.value) for r in (anatomy.readings, claimed))
    whole = np.array_equal(part.values["sign"].value, -part.claimed["sign"].value)
    return whole and bool(np.isfinite(sums).all()) and not near(sums, theirs)


def is_of_root(wrong: Mapping[str, Part]) -> bool:
    """True if gradients do not count in proportion far below eps, since their root is not that claimed.

    Where eps is a constant of the candidate's own, gradients are not far below it, and whatever their root is
    made of shows.
    """
    gradient = wrong["gradient"]
    if gradient.differs != ["proportion"]:
        return False
    want = gradient.claimed["proportion"].value
    if not near(want, 1.0):
        return bool({"second moment", "correction", "epsilon"} & set(wrong))
    share = gradient.values["proportion"].value / want
    power = "second moment" in wrong and "power" in wrong["second moment"].differs
    return bool(np.all(np.abs(share - 1.0) < SLIGHT)) and power


def reversed_curve(part: Part) -> bool:
    """True if steps do not shrink with small gradients, as those of the claim do."""
    return bool(abs(part.values["slope"].value) < NEAR < abs(part.claimed["slope"].value))


def forgets_maximum(anatomy: Anatomy, part: Part) -> bool:
    """True if a maximum is claimed and steps are as claimed until a square is less than those before it.

    Squares that grow are their own maximum.
    """
    claim, claimed = anatomy.claim, anatomy.claimed
    if claim is None or claimed is None or claim.amsgrad == "none" or "kept in step" not in part.differs:
        return False
    if not np.isfinite(part.values["kept in step"].value).all():
        return False
    steps, theirs = (r.moves("normal")[:, CONSTANT] for r in (anatomy.readings, claimed))
    return steps.all_equal(theirs)

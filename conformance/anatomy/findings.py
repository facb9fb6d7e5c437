"""The first part that is not as claimed, in words: what is asked, and what was measured instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from adamcore.conformance.anatomy.anatomy import Anatomy
from adamcore.conformance.anatomy.experiments import ABSENT, CLIP_POWERS, LATE
from adamcore.conformance.anatomy.facts import BESIDE, LARGER, NEAR, UNDER, Facts, constant, near, sure
from adamcore.conformance.anatomy.measured import Measured
from adamcore.conformance.anatomy.parts import Part
from adamcore.conformance.anatomy.readings import readings_of_claim
from adamcore.conformance.anatomy.texts import listed, number
from adamcore.conformance.rules import RULE_OF, SAYS
from adamcore.conformance.types import Finding, FloatArray

FINE = 2e-3  #: relative differences below this are a matter of how exactly coefficients are formed


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
        same = constant(sure(self.part.values[name])), constant(want)
        texts = [
            number(one) if one is not None and len(all_) > 1 else listed(all_)
            for one, all_ in zip(same, (got, want), strict=True)
        ]
        return f"{what}{texts[0]} where {texts[1]} is claimed"


Words = tuple[str, str, str]  #: the area, the rule, and what was measured


def first_finding(anatomy: Anatomy) -> Finding | None:
    """Return the finding of the first part that is not as claimed, or None if all are."""
    with np.errstate(all="ignore"):
        part = first_difference(anatomy)
        if part is None:
            return None
        difference = Difference(anatomy, part)
        area, rule, observed = WORDS[part.name](difference)
        fine = part.name in ("correction", "epsilon", "clock") and area != "nesterov"
        if fine and (off := difference.largest()) < FINE:
            area, rule = "coefficients", "NUM.4"
            observed = f"the {part.name} is off by up to {number(off)}, relative to what is claimed"
    return Finding(area, rule, SAYS.get(rule, f"{area} as claimed"), observed)


def first_difference(anatomy: Anatomy) -> Part | None:
    """Return the first part that is not as claimed.

    Two faults disturb the readings of parts before their own.  If p decays without weight decay, it does so
    in all experiments.  A fault of epsilon disturbs whatever is measured far below eps; if the steps far
    above eps are as claimed, it is the part that is wrong.
    """
    wrong = {part.name: part for part in anatomy.parts if not part.as_claimed}
    claimed = anatomy.claimed
    if not wrong or claimed is None:
        return None
    if "arrays" in wrong:
        return wrong["arrays"]
    if "epsilon" in wrong:
        far = anatomy.readings.moves("normal").all_equal(claimed.moves("normal"))
        if far or reversed_curve(wrong["epsilon"]):
            return wrong["epsilon"]
    if "decay" in wrong and "without decay" in wrong["decay"].differs:
        if np.isfinite(wrong["decay"].values["without decay"].value).all():
            return wrong["decay"]
    return next(iter(wrong.values()))


def reversed_curve(part: Part) -> bool:
    """True if steps do not shrink with small gradients, as those of the claim do."""
    return bool(abs(part.values["slope"].value) < NEAR < abs(part.claimed["slope"].value))


def arrays(d: Difference) -> Words:
    if d.differs("finite"):
        return "mixed_precision", "NUM.1", "a gradient of 2^40 makes p NaN or infinite"
    if d.differs("stepped"):
        got, _ = d.values("stepped")
        if not got.any():
            return "moments", "STEP.1", "no element moves in the step in which its first gradient comes"
        text = f"{int(np.sum(got == 0))} of {len(got)} elements that have a gradient do not move"
        return "layout", "STEP.1", text
    if d.differs("place"):
        return (
            "clock",
            "CLK.1",
            d.beside("place", "the last of some equal arrays makes a step of another size: "),
        )
    ratio, _ = d.values("alone")
    text = f"without other arrays beside it, a step is {number(ratio[0])} times as large"
    return ("clipping", "NUM.5", text) if ratio[0] > 4 else ("isolation", "STATE.3", text)


def gradient(d: Difference) -> Words:
    names = d.part.differs
    if "sign" in names and (words := wrong_sign(d)):
        return words
    if "without" in names:
        text = d.beside("without", "an element without any gradient moves: by lr times ")
        alone = np.any(d.anatomy.readings.moves("decay-none").value)
        return ("moments", "MOM.3", text) if alone else ("layout", "STEP.1", text)
    if "zero" in names:
        return (
            "zero_gradient",
            "F2",
            d.beside("zero", "after an impulse, zero gradients leave less of it, by "),
        )
    if "beside others" in names:
        return "clipping", "NUM.5", d.beside("beside others", "beside larger gradients a step has the share ")
    if "opposite" in names:
        return "moments", "STEP.1", d.beside("opposite", "the opposite gradient gives, times the step, ")
    if "doubled" in names:
        got, _ = d.values("doubled")
        return "moments", "STEP.1", f"twice a small gradient gives 2^{number(got[0])} times the step"
    if "proportion" in names:
        return "clipping", "NUM.5", clip_text(d)
    return "moments", "STEP.1", d.beside("sum of two", "two impulses together give, times their sum, ")


def wrong_sign(d: Difference) -> Words | None:
    """Return the words on a step of the wrong sign, or that does not count its own gradient."""
    got, want = d.values("sign")
    if not np.isfinite(got).all():
        return None
    if not got.any() and d.anatomy.readings.normal.value[0, 0]:
        return "zero_gradient", "F2", "a gradient of 2^-52 does not move p at all"
    if not got.all():
        return "moments", "MOM.1", "a step does not count its own gradient"
    steps = ", ".join(str(t) for t in np.flatnonzero(got != want)[:3] + 1)
    way = "up" if want[0] > 0 else "down"
    return "maximize", "MAX.1", f"p goes {way} along the gradient in steps {steps}, ..."


def clip_text(d: Difference) -> str:
    got, _ = d.values("proportion")
    k = int(np.argmax(np.abs(got - 1.0) > NEAR))
    grown = f"2^{CLIP_POWERS[k]}"
    return f"far below eps, a gradient of {grown} moves p {number(got[k])} times as far as it should"


def first_moment(d: Difference) -> Words:
    b1 = d.anatomy.readings.hyper("b1")
    if not d.differs("fading", "fading in step"):
        return "nesterov", "NES.1", d.beside("look-ahead", "an older gradient counts against the newest ")
    found = constant(sure(d.part.values["fading"]))
    if keeps_corrected(d, "fading in step", b1):
        return "bias_correction", "BC.3", "the corrected m is kept, and corrected again in the next step"
    if found is None:
        return "moments", "MOM.1", d.beside("fading", "an older gradient keeps, by its age, ")
    if is_claim_with(d, b1=found) or is_claim_with(d, b1=found, b2=Facts(d.anatomy.readings).b2):
        return "hyperparameters", "MOM.1", f"b1 is {number(found)} where {number(b1)} was given"
    return "moments", "MOM.1", f"weights of m go down by {number(found)} a step where b1 is {number(b1)}"


def keeps_corrected(d: Difference, name: str, beta: float) -> bool:
    """True if older weights are those of an average that is divided by its correction for good."""
    got, want = d.values(name)
    t = np.arange(1, len(got) + 1)
    return near(got * (1.0 - beta**t), want)


def is_claim_with(d: Difference, **betas: float | None) -> bool:
    """True if the claim with other betas makes the steps that the candidate made."""
    r, claim = d.anatomy.readings, d.anatomy.claim
    hyper = {name: beta for name, beta in betas.items() if beta is not None and 0.0 <= beta < 1.0}
    if claim is None or len(hyper) < len(betas):
        return False
    other = readings_of_claim(claim, {"main": r.probes["main"].with_hyper(**hyper)}, r.dtype)
    return all(near_moves(r.moves(name), other.moves(name)) for name in ("linear", "normal"))


def near_moves(a: Measured, b: Measured) -> bool:
    return bool(np.all(np.abs(a.value - b.value) <= NEAR * np.max(np.abs(b.value))))


def second_moment(d: Difference) -> Words:
    b2, claim, wrong = d.anatomy.readings.hyper("b2"), d.anatomy.claim, set(d.part.differs)
    highest = claim is not None and claim.amsgrad != "none"
    found = constant(sure(d.part.values["fading"]))
    other = found is not None and 0.0 < found < 1.0 and "fading" in wrong
    if keeps_corrected(d, "kept in step", b2):
        return "bias_correction", "BC.3", "the corrected v is kept, and corrected again in the next step"
    if wrong == {"beside others"}:
        text = d.beside("beside others", "beside others in its array, a large gradient's step has the share ")
        return "amsgrad" if highest else "moments", "MOM.2", text
    if (highest and not other) or not wrong & {"fading", "cross term", "power"}:
        return "amsgrad", "AMS.1", d.beside("kept", "older squares keep, by their age, ")
    if "power" in wrong:
        return (
            "moments",
            "STEP.1",
            d.beside("power", "far above eps a step goes with the gradient to the power "),
        )
    if "cross term" in wrong:
        return "moments", "MOM.2", d.beside("cross term", "products of two gradients count in v: ")
    if found is not None and other and is_claim_with(d, b2=found):
        return "hyperparameters", "MOM.2", f"b2 is {number(found)} where {number(b2)} was given"
    return "moments", "MOM.2", d.beside("fading", "weights of v go down in a step by ")


def correction(d: Difference) -> Words:
    if not d.differs("first", "second"):
        return sums(d)
    name = "first" if d.differs("first") else "second"
    got, want = d.values(name)
    claim = d.anatomy.claim
    if name == "first" and claim is not None and claim.nesterov != "none":
        return (
            "nesterov",
            "NES.1",
            d.beside("first", "the weights of m add up, relative to the last step, to "),
        )
    ratio = got / want
    ratio = ratio / ratio[0] if near(ratio[0], ratio[1]) else ratio
    text = f"the correction of the {name} moment is {listed(ratio)} times as claimed in steps 1, 2, ..."
    return "bias_correction", "BC.1" if name == "first" else "BC.2", text


def sums(d: Difference) -> Words:
    """The words on weights that add up to another sum in all steps."""
    [made] = [part for part in d.anatomy.parts if part.name == "step"]
    if "power of lr" in made.differs:
        return step(Difference(d.anatomy, made))
    name = "first" if d.differs("sum of the first") else "second"
    got, want = d.values(f"sum of the {name}")
    what = "a step" if name == "first" else "v"
    return "moments", "STEP.1", f"{what} is {number(got[0] / want[0])} times as large as claimed"


def epsilon(d: Difference) -> Words:
    got = {name: float(np.ravel(value.value)[0]) for name, value in d.part.values.items()}
    forms = {BESIDE: "beside the root", UNDER: "under the root", LARGER: "as the least value of the root"}
    if Facts(d.anatomy.readings).is_sign:
        return "moments", "STEP.1", "all steps are of one size: the sign of the update alone counts"
    if reversed_curve(d.part):
        return "epsilon", "EPS.1", "a step does not shrink with its gradient, as if eps were not there"
    if d.differs("power") and abs(got["power"]) < NEAR:
        eps = d.anatomy.readings.hyper("eps", "response") * got["knee"]
        return "epsilon", "EPS.1", f"eps counts {number(eps)}, whatever it is"
    form = next((text for bend, text in forms.items() if near(got["bend"], bend)), "in no known form")
    if d.differs("bend", "power"):
        return "epsilon", "EPS.1", f"eps stands {form}, to the power {number(got['power'])}"
    steps = Measured(d.part.values["in step"].value / d.part.claimed["in step"].value)
    return "epsilon", "EPS.1", f"eps counts {listed(steps.value)} times as claimed in steps 1, 2, ..."


def step(d: Difference) -> Words:
    if d.differs("power of lr"):
        return "hyperparameters", "LR.1", d.beside("power of lr", "a step goes with lr to the power ")
    if d.differs("parameters"):
        return "moments", "STEP.1", d.beside("parameters", "a step depends on the size of the parameter: ")
    got, want = d.values("changed lr")
    return "schedule", "LR.1", f"after lr was changed a step is {listed(got / want)} times as claimed"


def decay(d: Difference) -> Words:
    got, want = d.values("two dimensions")
    if d.part.differs == ["two dimensions"] and constant(got) is None:
        return "layout", "STEP.1", d.beside("two dimensions", "elements of a matrix decay by ")
    if d.differs("zero") and not d.differs("order", "opposite"):
        text = "a parameter decays in another way if its gradient is 0 than if it is tiny"
        return "zero_gradient", "F2", text
    name = next((name for name in DECAY_TEXTS if d.differs(name)), d.part.differs[0])
    return "decay", "DEC.5" if name == "order" else decay_rule(d), DECAY_TEXTS[name](d)


def decay_rule(d: Difference) -> str:
    return "DEC.1" if d.anatomy.claim is not None and d.anatomy.claim.decay == "l2" else "DEC.2"


def rate_text(d: Difference) -> str:
    got, want = d.values("rate")
    ratio = constant(got / want)
    if ratio is not None:
        return (
            f"weights decay {number(ratio)} times as fast as claimed, by {number(got[0])} in the first step"
        )
    return d.beside("rate", "the part of p that decays in steps 1, 2, ... is ")


DECAY_TEXTS: dict[str, Callable[[Difference], str]] = {
    "without decay": lambda d: d.beside("without decay", "without weight decay, weights decay by "),
    "power of lr": lambda d: d.beside("power of lr", "decay goes with lr to the power "),
    "power of decay": lambda d: d.beside("power of decay", "decay goes with weight_decay to the power "),
    "rate": rate_text,
    "sizes": lambda d: d.beside("sizes", "the part of p that decays is, by the size of p, "),
    "two dimensions": lambda d: d.beside("two dimensions", "an array of two dimensions decays by "),
    "order": lambda d: d.beside("order", "the share of the step that decays too is "),
    "opposite": lambda d: d.beside("opposite", "of a step away from zero the share that decays too is "),
    "changed lr": lambda d: d.beside("changed lr", "after lr was changed, weights go down by "),
}
"""What is wrong with decay, by the value that differs, the most telling one first."""


def clock(d: Difference) -> Words:
    name = "late first" if d.differs("late first") else "late steps"
    got, want = d.values(name)
    k = d.part.values[name].first(d.part.claimed[name]) or 0
    text = f"at step {LATE[k]} the correction is not that of the clock: steps are {listed((got / want)[k:])}"
    return "clock", "CLK.3", f"{text} times as large as claimed"


def absence(d: Difference) -> Words:
    claim, readings = d.anatomy.claim, d.anatomy.claimed
    if claim is not None and readings is not None and readings.why_not("absence"):
        axis = "missing" if claim.missing == "error" else "all_missing"
        return axis, RULE_OF[axis]["error"], "a step without a gradient is made, where an error is claimed"
    names = ("the first", "the second")
    for name, steps in zip(names, ABSENT, strict=True):
        for what, verb in (("moves", "moves"), ("decay", "decays")):
            got, want = (values[np.array(steps) - 1] for values in d.values(f"{what} of {name}"))
            if not near(got, want):
                text = (
                    f"p {verb} in steps without a gradient: by {listed(got)} where {listed(want)} is claimed"
                )
                return "missing", "F1", text
    for name in names:
        older, newest = (d.part.values[f"{what} of {name}"] for what in ("weights", "newest"))
        theirs = d.part.claimed[f"weights of {name}"][0] / d.part.claimed[f"newest of {name}"][0]
        if not near((older[0] / newest[0]).value, theirs.value):
            return "missing", "F1", d.beside(f"weights of {name}", "after steps without a gradient, m has ")
    name = next((name for name in names if d.differs(f"newest of {name}")), "")
    if not name:
        return "missing", "F1", "steps after those without a gradient have another size than claimed"
    return "clock", "CLK.1", d.beside(f"newest of {name}", "after steps without a gradient, a step is ")


WORDS: dict[str, Callable[[Difference], Words]] = {
    "arrays": arrays,
    "gradient": gradient,
    "first moment": first_moment,
    "second moment": second_moment,
    "correction": correction,
    "epsilon": epsilon,
    "step": step,
    "decay": decay,
    "clock": clock,
    "absence": absence,
}
"""For each part, what to say if it is not as claimed."""

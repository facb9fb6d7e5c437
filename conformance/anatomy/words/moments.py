"""What to say of a moment or a correction that is not as claimed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from adamcore.conformance.anatomy.differences import Difference, Words
from adamcore.conformance.anatomy.experiments import NEIGHBOURS, T
from adamcore.conformance.anatomy.facts import NEAR, Facts, constant, near, sure
from adamcore.conformance.anatomy.measured import Measured
from adamcore.conformance.anatomy.readings import readings_of_claim
from adamcore.conformance.anatomy.texts import listed, number
from adamcore.conformance.anatomy.words.steps import step
from adamcore.conformance.types import FloatArray, Start

FEW_BITS = 2.0**-6  #: what rounding to 7 bits or more makes of a 0, as a share of what stands beside it


def first_moment(d: Difference) -> Words:
    b1, claim = d.anatomy.readings.hyper("b1"), d.anatomy.claim
    if not d.differs("fading", "fading in step"):
        power = float(Facts(d.anatomy.readings).exponents[1][0])
        if claim is not None and claim.nesterov == "none" and abs(power - 1.0) < NEAR:
            return "moments", "STEP.1", "a gradient is added to the step that is divided by no root"
        if newest_square_too(d):
            text = "the newest gradient counts more than it does in an average, in both moments: "
            return "moments", "STEP.1", d.beside("look-ahead", f"{text}an older one, against it, ")
        if (ahead := clock_ahead(d)) is not None:
            return "clock", "CLK.2", f"all steps are those of a clock that begins at {ahead}"
        if corrects_second_otherwise(d):
            text = "both moments have other corrections: an older gradient counts against the newest "
            return "bias_correction", "BC.1", d.beside("look-ahead", text)
        text = d.beside("look-ahead", "an older gradient counts against the newest ")
        if claim is not None and claim.nesterov == "none" and counts_older_more(d):
            return "moments", "MOM.1", text
        return "nesterov", "NES.1", text
    found = constant(sure(d.part.values["fading"]))
    if found is None and count_less_beside_large(d):
        text = "from the second step on tiny gradients count less beside large ones of other arrays"
        return "clipping", "NUM.5", f"{text}; by themselves they are stepped as claimed"
    if found is None and is_scattered(d, "fading", "fading in step"):
        return "mixed_precision", "NUM.1", d.beside("fading", "an older gradient keeps, by its age, about ")
    if keeps_corrected(d, "fading in step", b1):
        return "bias_correction", "BC.3", "the corrected m is kept, and corrected again in the next step"
    if found is None and claim is not None and claim.nesterov != "none":
        got, want = d.values("fading")
        if near(got[1:], want[1:]):
            return "nesterov", "NES.1", d.beside("fading", "the last gradient but one keeps another share: ")
    if found is None and counts_newest_alone(d):
        return "moments", "MOM.1", "the newest gradient alone counts in a step, and no older one"
    if found is None:
        return "moments", "MOM.1", d.beside("fading", "an older gradient keeps, by its age, ")
    if is_claim_with(d, b1=found) or is_claim_with(d, b1=found, b2=Facts(d.anatomy.readings).b2):
        return "hyperparameters", "MOM.1", f"b1 is {number(found)} where {number(b1)} was given"
    return "moments", "MOM.1", f"weights of m go down by {number(found)} a step where b1 is {number(b1)}"


def counts_newest_alone(d: Difference) -> bool:
    """True if no impulse far below eps moves p in a step after its own."""
    return not np.any(np.tril(d.anatomy.readings.linear.value[:, :T], -1))


def count_less_beside_large(d: Difference) -> bool:
    """True if tiny gradients by themselves are stepped as claimed, and count less beside large ones."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None or not d.is_stepped_as_claimed("sizes-small"):
        return False
    steps = len(r.probes["sizes-small"].steps)
    newest, asked = (np.diagonal(each.linear.value)[1:steps] for each in (r, claimed))
    return bool(np.all(np.abs(newest) < 0.5 * np.abs(asked)))


def counts_older_more(d: Difference) -> bool:
    """True if older gradients count more against the newest one than claimed; a look-ahead adds to that."""
    got, want = d.values("look-ahead")
    return bool(np.all(got > want))


UNTOLD = 1e-6  #: a power of a beta below this is lost beside 1


def is_scattered(d: Difference, *names: str) -> bool:
    """True if values lie on both sides of those claimed, as near as a few bits allow."""
    got, want = (np.concatenate(both) for both in zip(*(d.values(name) for name in names), strict=True))
    off = got / want - 1.0
    off = off[np.isfinite(off)]
    return len(off) > 2 and bool(np.max(np.abs(off)) < FEW_BITS and np.min(off) < 0 < np.max(off))


def is_slight(d: Difference) -> bool:
    """True if all values that differ do so by no more than the errors of a few numbers of few bits."""
    got, want = (np.concatenate(both) for both in zip(*map(d.values, d.part.differs), strict=True))
    return bool(np.all(np.abs(got - want) < 4.0 * FEW_BITS * np.maximum(1.0, np.abs(want))))


def newest_square_too(d: Difference) -> bool:
    """True if the newest square has another weight as well, and older ones fade as claimed.

    A look-ahead is one of the first moment alone.
    """
    [second] = [part for part in d.anatomy.parts if part.name == "second moment"]
    if "kept in step" not in second.differs or {"cross term", "power"} & set(second.differs):
        return False
    return second.values["kept"][1:].all_equal(second.claimed["kept"][1:])


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
    if is_slight(d) and is_scattered(d, "kept", "kept in step"):
        return "mixed_precision", "NUM.1", d.beside("kept", "older squares keep, by their age, about ")
    if keeps_corrected(d, "kept in step", b2):
        area, rule, what = ("amsgrad", "AMS.1", "maximum") if highest else ("bias_correction", "BC.3", "v")
        return area, rule, f"the corrected {what} is kept, and corrected again in the next step"
    if wrong == {"beside others"} and is_scaled_as_one(d):
        text = d.beside("beside others", "beside others in its array, a step is as a whole scaled by ")
        return "clipping", "NUM.5", text
    if wrong == {"beside others"}:
        text = d.beside("beside others", "beside others in its array, a large gradient's step has the share ")
        return "amsgrad" if highest else "moments", "MOM.2", text
    kept = not wrong & {"fading", "cross term", "power"}
    if "power" in wrong and highest and d.values("power")[0][0] < -0.5:
        return other_power(d)
    if highest and not wrong & {"kept", "kept in step"}:
        got, want = d.values("two squares")
        other = np.abs(got - want) > NEAR * want
        # a maximum that is averaged on adds; one of the squares themselves counts one of them
        of_maximum = np.all(got[other] > want[other]) or np.all(np.abs(got[other]) < NEAR)
        text = d.beside("two squares", "two squares together count, beside the newest one, ")
        return ("amsgrad", "AMS.1", text) if of_maximum else ("moments", "MOM.2", text)
    if (highest and not other) or (kept and is_maximum(d)):
        return "amsgrad", "AMS.1", d.beside("kept", "older squares keep, by their age, ")
    if kept:
        return "moments", "MOM.2", d.beside("kept", "older squares keep, by their age, ")
    if "power" in wrong:
        return other_power(d)
    if "cross term" in wrong:
        return "moments", "MOM.2", d.beside("cross term", "products of two gradients count in v: ")
    if found is not None and other and is_claim_with(d, b2=found):
        return "hyperparameters", "MOM.2", f"b2 is {number(found)} where {number(b2)} was given"
    return "moments", "MOM.2", d.beside("fading", "weights of v go down in a step by ")


def other_power(d: Difference) -> Words:
    """The words on steps that do not become one size far above eps."""
    text = d.beside("power", "far above eps a step goes with the gradient to the power ")
    got, want = d.values("power")
    if np.all(np.abs(got - got[0]) < NEAR) and np.all(np.abs(want) < NEAR):
        # g over v**q goes with g**(1 - 2*q)
        q = round((1.0 - float(got[0])) / 2.0, 6)
        text += {0.0: ", as if v divided nothing", 1.0: ", as if v had no root"}.get(
            q, f", as if v stood to the power {number(q)}"
        )
    return "moments", "STEP.1", text


def is_maximum(d: Difference) -> bool:
    """True if the claim with a maximum makes the steps that the candidate made far above eps."""
    r, claim = d.anatomy.readings, d.anatomy.claim
    if claim is None:
        return False
    forms = [replace(claim, amsgrad=form) for form in ("uncorrected", "corrected")]
    others = [readings_of_claim(form, {"main": r.probes["main"]}, r.dtype) for form in forms]
    return any(near_moves(r.moves("normal"), other.moves("normal")) for other in others)


def is_scaled_as_one(d: Difference) -> bool:
    """True if all elements of an array make the same first step far above eps, as single ones do."""
    moved = d.anatomy.readings.moves("neighbours", 2 * len(NEIGHBOURS) + 1).value[0]
    return near(moved, moved[0])


def corrects_second_otherwise(d: Difference) -> bool:
    """True if v has another correction than claimed, of which a look-ahead has none."""
    [second, corrections] = [p for p in d.anatomy.parts if p.name in ("second moment", "correction")]
    return second.as_claimed and "second" in corrections.differs


def correction(d: Difference) -> Words:
    if not d.differs("first", "second"):
        return sums(d)
    name = "first" if d.differs("first") else "second"
    got, want = d.values(name)
    claim = d.anatomy.claim
    if plain := uncorrected(d):
        both = len(plain) == 2
        text = "no moment is corrected" if both else f"the {plain[0]} moment is not corrected"
        return "bias_correction", "BC.2" if plain == ["second"] else "BC.1", text
    if (counted := counted_steps(d)) is not None:
        return "clock", "CLK.2", f"the corrections of steps 1, 2, ... are those of t = {listed(counted)}"
    if (begun := clock_ahead(d)) is not None:
        return "clock", "CLK.2", f"all steps are those of a clock that begins at {begun}"
    ahead = claim is not None and (
        claim.nesterov == "dozat" or (claim.nesterov != "none" and looks_otherwise(d))
    )
    if name == "first" and ahead and not corrects_second_otherwise(d):
        return "nesterov", "NES.1", d.beside("first", "weights add up, relative to the last step, to ")
    if (share := share_of_array(d)) is not None:
        text = f"beside larger gradients in its array a first step is {number(share)} times as large"
        return "clipping", "NUM.5", text
    ratio = got / want
    ratio = ratio / ratio[0] if near(ratio[0], ratio[1]) else ratio
    text = f"the correction of the {name} moment is {listed(ratio)} times as claimed in steps 1, 2, ..."
    return "bias_correction", "BC.1" if name == "first" else "BC.2", text


def uncorrected(d: Difference) -> list[str]:
    """Return the moments that have one weight in all steps where another one in each is claimed."""
    found = [name for name in ("first", "second") if d.differs(name)]
    alike = [name for name in found if constant(d.values(name)[0]) is not None]
    return alike if alike == found else []


def share_of_array(d: Difference) -> float | None:
    """Return what gradients of every size lose in one array, if small ones elsewhere lose nothing."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None or r.why_not("response") or not r.moves("linear").all_equal(claimed.moves("linear")):
        return None
    share = constant((r.moves("response") / claimed.moves("response")).value[0, :-1])
    return share if share is not None and 0.0 < share < 0.5 else None


def looks_otherwise(d: Difference) -> bool:
    """True if the newest gradient counts otherwise against the older ones than claimed."""
    [first] = [part for part in d.anatomy.parts if part.name == "first moment"]
    return not first.as_claimed


def counted_steps(d: Difference) -> FloatArray | None:
    """Return the t that both corrections count in each step, or None if they do not count the same.

    A correction that is 1 but for rounding tells no t.
    """
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None:
        return None
    t = np.arange(1, T + 1)
    found = []
    for name, got, want in (
        ("b1", r.first_sums, claimed.first_sums),
        ("b2", r.second_sums, claimed.second_sums),
    ):
        b = r.hyper(name)
        with np.errstate(all="ignore"):
            found.append(np.log(1.0 - (1.0 - b**t) * want.value / got.value) / np.log(b))
    b1, b2 = found
    with np.errstate(all="ignore"):
        told, known = (np.isfinite(t) & (r.hyper(name) ** t > UNTOLD) for name, t in (("b1", b1), ("b2", b2)))
    same = known.all() and told[:2].all() and near(b1[told], b2[told]) and not near(b2, t)
    return b2 if same else None


def clock_ahead(d: Difference) -> int | None:
    """Return how far ahead of the claim's the clock is, if the claim with such a clock makes all steps."""
    r, claim, claimed = d.anatomy.readings, d.anatomy.claim, d.anatomy.claimed
    b2, t = r.hyper("b2"), np.arange(1, T + 1)
    if claim is None or claimed is None or not 0.0 < b2 < 1.0:
        return None
    with np.errstate(all="ignore"):
        sums = r.second_sums.value / claimed.second_sums.value
        ahead = np.log(1.0 - (1.0 - b2**t) / sums) / np.log(b2) - t
    if not np.isfinite(ahead).all() or not near(ahead, round(ahead[0])) or ahead[0] < 0.5:
        return None
    main, n = r.probes["main"], round(ahead[0])
    still = (np.zeros_like(p) for p in main.params)
    later = replace(main, start=tuple(Start(n, zero, zero, zero) for zero in still))
    other = readings_of_claim(claim, {"main": later}, r.dtype)
    return n if all(near_moves(r.moves(name), other.moves(name)) for name in ("linear", "normal")) else None


def decays_as_often(d: Difference, times: float) -> bool:
    """True if a decay that goes with lr takes so many times the share of p that is claimed."""
    claim, [made] = d.anatomy.claim, [part for part in d.anatomy.parts if part.name == "decay"]
    if claim is None or claim.decay != "decoupled" or not np.any(made.claimed["rate"].value):
        return False
    return near(made.values["rate"].value / made.claimed["rate"].value, times)


def sums(d: Difference) -> Words:
    """The words on weights that add up to another sum in all steps."""
    [made] = [part for part in d.anatomy.parts if part.name == "step"]
    if "power of lr" in made.differs:
        return step(Difference(d.anatomy, made))
    name = "first" if d.differs("sum of the first") else "second"
    got, want = d.values(f"sum of the {name}")
    what, b2 = "a step" if name == "first" else "v", d.anatomy.readings.hyper("b2")
    claim = d.anatomy.claim
    if name == "first" and "lr" in d.anatomy.lacks:
        lr = d.anatomy.readings.hyper("lr")
        text = f"lr is {number(lr * got[0] / want[0])} where {number(lr)} is claimed"
        return "hyperparameters", "STEP.1", text
    if name == "first" and decays_as_often(d, got[0] / want[0]):
        return "hyperparameters", "LR.1", f"lr counts {number(got[0] / want[0])} times, in steps and in decay"
    if name == "second" and claim is not None and claim.nesterov != "none" and near(got[0] / want[0], b2):
        return "nesterov", "NES.2", "the corrected v is multiplied by b2, as m is by b1 where it looks ahead"
    return "moments", "STEP.1", f"{what} is {number(got[0] / want[0])} times as large as claimed"

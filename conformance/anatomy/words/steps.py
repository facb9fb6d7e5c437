"""What to say of epsilon, a step, a clock or absence that is not as claimed."""

from __future__ import annotations

import numpy as np

from adamcore.conformance.anatomy.differences import Difference, Words, reversed_curve
from adamcore.conformance.anatomy.experiments import ABSENCE_STEPS, ABSENT, LATE, POWERS, SCALES, T
from adamcore.conformance.anatomy.facts import BESIDE, LARGER, NEAR, UNDER, Facts, near
from adamcore.conformance.anatomy.measured import Measured
from adamcore.conformance.anatomy.readings import Readings, readings_of_claim
from adamcore.conformance.anatomy.sweeps import SWEEPS
from adamcore.conformance.anatomy.texts import listed, number
from adamcore.conformance.rules import RULE_OF
from adamcore.conformance.types import FloatArray


def epsilon(d: Difference) -> Words:
    got = {name: float(np.ravel(value.value)[0]) for name, value in d.part.values.items()}
    forms = {BESIDE: "beside the root", UNDER: "under the root", LARGER: "as the least value of the root"}
    if Facts(d.anatomy.readings).is_sign:
        return "moments", "STEP.1", "all steps are of one size: the sign of the update alone counts"
    if words := start_of_second(d):
        return words
    if (still := unmoved(d)) is not None:
        return "moments", "NUM.2", f"a gradient of 2^{still} or less does not move p"
    if (top := shorter_step(d)) is not None:
        text = f"a gradient of 2^{top + 1} moves p less than one of 2^{top}: something small is taken for 0"
        return "moments", "NUM.2", text
    if is_of_signs(d):
        return "moments", "MOM.1", "of each gradient the sign alone counts, in both moments"
    if reversed_curve(d.part):
        if (least := least_kept(d)) is not None:
            text = f"gradients of 2^{least} and less make one step, and larger ones about that of the claim"
            return "storage", "MOM.4", f"{text}: moments have a least size"
        return "epsilon", "EPS.1", "a step does not shrink with its gradient, as if eps were not there"
    if d.differs("power") and abs(got["power"]) < NEAR:
        eps = d.anatomy.readings.hyper("eps", "response") * got["knee"]
        return "epsilon", "EPS.1", f"eps counts {number(eps)}, whatever it is"
    form = next((text for bend, text in forms.items() if near(got["bend"], bend)), "in no known form")
    if d.differs("bend", "power"):
        power = f", to the power {number(got['power'])}" if np.isfinite(got["power"]) else ""
        return "epsilon", "EPS.1", f"eps stands {form}{power}"
    steps = Measured(d.part.values["in step"].value / d.part.claimed["in step"].value)
    if np.isnan(steps.value).all():  # its experiment could not be run
        name = d.part.differs[0]
        return "epsilon", "EPS.1", d.beside(name, f"the curve of the first step has another {name}: ")
    return "epsilon", "EPS.1", f"eps counts {listed(steps.value)} times as claimed in steps 1, 2, ..."


def least_kept(d: Difference) -> int | None:
    """Return up to which power of two gradients make one short step where larger ones are roughly right."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None:
        return None
    got, want = (np.abs(each.curve("response").value[: len(POWERS)]) for each in (r, claimed))
    same = int(np.argmax(~np.isclose(got, got[0], rtol=NEAR)))
    right = np.abs(np.log2(got[same:] / want[same:])) < 0.5
    is_short = 0.0 < got[0] < 0.5 * float(np.max(want))
    return int(POWERS[same - 1]) if same > 3 and is_short and np.sum(right) > 4 else None


def is_of_signs(d: Difference) -> bool:
    """True if the claim makes the candidate's steps by the signs of the gradients."""
    r, claim = d.anatomy.readings, d.anatomy.claim
    if claim is None or r.why_not("main"):
        return False
    other = readings_of_claim(claim, {"main": r.probes["main"].each_gradient(np.sign)}, r.dtype)
    return all(near(r.moves(name).value, other.moves(name).value) for name in ("linear", "normal"))


def unmoved(d: Difference) -> int | None:
    """Return the power of two up to which gradients are taken for 0, or None."""
    got, want = (r.curve("response").value for r in (d.anatomy.readings, d.anatomy.claimed) if r is not None)
    lost = np.flatnonzero((got == 0) & (want != 0))
    return POWERS[int(lost[-1])] if len(lost) and got.any() else None


def shorter_step(d: Difference) -> int | None:
    """Return a power of two that makes a longer step than its double, from which on all are as claimed."""
    got, want = (r.curve("response").value for r in (d.anatomy.readings, d.anatomy.claimed) if r is not None)
    falls = np.flatnonzero((got[1:] < got[:-1] * (1.0 - NEAR)) & (want[1:] >= want[:-1]))
    if len(falls) == 0 or not near(got[falls[0] + 1 :], want[falls[0] + 1 :]):
        return None
    return POWERS[int(falls[0])]


def start_of_second(d: Difference) -> Words | None:
    """Return the words on a second moment or a maximum that does not start at 0.

    It counts as eps does, far below eps, and fades as a square does; a maximum stays.
    """
    readings, claim, claimed = d.anatomy.readings, d.anatomy.claim, d.anatomy.claimed
    assert claimed is not None
    b2 = readings.hyper("b2")
    with np.errstate(all="ignore"):
        excess = np.diag(claimed.linear.value[:, :T] / readings.linear.value[:, :T]) - 1.0
        fading = (excess[1:] / excess[:-1])[:6]
    if not np.all(np.isfinite(fading)) or np.any(excess[:6] < NEAR):
        return None
    t = np.arange(1, 8)
    root = np.sqrt((1.0 - b2 ** t[:-1]) / (1.0 - b2 ** t[1:]))
    size = number(float(excess[0]))
    if near(fading, np.sqrt(b2) * root[:6]) or near(fading, np.sqrt(b2)):
        return "moments", "MOM.3", f"v does not start at 0: in the first step its root is {size} times eps"
    stays = near(fading, root[:6]) or near(fading, 1.0)
    odd = min(abs(float(np.ravel(d.part.values["power"].value)[0]) - power) for power in (0.5, 1.0)) > NEAR
    if claim is not None and claim.amsgrad != "none" and stays and odd:
        return "amsgrad", "MOM.3", f"the maximum does not start at 0: its root is {size} times eps"
    return None


def is_lr_ignored(r: Readings) -> bool:
    """True if steps are the same with the smallest and with the largest lr tried."""
    tried = [name for name, sweep in SWEEPS.items() if sweep.name == "lr" and name in r.probes]
    moves = [r.moves(name) for name in tried]
    return len(moves) > 1 and moves[0].all_equal(moves[-1])


def is_decay_missing(d: Difference) -> bool:
    """True if nothing decays in the runs with decay, where the claim does."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None or any(np.any(r.moves(name).value) for name in ("decay", "decay-lr", "decay-wd")):
        return False
    return bool(np.any(claimed.moves("decay").value))


def step(d: Difference) -> Words:
    if d.differs("parameters"):  # which lr moves
        if (most := bound_of_parameters(d)) is not None:
            return "clipping", "NUM.5", f"parameters are cut to {number(most)}"
        return "moments", "STEP.1", d.beside("parameters", "a step depends on the size of the parameter: ")
    if d.differs("power of lr"):
        if is_lr_ignored(d.anatomy.readings):
            if is_decay_missing(d):
                return "hyperparameters", "LR.1", "lr and weight_decay count nowhere, whatever is given"
            return "schedule", "LR.1", "steps are the same with any lr"
        return "schedule", "LR.1", d.beside("power of lr", "a step goes with lr to the power ")
    got, want = d.values("changed lr")
    if (times := share_of_small(d)) is not None:
        text = f"an array alone takes steps far below eps that are {number(times)} times as large as claimed"
        return "layout", "STEP.1", f"{text}; beside others it does not"
    return "schedule", "LR.1", f"after lr was changed a step is {listed(got / want)} times as claimed"


def share_of_small(d: Difference) -> float | None:
    """Return how many times small gradients count in a run of one array; None if lr changes that, or not so.

    Beside other arrays they are as claimed, since parts before this one are.
    """
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None or r.why_not("lr"):
        return None
    small, large = (slice(0, 1), slice(2, 3))  # by their gradients in the first step
    share = (r.moves("lr") / claimed.moves("lr")).value
    times = float(share[0, 0])
    alike = near(share[:, small], times) and near(share[:, large], 1.0)
    return times if alike and not near(times, 1.0) else None


def bound_of_parameters(d: Difference) -> float | None:
    """Return the size that all parameters have after a step that is not as claimed, or None."""
    r = d.anatomy.readings
    got, want = d.values("parameters")
    after = np.concatenate([r.positions("scale", i)[1] for i in range(len(SCALES) + 1)])
    sizes = np.abs(after[np.abs(got - want) > NEAR * np.abs(want)])
    return float(sizes[0]) if len(sizes) and near(sizes, sizes[0]) else None


def is_unit_as_claimed(d: Difference) -> bool:
    """True if steps of one gradient are as claimed where nothing is averaged, and nothing corrected."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None or "long" not in r.probes or r.why_not("long"):
        return False
    if r.hyper("b1", "long") or r.hyper("b2", "long"):
        return False
    return all(r.moves("long", i).all_equal(claimed.moves("long", i)) for i in (0, 1))


def clock(d: Difference) -> Words:
    if not d.differs("late first", "late steps"):
        return lost_averages(d)
    name = "late first" if d.differs("late first") else "late steps"
    got, want = d.values(name)
    k = d.part.values[name].first(d.part.claimed[name]) or 0
    ratios = [np.divide(*d.values(each)) for each in ("late first", "late steps")]
    weight = ratios[0][-1]
    if near(ratios[0][k:], weight) and not near(weight, 1.0) and k + 1 < len(LATE) and is_unit_as_claimed(d):
        text = f"from step {LATE[k]} on the newest gradient counts {number(weight)} times as claimed"
        return "moments", "MOM.1", text
    if near(ratios[0], ratios[1]) and is_unit_as_claimed(d):
        if (words := of_newest(d, ratios[0], LATE[k])) is not None:
            return words
        text = f"from step {LATE[k]} on steps are {listed(ratios[0][k:])} times as large as claimed"
        return "bias_correction", "BC.1", f"{text}, but not where both betas are 0: the correction is another"
    if (words := of_one_moment(d, *ratios)) is not None:
        return words
    if near(ratios[0], ratios[1]):
        text = f"at step {LATE[k]} steps of any size are {listed(ratios[0][k:])} times as large as claimed"
        return "schedule", "LR.1", text
    t = np.array(LATE)[k:]
    uncorrected = 1.0 - d.anatomy.readings.hyper("b1", "late") ** t
    if near(ratios[0][k:], uncorrected):
        return "bias_correction", "BC.1", f"at step {t[0]} and after it nothing is corrected any more"
    text = f"at step {LATE[k]} the correction is not that of the clock: steps are {listed((got / want)[k:])}"
    return "clock", "CLK.3", f"{text} times as large as claimed"


def of_newest(d: Difference, ratio: FloatArray, t: int) -> Words | None:
    """The words on newest gradients that count otherwise from step t on, and constant ones hardly; or None.

    A correction makes all steps larger alike.
    """
    got, want = (values[LATE[-1] - 1] for values in d.values("late sums"))
    if abs(got / want - 1.0) > 0.25 * abs(ratio[-1] - 1.0):
        return None
    text = f"from step {t} on the newest gradient counts {listed(ratio)} times as claimed"
    return "moments", "MOM.1", f"{text}, and gradients that stay the same hardly do"


def of_one_moment(d: Difference, first: FloatArray, second: FloatArray) -> Words | None:
    """The words on late steps that are as claimed far below eps alone, or far above it alone; or None.

    A clock counts on both sides.

    Args:
        first, second: the steps by late impulses, relative to those claimed, far below eps and far above it.
    """
    if near(second, 1.0):
        return "epsilon", "EPS.1", f"far below eps, late steps are {listed(first)} times as large as claimed"
    if not near(first, 1.0):
        return None
    got, want = (values[np.array(LATE) - 1] for values in d.values("late shares"))
    text = f"far above eps, late steps are {listed(second)} times as large as claimed"
    if near(got / want, second):
        return "bias_correction", "BC.2", text
    return "moments", "MOM.2", f"{text}: v has other squares"


def lost_averages(d: Difference) -> Words:
    """The words on late steps that count the newest gradient as claimed, and all gradients together not.

    What multiplies a step is gone after it; an average that was lost fills again.
    """
    name = "late sums" if d.differs("late sums") else "late shares"
    k = d.part.values[name].first(d.part.claimed[name]) or 0
    got, want = d.values(name)
    ratio = got[k : k + 3] / want[k : k + 3]
    text = (
        f"from step {k + 1} on constant gradients make steps {listed(ratio)}, ... times as large as claimed"
    )
    first, second = (1.0 - d.anatomy.readings.hyper(b, "late") ** (k + 1) for b in ("b1", "b2"))
    if any(near(ratio[0], one) for one in (first, first / np.sqrt(second), 1.0 / np.sqrt(second))):
        return "bias_correction", "BC.1", f"{text}: the one of step {k + 1} is not corrected"
    if len(ratio) > 1 and near(ratio[1], 1.0):
        return "schedule", "LR.1", text
    return "moments", "MOM.1", f"{text}: a moment no longer has what it had"


def is_of_clock(d: Difference, share: float) -> bool:
    """True if steps that are so many times as large are those of another clock.

    That is the clock of a momentum's schedule, or of corrections beside an eps that is not corrected.
    """
    claim, r = d.anatomy.claim, d.anatomy.readings
    if claim is not None and claim.nesterov == "dozat":
        return True
    if claim is None or claim.epsilon != "outside-uncorrected" or claim.bias_correction != "both":
        return False
    t = np.arange(1, ABSENCE_STEPS + 1)
    sizes = np.sqrt(1.0 - r.hyper("b2", "absence") ** t) / (1.0 - r.hyper("b1", "absence") ** t)
    return any(near(share, float(other / own)) for own in sizes for other in sizes if other != own)


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
    got, want = d.values(f"newest of {name}")
    share = got / want
    # another clock changes small steps and large ones by different factors, if eps is corrected
    if near(share, share[0]) and not is_of_clock(d, float(share[0])):
        text = f"after steps without a gradient, a step is {number(share[0])} times as large as claimed"
        return "schedule", "LR.1", f"{text}, whatever its gradient"
    return "clock", "CLK.1", d.beside(f"newest of {name}", "after steps without a gradient, a step is ")

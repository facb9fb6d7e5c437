"""What to say of parameters that become NaN or infinite."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from adamcore.conformance.anatomy.differences import Difference, Words
from adamcore.conformance.anatomy.ordinary import CLOCKS
from adamcore.conformance.anatomy.readings import Readings, readings_of_claim

LATER = f"clock-{CLOCKS[0]}"  #: the run of steps from a given state


def not_finite(d: Difference) -> Words:
    """The words on a p that becomes NaN or infinite: by every gradient, or by a large one alone."""
    r, claim = d.anatomy.readings, d.anatomy.claim
    if is_as_claimed_without_averages(d):
        if np.isfinite(r.moves("linear").value).all():  # a correction spoils steps of any size
            text = (
                "gradients of 2^40 make p NaN or infinite, but not where both betas are 0: a moment overflows"
            )
            return "moments", "MOM.1", text
        text = "p becomes NaN or infinite, but not where both betas are 0: a correction is 0"
        return "bias_correction", "BC.1", text
    linear = np.isfinite(r.moves("linear").value)
    if linear[0, 0] and not linear.all():
        return "moments", "MOM.2", "p becomes NaN in later steps: a root of what is below 0"
    if linear[0, 0]:
        return "mixed_precision", "NUM.1", "a gradient of 2^40 makes p NaN or infinite"
    unit = r.moves("unit", 1).value if "unit" in r.probes else np.zeros(1)
    if np.isnan(unit[0]).any() and is_a_step_behind(d):
        return "clock", "CLK.2", "any gradient makes p NaN: the clock is a step behind, and 0 at first"
    if np.isnan(unit[0]).any() and not r.why_not("unit"):
        text = "any gradient makes p NaN"
        if is_finite_later(r) and np.isnan(r.moves("decay-none").value[0]).any():  # 0/0 without a gradient
            text = f"{text}, but not after step {CLOCKS[0]}: a correction is 0 in the first step"
            return "bias_correction", "BC.1", text
        if was_run_later(r):
            return "moments", "MOM.2", f"{text}, also where both betas are 0: a root of what is below 0"
        return "bias_correction", "BC.1", f"{text}, also where both betas are 0, as a correction of 0 does"
    if np.isfinite(unit).all() and unit.any():
        return "moments", "MOM.2", "p becomes NaN or infinite, but not where both betas are 0"
    if claim is not None and claim.nesterov == "dozat":
        return "nesterov", "NES.1", "any gradient makes p NaN or infinite: the look-ahead divides by 0"
    return (
        "bias_correction",
        "BC.1",
        "any gradient makes p NaN or infinite: what a step is divided by is none",
    )


def is_a_step_behind(d: Difference) -> bool:
    """True if steps from a given state are those of the claim whose clock is one less."""
    r, claim = d.anatomy.readings, d.anatomy.claim
    if claim is None or not was_run_later(r):
        return False
    [start] = r.probes[LATER].start
    behind = replace(r.probes[LATER], start=(replace(start, t=start.t - 1),))
    return r.moves(LATER).all_equal(readings_of_claim(claim, {LATER: behind}, r.dtype).moves(LATER))


def was_run_later(r: Readings) -> bool:
    """True if there are steps from a given state."""
    return LATER in r.probes and not r.why_not(LATER)


def is_finite_later(r: Readings) -> bool:
    """True if steps from a given state are finite."""
    return was_run_later(r) and bool(np.isfinite(r.moves(LATER).value).all())


def is_as_claimed_without_averages(d: Difference) -> bool:
    """True if steps of the same gradients are as claimed where nothing is averaged and nothing corrected."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None or "unit" not in r.probes or r.why_not("unit"):
        return False
    averages = r.hyper("b1", "unit") or r.hyper("b2", "unit")
    return not averages and r.moves("unit", 1).all_equal(claimed.moves("unit", 1))

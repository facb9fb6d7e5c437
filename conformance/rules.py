"""The rules of docs/spec.md in a finding's words: what each asks, and the area that it belongs to.

An area is the part of Adam that a finding calls wrong: an axis, or another word such as "moments".
"""

from __future__ import annotations

from typing import Any

SAYS = {
    "MOM.1": "m = b1*m + (1-b1)*g",
    "MOM.2": "v = b2*v + (1-b2)*g*g",
    "MOM.3": "moments start at 0",
    "MOM.4": "moments are kept in the parameter's dtype, or the one that was asked for",
    "BC.1": "m_hat = m / (1-b1**t)",
    "BC.2": "v_hat = v / (1-b2**t)",
    "BC.4": "1-b**t with the step's own b, where b changes",
    "BC.3": "corrected moments are not written back to the state",
    "EPS.1": "eps stands beside the root: sqrt(v_hat) + eps",
    "STEP.1": "p = p - lr * m_hat / (sqrt(v_hat) + eps), in every element",
    "STEP.2": "a step calls its closure once, and steps by the gradients that it leaves",
    "DEC.1": "decay of every parameter, by weight_decay",
    "DEC.2": "decoupled decay, multiplied by the lr of the step",
    "DEC.6": "decay of the elements that the step does not move away from 0, or of all, as the claim says",
    "DEC.7": "decoupled decay, multiplied by lr/lr_max",
    "DEC.8": "decoupled decay, multiplied by lr*lr/lr_max",
    "MAX.1": "maximize negates the gradient, before anything else",
    "AMS.1": "v_max = max(v_max, v) stands under the root",
    "NES.1": "the look-ahead of the claim, with its schedule and its corrections",
    "CLK.1": "each parameter has its own clock, unless the clock is global",
    "CLK.2": "the first update is t=1, the next t=2",
    "CLK.3": "the clock counts to 2**31-1 at the least",
    "LR.1": "a step uses the lr it is given",
    "LR.2": "lr=0 is a step: moments and clock go on",
    "LR.3": "a step uses the hyperparameters that it is given",
    "LR.4": "a step uses the hyperparameters of each parameter's own group",
    "LR.5": "a step decays by the weight_decay that it is given",
    "CPX.1": "real and imaginary parts are two real parameters, or share |g|**2, as the claim says",
    "NF.1": "a NaN or infinity in a gradient spoils its element",
    "NUM.1": "arithmetic and state in the precision of the parameter, float32 at the least",
    "NUM.2": "what is small is not flushed or floored above where it underflows",
    "NUM.4": "b1, b2 and what is formed of them are rounded once, to the working precision",
    "NUM.5": "every element is stepped by the formula, and nothing else is done to it",
    "CPX.3": "a complex gradient is taken as it is given",
    "EPS.5": "eps_root stands under the root, beside v_hat",
    "NF.2": "what is not finite reaches no other element",
    "F1": "an absent gradient leaves parameter, moments and clock as they are",
    "F2": "a zero gradient is a gradient",
    "STATE.2": "inputs are left as they were",
    "STATE.3": "no state is shared between optimizers",
    "STATE.4": "a run resumed from its saved state goes on bit for bit",
}
"""For each rule, what it asks in a line."""

RULE_OF: dict[str, dict[Any, str]] = {
    "epsilon": {
        "outside-corrected": "EPS.1", "outside-uncorrected": "EPS.2",
        "inside-corrected": "EPS.3", "inside-uncorrected": "EPS.4",
    },
    "bias_correction": {"both": "BC.1", "first": "BC.2", "second": "BC.1", "none": "BC.1"},
    "decay": {
        "l2": "DEC.1", "decoupled": "DEC.2", "decoupled-unscaled": "DEC.3", "decoupled-corrected": "DEC.4",
        "decoupled-relative": "DEC.7", "decoupled-squared": "DEC.8",
    },
    "decay_order": {"before": "DEC.5", "after": "DEC.5"},
    "cautious_decay": {False: "DEC.6", True: "DEC.6"},
    "amsgrad": {"none": "AMS.1", "uncorrected": "AMS.1", "corrected": "AMS.2"},
    "nesterov": {"none": "NES.1", "dozat": "NES.1", "optax": "NES.2", "same-t": "NES.3"},
    "missing": {"skip": "F1", "zero": "F1", "error": "F1"},
    "clock": {"per-parameter": "CLK.1", "global": "CLK.1"},
    "all_missing": {"tick": "CLK.4", "hold": "CLK.4", "error": "CLK.4"},
    "maximize": {False: "MAX.1", True: "MAX.1"},
    "complex": {"componentwise": "CPX.1", "modulus": "CPX.2"},
    "coefficients": {"double": "NUM.4", "working": "NUM.4", "running": "NUM.4"},
}  # fmt: skip
"""For each value on an axis, the rule that it stands for."""

AREA_OF = {
    "STEP": "moments", "MOM": "moments", "EPS": "epsilon", "BC": "bias_correction", "DEC": "decay",
    "AMS": "amsgrad", "NES": "nesterov", "MAX": "maximize", "CPX": "complex", "F1": "missing",
    "F2": "zero_gradient", "F3": "missing", "F5": "clock", "F6": "all_missing", "LR": "schedule",
    "STEP.2": "closure", "LR.4": "groups",
    "NUM.2": "moments", "NUM.3": "moments", "NUM.4": "coefficients", "NF": "nonfinite",
    "STEP.1/shapes": "layout", "STEP.1/long": "layout",
    "STEP.1/fortran": "layout", "STEP.1/strided": "layout", "STEP.1/offset": "layout",
    "STEP.1/reversed": "layout", "STEP.1/chunks": "layout", "STEP.1/slots": "layout", "STEP.1/many": "layout",
     "STEP.1/broadcast": "layout",
    "STATE.2": "aliasing", "STATE.3": "isolation", "STATE.4": "state", "CLK": "clock",
}  # fmt: skip
"""The area of a probe, a rule or a family of rules, for findings that know no more than the probe."""


def area_of(probe: str) -> str:
    """Return the area of a probe: its own, that of its rule, or that of the rule's family.

    >>> area_of("STEP.1/long"), area_of("EPS.1/beside-small-root")
    ('layout', 'epsilon')
    """
    rule = probe.split("/")[0]
    return AREA_OF.get(probe) or AREA_OF.get(rule) or AREA_OF[rule.split(".")[0]]

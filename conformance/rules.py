"""The rules of docs/spec.md in a finding's words: what each asks, the values on axes, and the areas.

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
    "STEP.2": "a step calls its closure once, steps by the gradients that it leaves and returns its loss",
    "STEP.3": "a step that is compiled is compiled once, for all clocks and rates",
    "SCALE.1": "the loss scale divides the gradient, before anything else",
    "SCALE.2": "a skipped step leaves parameters, moments and clocks as they are",
    "CLIP.1": "what is clipped is the gradient without its loss scale and before all else",
    "CLIP.2": "all gradients are scaled down to their largest norm together, and else left as they are",
    "CLIP.3": "each gradient is scaled down to its own largest norm, and else left as it is",
    "CLIP.4": "each number of a gradient is brought to the largest size, and else left as it is",
    "CLIP.5": "the norm is formed in float32 at the least, and of what is finite alone",
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
    "F5": "a parameter that thaws goes on from where it stood, by its own clock",
    "STORE.1": "a 16-bit parameter and its rest in the state are one value, from which the next step goes on",
    "STORE.2": "p is the value rounded to the nearest, and the state keeps the value in float32",
    "STORE.3": "p and the bits that it lost are the value",
    "STORE.4": "p and the 8 bits that it lost are the value to 16 digits",
    "STORE.5": "p + p_rest is the value, rounded to the nearest twice",
    "STORE.6": "p is one of the two numbers next to the value, each as probable as the value is near to it",
    "STORE.7": "each element of each parameter has random bits of its own in every step",
    "STORE.8": "what the state keeps of a parameter stays with it",
    "STORE.9": "moments are kept as codes and scales of blocks where 8 bits are claimed, else as numbers",
    "STORE.15": "a code stands for the number next to the moment, and a v that is not 0 never for 0",
    "STORE.16": "a moment is one of the two numbers next to its value, by random bits of its own",
    "STATE.1": "a state has the moments of each parameter, and the number of its steps",
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

AXIS_SAYS: dict[str, dict[Any, str]] = {
    "epsilon": {
        "outside-corrected": "eps stands beside the root of the corrected v: sqrt(v_hat) + eps",
        "outside-uncorrected": "eps stands beside the root before v is corrected: "
        "(sqrt(v) + eps) / sqrt(1-b2**t)",
        "inside-corrected": "eps stands under the root, beside the corrected v: sqrt(v_hat + eps)",
        "inside-uncorrected": "eps stands under the root before v is corrected: sqrt((v + eps) / (1-b2**t))",
    },
    "bias_correction": {
        "both": "both moments are corrected", "first": "only the first moment is corrected",
        "second": "only the second moment is corrected", "none": "no moment is corrected",
    },
    "decay": {
        "l2": "decay is L2: weight_decay*p is added to the gradient",
        "decoupled": "decay is decoupled: p loses lr*weight_decay*p",
        "decoupled-unscaled": "decay is decoupled and not multiplied by lr: p loses weight_decay*p",
        "decoupled-corrected": "decay is decoupled and multiplied by the corrected lr: "
        "p loses lr*sqrt(1-b2**t)/(1-b1**t)*weight_decay*p",
        "decoupled-relative": "decay is decoupled and relative to the largest lr: "
        "p loses lr/lr_max*weight_decay*p",
        "decoupled-squared": "decay is decoupled and goes with lr twice: p loses lr*lr/lr_max*weight_decay*p",
    },
    "decay_order": {
        "before": "the parameter decays before the step", "after": "the parameter decays after the step",
    },
    "cautious_decay": {
        False: "every element decays", True: "only elements decay that the step does not move away from 0",
    },
    "amsgrad": {
        "none": "v itself stands under the root, no maximum",
        "uncorrected": "the largest v stands under the root, corrected after the maximum",
        "corrected": "the largest corrected v stands under the root",
    },
    "nesterov": {
        "none": "a step does not look ahead", "dozat": "a step looks ahead with Dozat's momentum schedule",
        "optax": "a step looks ahead, corrected for the step to come",
        "same-t": "a step looks ahead, with one correction for m and g",
    },
    "missing": {
        "skip": "an absent gradient leaves its parameter, moments and clock as they are",
        "zero": "an absent gradient counts as a zero gradient", "error": "an absent gradient is an error",
    },
    "clock": {
        "per-parameter": "each parameter has its own clock", "global": "one clock serves all parameters",
    },
    "all_missing": {
        "tick": "the global clock ticks in a step without any gradient",
        "hold": "the global clock holds in a step without any gradient",
        "error": "a step without any gradient is an error",
    },
    "maximize": {False: "p goes down along the gradient", True: "p goes up along the gradient"},
    "complex": {
        "componentwise": "real and imaginary parts are stepped as two real parameters",
        "modulus": "real and imaginary parts share one second moment, of |g|**2",
    },
    "coefficients": {
        "double": "1-b**t and the other coefficients are formed in double and rounded once",
        "working": "1-b**t and the other coefficients are formed in the parameters' dtype",
        "running": "1-b**t is formed from a running product of b",
    },
}  # fmt: skip
"""For each value on an axis, what a candidate does that has it."""


AFTER_OTHERS = "the same run comes out otherwise after other runs"  #: what nothing within a run does
NOTHING = "nothing moves"  #: a step that is not made
UNTIL_CHANGED = "nothing moves until the learning rate is changed"  #: what no value of lr does


def said(text: str) -> str:
    """Return what a finding says of an axis in words, and anything else as it is.

    >>> said("clock=global"), said("m is not corrected")
    ('one clock serves all parameters', 'm is not corrected')
    """
    axis, _, value = text.partition("=")
    return next((words for key, words in AXIS_SAYS.get(axis, {}).items() if str(key) == value), text)


AREA_OF = {
    "STEP": "moments", "MOM": "moments", "EPS": "epsilon", "BC": "bias_correction", "DEC": "decay",
    "AMS": "amsgrad", "NES": "nesterov", "MAX": "maximize", "CPX": "complex", "F1": "missing",
    "F2": "zero_gradient", "F3": "missing", "F5": "clock", "F5/requires-grad": "missing",
    "F6": "all_missing", "LR": "schedule",
    "STEP.2": "closure", "STEP.3": "compilation", "SCALE": "loss_scale", "CLIP": "clipping", "LR.4": "groups",
    "NUM.1": "mixed_precision", "MOM.4": "mixed_precision",
    "NUM.2": "moments", "NUM.3": "moments", "NUM.4": "coefficients",
    "NF": "nonfinite",
    "STEP.1/shapes": "layout", "STEP.1/long": "layout",
    "STEP.1/fortran": "layout", "STEP.1/strided": "layout", "STEP.1/offset": "layout",
    "STEP.1/reversed": "layout", "STEP.1/chunks": "layout", "STEP.1/slots": "layout", "STEP.1/many": "layout",
     "STEP.1/broadcast": "layout",
    "STORE": "storage", "STATE.2": "aliasing", "STATE.3": "isolation", "STATE.4": "state", "CLK": "clock",
}  # fmt: skip
"""The area of a probe, a rule or a family of rules, for findings that know no more than the probe."""


def area_of(probe: str) -> str:
    """Return the area of a probe: its own, that of its rule, or that of the rule's family.

    >>> area_of("STEP.1/long"), area_of("EPS.1/beside-small-root")
    ('layout', 'epsilon')
    """
    rule = probe.split("/")[0]
    return AREA_OF.get(probe) or AREA_OF.get(rule) or AREA_OF[rule.split(".")[0]]

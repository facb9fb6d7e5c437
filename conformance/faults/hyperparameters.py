"""Hyperparameters that are ignored, rounded, limited or exchanged, and learning rates that lag."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from adamcore.coefficients import Host
from adamcore.conformance.faults import _inputs, _scalars, _updates
from adamcore.conformance.oracle.perturbation import Fault, StepContext, UpdateInput, UpdateOutput
from adamcore.definition import Coefficients, coefficients

RULES = {
    "lr": "STEP.1", "b1": "MOM.1", "b2": "MOM.2", "eps": "EPS.1", "weight_decay": "DEC.1",
    "momentum_decay": "NES.1",
}  # fmt: skip
BITS = {"float32": 24, "bfloat16": 8, "float16": 11}


def hard_coded() -> Iterator[Fault]:
    """Yield faults that ignore a hyperparameter and use a constant found in real code."""
    values = {
        "lr": (1e-3, 1e-2, 0.0, 1.0),
        "b1": (0.9, 0.0),
        "b2": (0.999, 0.99, 0.95, 0.98, 0.0),
        "eps": (1e-8, 1e-7, 1e-6, 1e-10, 1e-5, 1e-3, 0.0),
        "weight_decay": (0.0, 1e-2, 1e-4, 0.1),
    }
    for name, constants in values.items():
        for value in constants:
            nothing_decays = name == "weight_decay" and value == 0.0
            yield Fault(
                f"{name}-is-{value:g}",
                "decay" if nothing_decays else "hyperparameters",
                RULES[name],
                f"{name} is ignored; {value:g} is used",
                **_inputs.on_hyper(partial(_inputs.set_to, name, value)),
            )
    for value in (1.0, 4e-3, 0.0):
        yield Fault(
            f"momentum_decay-is-{value:g}",
            "hyperparameters",
            RULES["momentum_decay"],
            f"momentum_decay is ignored; {value:g} is used",
            **_inputs.on_hyper(partial(_inputs.momentum_decay, value)),
        )


def zero_is_none() -> Iterator[Fault]:
    """Yield faults that take 0 for "not given"."""
    for name, value in (("b1", 0.9), ("b2", 0.999), ("weight_decay", 0.01), ("eps", 1e-8)):
        yield Fault(
            f"{name}-or-{value:g}",
            "hyperparameters",
            RULES[name],
            f"{name}=0 is taken for not given: {value:g} is used",
            **_inputs.on_hyper(partial(_inputs.unless_zero, name, value)),
        )


def rounding() -> Iterator[Fault]:
    """Yield faults that round hyperparameters to a narrow dtype, those that round the fewest first."""
    betas = ("b1", "b2")
    for names, what in (
        (("lr",), "lr is"), (("eps",), "eps is"), (("weight_decay",), "weight_decay is"),
        (("b1",), "b1 is"), (("b2",), "b2 is"), (betas, "b1 and b2 are"),
        (("lr", *betas, "eps", "weight_decay"), "all hyperparameters are"),
    ):  # fmt: skip
        for dtype in BITS:
            probe = partial(_inputs.narrowed, names, dtype)
            area = {"eps is": "epsilon", "weight_decay is": "decay"}.get(what, "hyperparameters")
            rule = RULES[names[0]] if len(names) == 1 else "NUM.4"
            yield Fault(
                f"{'-'.join(names)}-{dtype}",
                area,
                rule,
                f"{what} rounded to {dtype}",
                probe=probe,
            )


def decays_in_float32(c: Coefficients, n: Any, at: StepContext) -> Coefficients:
    """Form the factor 1 - lr*weight_decay in float32."""
    if c.decay is None or at.adam.decay != "decoupled" or at.adam.cautious_decay:
        return c
    one, lr, decay = np.float32(1.0), np.float32(at.lr), np.float32(at.adam.weight_decay)
    kept = float(one - lr * decay)
    return c._replace(keep_p=n.number(kept), decay=n.number(1.0 - kept))


def limits() -> Iterator[Fault]:
    for top in (0.1, 1e-2, 1.0, 1e-3):
        yield Fault(
            f"lr-capped-{top:g}",
            "hyperparameters",
            "STEP.1",
            f"lr is {top:g} at the most",
            probe=partial(_inputs.with_lr, partial(min, top)),
        )
    for low in (1e-6, 1e-8, 1e-7, 1e-5, 1e-4, 1e-10, 1e-12):
        yield Fault(
            f"eps-floored-{low:g}",
            "hyperparameters",
            "EPS.1",
            f"eps is {low:g} at the least",
            **_inputs.on_hyper(partial(_inputs.at_least, "eps", low)),
        )


def forgets(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Start moments and clock anew when lr changes."""
    inputs.memory.setdefault("seen", at.adam.lr)
    return forgets_at_change(at.lr, at, c, inputs)


def forgets_at_change(seen: object, at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Start moments and clock anew when ``seen`` is not what it was in the step before."""
    _updates.require(at.adam.nesterov != "dozat")
    memory = inputs.memory
    if memory.get("seen", seen) != seen:
        zero = 0.0 * inputs.v
        inputs = inputs._replace(parts=[(p, g, zero) for p, g, _ in inputs.parts], v=zero, v_max=zero)
        memory["before"] = at.t - 1
    memory["seen"] = seen
    return _updates.as_defined(
        at, coefficients(Host(), at.adam, at.t - memory.get("before", 0), at.lr), inputs
    )


def divides(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Divide by lr somewhere, so that lr=0 gives NaN."""
    after, v, v_max = _updates.as_defined(at, c, inputs)
    return [(p if at.lr else np.nan * p, m) for p, m in after], v, v_max


def changed() -> Iterator[Fault]:
    """Settings other than lr that change between steps, and are read once, or late."""
    several = ("b1", "b2", "eps", "eps_root", "weight_decay", "momentum_decay")
    for names, what in (
        (("weight_decay",), "weight_decay"), (("b1", "b2"), "betas"), (("b1",), "b1"), (("b2",), "b2"),
        (("eps",), "eps"), (several, "hyperparameters"),
    ):  # fmt: skip
        for how, change, seen in (
            ("kept", _inputs.kept, "is ignored: the first value is used"),
            ("late", _inputs.late, "takes effect one step late"),
        ):
            yield Fault(f"{what}-{how}", "schedule", "LR.3", f"a change of {what} {seen}",
                        **_inputs.on_steps(partial(change, names)))  # fmt: skip
    yield Fault("all-kept", "schedule", "LR.3", "a change of lr or of another hyperparameter is ignored",
                **_inputs.on_steps(_inputs.all_kept))  # fmt: skip
    yield Fault("corrections-by-product", "bias_correction", "BC.4",
                "1-b**t is formed with the product of all betas so far, not with the step's own",
                update=partial(corrected_with, by_product))  # fmt: skip
    yield Fault("corrections-by-first", "bias_correction", "BC.4",
                "1-b**t is formed with the betas of the first step",
                update=partial(corrected_with, by_first))  # fmt: skip


def forgets_settings(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Start moments and clock anew when a hyperparameter other than lr changes."""
    settings = at.adam.b1, at.adam.b2, at.adam.eps, at.adam.weight_decay
    return forgets_at_change(settings, at, c, inputs)


Powers = Callable[[dict[str, Any], StepContext], tuple[float, float]]


def corrected_with(powers: Powers, at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """The step with b1**t and b2**t as ``powers`` gives them."""
    _updates.require(at.adam.bias_correction == "both" and at.adam.nesterov == "none")
    c1, c2 = (1.0 - power for power in powers(inputs.memory, at))
    return _updates.as_defined(
        at, c._replace(step_m=at.lr / c1, square=c2, over_root=1.0 / np.sqrt(c2)), inputs
    )


def by_product(memory: dict[str, Any], at: StepContext) -> tuple[float, float]:
    betas = at.adam.b1, at.adam.b2
    before = memory.get("product", [b ** (at.t - 1) for b in betas])
    memory["product"] = [power * b for power, b in zip(before, betas, strict=True)]
    b1, b2 = memory["product"]
    return b1, b2


def by_first(memory: dict[str, Any], at: StepContext) -> tuple[float, float]:
    b1, b2 = memory.setdefault("first", (at.adam.b1, at.adam.b2))
    return b1**at.t, b2**at.t


SCHEDULE: tuple[Fault, ...] = (
    Fault("lr-kept", "schedule", "LR.1", "a changed lr is ignored", **_inputs.on_steps(_inputs.lr_kept)),
    Fault("lr-late", "schedule", "LR.1", "a changed lr takes effect one step late",
          **_inputs.on_steps(_inputs.lr_late)),
    Fault("lr-once", "schedule", "LR.1", "only the first change of lr is taken",
          **_inputs.on_steps(_inputs.lr_once)),
    Fault("lr-multiplied", "schedule", "LR.1", "a changed lr is multiplied on to the old one",
          **_inputs.on_steps(_inputs.lr_multiplied)),
    Fault("lr-zero-none", "schedule", "LR.2", "lr=0 is taken for not given: the old one is used",
          **_inputs.on_steps(_inputs.lr_zero_none)),
    Fault("lr-zero-skips", "schedule", "LR.2", "with lr=0 the step is skipped",
          **_inputs.on_steps(_inputs.lr_zero_skips)),
    Fault("lr-divides", "schedule", "LR.2", "with lr=0 the parameter becomes NaN", update=divides),
    Fault("lr-forgets", "schedule", "LR.1", "a changed lr starts moments and clock anew", update=forgets),
    Fault("settings-forget", "schedule", "LR.3", "a change of hyperparameters starts moments and clock anew",
          update=forgets_settings),
    *changed(),
)  # fmt: skip

HYPERPARAMETERS: tuple[Fault, ...] = (
    Fault("betas-swapped", "hyperparameters", "MOM.1", "b1 and b2 are swapped",
          **_inputs.on_hyper(_inputs.swapped)),
    Fault("b1-complement", "hyperparameters", "MOM.1", "1-b1 is taken for b1",
          **_inputs.on_hyper(partial(_inputs.one_minus, "b1"))),
    Fault("b2-complement", "hyperparameters", "MOM.2", "1-b2 is taken for b2",
          **_inputs.on_hyper(partial(_inputs.one_minus, "b2"))),
    *rounding(),
    Fault("decay-in-float32", "decay", "NUM.4", "1 - lr*weight_decay is formed in float32",
          coefficients=decays_in_float32),
    Fault("lr-kept-in-float32", "hyperparameters", "STEP.1",
          "lr is kept in float32, and 1 - lr*weight_decay is formed in it",
          probe=partial(_inputs.narrowed, ("lr",), "float32"), coefficients=decays_in_float32),
    *zero_is_none(),
    *hard_coded(),
    *limits(),
    Fault("lr-squared", "hyperparameters", "STEP.1", "lr is applied twice",
          coefficients=partial(_scalars.step_changed, lambda x, at: x * at.lr)),
)  # fmt: skip

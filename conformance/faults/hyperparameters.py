"""Hyperparameters that are ignored, rounded, limited or exchanged, and learning rates that lag."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from adamcore.conformance.faults import _inputs, _scalars
from adamcore.conformance.oracle.perturbation import Fault

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
            yield Fault(
                f"{name}-is-{value:g}",
                "hyperparameters",
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
            rule = RULES[names[0]] if len(names) == 1 else "NUM.4"
            yield Fault(
                f"{'-'.join(names)}-{dtype}",
                "hyperparameters",
                rule,
                f"{what} rounded to {dtype}",
                probe=probe,
            )


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


HYPERPARAMETERS: tuple[Fault, ...] = (
    Fault("betas-swapped", "hyperparameters", "MOM.1", "b1 and b2 are swapped",
          **_inputs.on_hyper(_inputs.swapped)),
    Fault("b1-complement", "hyperparameters", "MOM.1", "1-b1 is taken for b1",
          **_inputs.on_hyper(partial(_inputs.one_minus, "b1"))),
    Fault("b2-complement", "hyperparameters", "MOM.2", "1-b2 is taken for b2",
          **_inputs.on_hyper(partial(_inputs.one_minus, "b2"))),
    *rounding(),
    *zero_is_none(),
    *hard_coded(),
    *limits(),
    Fault("lr-squared", "hyperparameters", "STEP.1", "lr is applied twice",
          coefficients=partial(_scalars.step_changed, lambda x, at: x * at.lr)),
)  # fmt: skip

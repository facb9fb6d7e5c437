"""The faults people make, each with the rule it breaks; bug trackers have all of these."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from adamcore.conformance.faults import Fault, formed, seen
from adamcore.conformance.probe import FloatArray, Probe


def on_hyper(change: Callable[[dict[str, float]], dict[str, float]]) -> dict[str, Any]:
    return {"probe": partial(seen.with_hyper, change)}


def on_steps(change: Callable[[seen.Steps, Probe], seen.Steps]) -> dict[str, Any]:
    return {"probe": partial(seen.with_steps, change)}


def on_gradients(change: Callable[[FloatArray], FloatArray]) -> dict[str, Any]:
    return on_steps(partial(seen.each_gradient, change))


def hard_coded() -> Iterator[Fault]:
    """A hyperparameter that is ignored, with the values found in the wild."""
    values = {
        "lr": (1e-3, 1e-2, 0.0, 1.0),
        "b1": (0.9, 0.0),
        "b2": (0.999, 0.99, 0.95, 0.98, 0.0),
        "eps": (1e-8, 1e-7, 1e-6, 1e-10, 1e-5, 1e-3, 0.0),
        "weight_decay": (0.0, 1e-2, 1e-4, 0.1),
    }
    rules = {"lr": "STEP.1", "b1": "MOM.1", "b2": "MOM.2", "eps": "EPS.1", "weight_decay": "DEC.1"}
    for name, constants in values.items():
        for value in constants:
            yield Fault(
                f"{name}-is-{value:g}",
                "hyperparameters",
                rules[name],
                f"{name} is ignored; {value:g} is used",
                **on_hyper(partial(seen.set_to, name, value)),
            )


def clipping() -> Iterator[Fault]:
    for limit in (1.0, 0.5, 5.0, 10.0, 0.1):
        for kind, change in (
            ("element by element at", on_gradients(partial(seen.by_value, limit))),
            ("by each tensor's norm at", on_gradients(partial(seen.by_norm, limit))),
            ("by the norm of all at", on_steps(partial(seen.by_global_norm, limit))),
        ):
            yield Fault(
                f"clipped-{kind[:10]}-{limit:g}",
                "clipping",
                "STEP.1",
                f"gradients are clipped {kind} {limit:g}",
                **change,
            )


def stopping() -> Iterator[Fault]:
    for last in (1, 2, 5, 10, 20, 50, 100, 128, 256):
        area = ("bias_correction", "BC.1") if last not in (128, 256) else ("clock", "CLK.3")
        yield Fault(
            f"clock-stops-at-{last}",
            *area,
            "the step count of the correction stays at 1"
            if last == 1
            else f"the step count of the correction stops at {last}",
            clock=lambda t, calls, step, last=last: min(t, last),  # type: ignore[misc]
        )


FAULTS: tuple[Fault, ...] = (
    Fault(
        "betas-swapped",
        "hyperparameters",
        "MOM.1",
        "b1 and b2 are swapped",
        **on_hyper(seen.swapped),
    ),
    Fault(
        "b1-complement",
        "hyperparameters",
        "MOM.1",
        "1-b1 is taken for b1",
        **on_hyper(partial(seen.one_minus, "b1")),
    ),
    Fault(
        "b2-complement",
        "hyperparameters",
        "MOM.2",
        "1-b2 is taken for b2",
        **on_hyper(partial(seen.one_minus, "b2")),
    ),
    Fault(
        "betas-bfloat16",
        "hyperparameters",
        "NUM.4",
        "b1 and b2 are rounded to bfloat16",
        **on_hyper(partial(seen.coarse, 8)),
    ),
    Fault(
        "betas-float16",
        "hyperparameters",
        "NUM.4",
        "b1 and b2 are rounded to float16",
        **on_hyper(partial(seen.coarse, 11)),
    ),
    *hard_coded(),
    Fault("eps-squared", "epsilon", "EPS.1", "eps is squared", **on_hyper(seen.squared_eps)),
    Fault(
        "eps-subtracted", "epsilon", "EPS.1", "eps is subtracted from the root", tweak=formed.eps_subtracted
    ),
    Fault("eps-twice", "epsilon", "EPS.1", "eps stands under the root and beside it", tweak=formed.eps_twice),
    Fault("eps-times-lr", "epsilon", "EPS.1", "eps is multiplied by lr", tweak=formed.eps_times_lr),
    Fault(
        "w1-missing",
        "moments",
        "MOM.1",
        "the gradient enters m with weight 1, not 1-b1",
        tweak=partial(formed.unweighted, "w1"),
    ),
    Fault(
        "w2-missing",
        "moments",
        "MOM.2",
        "the squared gradient enters v with weight 1, not 1-b2",
        tweak=partial(formed.unweighted, "w2"),
    ),
    Fault("b1-for-both", "moments", "MOM.2", "v forgets with b1", tweak=partial(formed.same_beta, "b1")),
    Fault("b2-for-both", "moments", "MOM.1", "m forgets with b2", tweak=partial(formed.same_beta, "b2")),
    Fault(
        "root-missing",
        "bias_correction",
        "BC.2",
        "the root is divided by 1-b2**t, not by its root",
        tweak=formed.root_missing,
    ),
    Fault(
        "root-times",
        "bias_correction",
        "BC.2",
        "the root is multiplied with the correction",
        tweak=formed.root_times,
    ),
    Fault(
        "corrections-swapped",
        "bias_correction",
        "BC.1",
        "b1 corrects v and b2 corrects m",
        tweak=formed.corrections_swapped,
    ),
    Fault(
        "corrections-b1",
        "bias_correction",
        "BC.2",
        "b1 corrects both moments",
        tweak=partial(formed.one_correction, "b1"),
    ),
    Fault(
        "corrections-b2",
        "bias_correction",
        "BC.1",
        "b2 corrects both moments",
        tweak=partial(formed.one_correction, "b2"),
    ),
    *(
        Fault(
            f"root-at-{k}",
            "bias_correction",
            "BC.2",
            f"v is divided by 1-b2**{k} in every step",
            tweak=partial(formed.corrected_at, k),
        )
        for k in (1, 2)
    ),
    Fault(
        "correction-times",
        "bias_correction",
        "BC.1",
        "m is multiplied with 1-b1**t",
        tweak=formed.correction_times,
    ),
    *(
        Fault(
            f"written-back-{which}",
            "bias_correction",
            "BC.3",
            f"the corrected {what} written back to the state",
            tweak=partial(formed.written_back, which),
        )
        for which, what in (
            ("both", "moments are"),
            ("first", "first moment is"),
            ("second", "second moment is"),
        )
    ),
    *stopping(),
    Fault(
        "clock-late", "clock", "CLK.2", "the first update counts as t=2", clock=lambda t, calls, step: t + 1
    ),
    Fault(
        "clock-of-calls",
        "clock",
        "CLK.1",
        "one clock for all tensors, which ticks once a tensor",
        clock=lambda t, calls, step: calls,
    ),
    Fault("clock-of-steps", "clock", "CLK.1", "one clock for all tensors", clock=lambda t, calls, step: step),
    Fault(
        "clock-double", "clock", "CLK.2", "the clock ticks twice a step", clock=lambda t, calls, step: 2 * t
    ),
    Fault(
        "decay-twice",
        "decay",
        "DEC.1",
        "decay is applied twice as strongly",
        tweak=partial(formed.decay_changed, lambda d, at: 2.0 * d),
    ),
    Fault(
        "decay-half",
        "decay",
        "DEC.1",
        "decay is applied half as strongly",
        tweak=partial(formed.decay_changed, lambda d, at: 0.5 * d),
    ),
    Fault(
        "decay-sign",
        "decay",
        "DEC.1",
        "decay pushes away from zero",
        tweak=partial(formed.decay_changed, lambda d, at: -d),
    ),
    Fault(
        "decay-lr-squared",
        "decay",
        "DEC.2",
        "decay is multiplied by lr twice",
        tweak=partial(formed.decay_changed, lambda d, at: d * at.lr),
    ),
    Fault(
        "decay-matrices",
        "decay",
        "DEC.1",
        "only arrays of two and more dimensions decay",
        tweak=partial(formed.decay_changed, lambda d, at: d if len(at.shape) >= 2 else 0.0 * d),
    ),
    Fault(
        "decay-arrays",
        "decay",
        "DEC.1",
        "scalars do not decay",
        tweak=partial(formed.decay_changed, lambda d, at: d if at.shape else 0.0 * d),
    ),
    Fault(
        "decay-first-lr",
        "decay",
        "DEC.2",
        "decay goes on with the first lr",
        tweak=partial(formed.decay_changed, formed.first_lr),
    ),
    Fault("lr-kept", "schedule", "LR.1", "a changed lr is ignored", **on_steps(seen.lr_kept)),
    Fault("lr-late", "schedule", "LR.1", "a changed lr takes effect one step late", **on_steps(seen.lr_late)),
    Fault(
        "lr-squared",
        "hyperparameters",
        "STEP.1",
        "lr is applied twice",
        tweak=partial(formed.step_changed, lambda x, at: x * at.lr),
    ),
    *clipping(),
    Fault(
        "nan-zeroed",
        "nonfinite",
        "NF.1",
        "NaN and infinity in a gradient are replaced by 0",
        **on_gradients(seen.without_nan),
    ),
    Fault(
        "nan-skips-step",
        "nonfinite",
        "NF.1",
        "a NaN or infinity skips the whole step",
        **on_steps(seen.step_skipped_on_nan),
    ),
    Fault(
        "nan-skips-tensor",
        "nonfinite",
        "NF.1",
        "a NaN or infinity skips its tensor",
        **on_steps(seen.tensor_skipped_on_nan),
    ),
    *(
        Fault(
            f"tail-of-{width}",
            "layout",
            "STEP.1",
            f"elements beyond the last whole vector of {width} do not move",
            **on_steps(partial(seen.masked, partial(seen.whole_vectors, width))),
        )
        for width in (2, 4, 8, 16, 32)
    ),
    Fault(
        "scalars-stand",
        "layout",
        "STEP.1",
        "0-d arrays do not move",
        **on_steps(partial(seen.masked, seen.arrays_only)),
    ),
    Fault(
        "zeros-skipped",
        "zero_gradient",
        "F2",
        "elements with a zero gradient are left alone",
        **on_steps(partial(seen.masked, seen.zeros_left)),
    ),
    Fault(
        "zero-tensors-skipped",
        "zero_gradient",
        "F2",
        "a tensor whose gradient is all zero is left alone",
        **on_steps(seen.zero_tensors_skipped),
    ),
    Fault("absent-decays", "missing", "F1", "a parameter without a gradient still decays", absent="decay"),
    Fault("absent-resets", "missing", "F1", "an absent gradient resets the moments", absent="reset"),
    Fault(
        "absent-stale",
        "missing",
        "F1",
        "an absent gradient is the last one once more",
        **on_steps(seen.stale),
    ),
)
"""Every fault with a name; the more specific ones first."""

"""Bias corrections of the wrong moment, at the wrong time, or written back to the state."""

from __future__ import annotations

import math
from functools import partial

from adamcore.conformance.faults import _scalars, _updates
from adamcore.conformance.oracle.perturbation import Fault, StepContext, UpdateInput, UpdateOutput
from adamcore.definition import Coefficients


def kept_in_lr(at: StepContext, c: Coefficients, inputs: UpdateInput) -> UpdateOutput:
    """Keep the corrected lr as lr, so that the next step corrects it again."""
    _updates.require(c.over_root is not None and c.step_g is None)
    b1, b2 = at.adam.b1, at.adam.b2
    now = inputs.memory.get("kept", 1.0) * math.sqrt(1.0 - b2**at.t) / (1.0 - b1**at.t)
    inputs.memory["kept"] = now
    decay = c.decay if c.decay is None or at.adam.decay == "l2" else c.decay * now
    keep = None if c.keep_p is None or decay is None else 1.0 - decay
    as_kept = c._replace(step_m=at.lr * now, over_root=None, square=None, decay=decay, keep_p=keep)
    return _updates.as_defined(at, as_kept, inputs)


CORRECTION: tuple[Fault, ...] = (
    Fault("root-missing", "bias_correction", "BC.2", "the root is divided by 1-b2**t, not by its root",
          coefficients=_scalars.root_missing),
    Fault("root-times", "bias_correction", "BC.2", "the root is multiplied with the correction",
          coefficients=_scalars.root_times),
    Fault("corrections-swapped", "bias_correction", "BC.1", "b1 corrects v and b2 corrects m",
          coefficients=_scalars.corrections_swapped),
    Fault("corrections-b1", "bias_correction", "BC.2", "b1 corrects both moments",
          coefficients=partial(_scalars.one_correction, "b1")),
    Fault("corrections-b2", "bias_correction", "BC.1", "b2 corrects both moments",
          coefficients=partial(_scalars.one_correction, "b2")),
    *(
        Fault(f"root-at-{k}", "bias_correction", "BC.2", f"v is divided by 1-b2**{k} in every step",
              coefficients=partial(_scalars.corrected_at, k))
        for k in (1, 2)
    ),
    Fault("correction-times", "bias_correction", "BC.1", "m is multiplied with 1-b1**t",
          coefficients=_scalars.correction_times),
    Fault("corrections-times", "bias_correction", "BC.1",
          "both moments are multiplied with their corrections, not divided by them",
          coefficients=partial(_scalars.corrections_changed, lambda correction, n, at: 1.0 / correction)),
    Fault("corrections-eps", "bias_correction", "BC.1", "eps is added to both corrections",
          coefficients=partial(
              _scalars.corrections_changed, lambda correction, n, at: correction + n.number(at.adam.eps)
          )),
    Fault("correction-in-lr", "bias_correction", "BC.3", "the corrected lr is kept as lr", update=kept_in_lr),
    Fault("averages-corrected", "bias_correction", "BC.3",
          "moments are averaged with corrected betas and kept corrected: a missed step counts in them",
          coefficients=_scalars.averages_corrected),
    *(
        Fault(f"correction-ends-{k}", "bias_correction", "BC.1", f"nothing is corrected from t={k} on",
              coefficients=partial(_scalars.correction_ends, k))
        for k in (2, 5, 10, 20, 50, 100, 1000)
    ),
    *(
        Fault(f"written-back-{which}", "bias_correction", "BC.3",
              f"the corrected {what} written back to the state",
              coefficients=partial(_scalars.written_back, which))
        for which, what in (
            ("both", "moments are"),
            ("first", "first moment is"),
            ("second", "second moment is"),
        )
    ),
)  # fmt: skip

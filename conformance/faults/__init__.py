"""The faults people make, each with the rule it breaks; bug trackers have all of these."""

from __future__ import annotations

from adamcore.conformance.faults.amsgrad import AMSGRAD
from adamcore.conformance.faults.clipping import CLIPPING
from adamcore.conformance.faults.clock import CLOCK
from adamcore.conformance.faults.coefficients import COEFFICIENTS
from adamcore.conformance.faults.correction import CORRECTION
from adamcore.conformance.faults.decay import DECAY
from adamcore.conformance.faults.epsilon import EPSILON
from adamcore.conformance.faults.hyperparameters import HYPERPARAMETERS, SCHEDULE
from adamcore.conformance.faults.layout import LAYOUT
from adamcore.conformance.faults.moments import MOMENTS
from adamcore.conformance.faults.nesterov import NESTEROV
from adamcore.conformance.faults.precision import PRECISION
from adamcore.conformance.faults.state import STATE
from adamcore.conformance.faults.values import VALUES
from adamcore.conformance.oracle.perturbation import Fault

FAULTS: tuple[Fault, ...] = (
    *STATE,
    *VALUES,
    *LAYOUT,
    *SCHEDULE,
    *COEFFICIENTS,
    *HYPERPARAMETERS,
    *EPSILON,
    *CORRECTION,
    *CLOCK,
    *DECAY,
    *NESTEROV,
    *AMSGRAD,
    *MOMENTS,
    *CLIPPING,
    *PRECISION,
)
"""Every fault with a name; where two explain as much, the first is named."""

IN_ONE_ELEMENT: tuple[Fault, ...] = tuple(
    f for f in FAULTS
    if f.update is None and f.area in ("hyperparameters", "epsilon", "bias_correction", "decay", "moments")
)  # fmt: skip
"""Those with which identification is worth trying: they can be proved, and one element shows them."""

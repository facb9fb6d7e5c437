"""The catalogue of faults: ways in which real implementations of Adam are wrong, with the rule each breaks.

A candidate that can be run is measured (:mod:`adamcore.conformance.anatomy`).  For it the catalogue has words
for the part that was measured, and what no part can show.  A recording can't be run again: there the whole
catalogue is tried.

A module holds the faults of one area.  `_inputs`, `_scalars` and `_updates` are what they are made of:
changes of the probe, of a step's coefficients and of the formula
(:class:`adamcore.conformance.oracle.perturbation.Fault`).
"""

from __future__ import annotations

from adamcore.conformance.faults.amsgrad import AMSGRAD
from adamcore.conformance.faults.chunks import CHUNKED
from adamcore.conformance.faults.clipping import CLIPPING
from adamcore.conformance.faults.clock import CLOCK
from adamcore.conformance.faults.coefficients import COEFFICIENTS
from adamcore.conformance.faults.correction import CORRECTION
from adamcore.conformance.faults.decay import DECAY
from adamcore.conformance.faults.epsilon import EPSILON
from adamcore.conformance.faults.groups import CLOSURE, GROUPS
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
    *CHUNKED,
    *SCHEDULE,
    *GROUPS,
    *CLOSURE,
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
"""Every fault; of two that explain as much, a finding names the first."""

NOT_MEASURED = ("layout", "isolation", "state", "mixed_precision", "missing", "hyperparameters")
"""Areas of faults that no part of an update rule shows, or that look like those of another part: eps looks
wrong where it is not passed on."""

IN_ONE_ELEMENT: tuple[Fault, ...] = tuple(
    f
    for f in FAULTS
    if f.area in ("epsilon", "bias_correction", "decay", "clock")
    or (f.update is None and f.area in ("hyperparameters", "moments"))
)
"""The faults that identification tries: one element shows them, and nothing but an Adam has them."""

OF_ABSENCE: tuple[Fault, ...] = tuple(
    f for f in FAULTS if f.area in ("missing", "clock") or f.name == "averages-corrected"
)
"""The faults that identification tries where no value of an axis says what absent gradients do."""

OF_COMPLEX: tuple[Fault, ...] = tuple(f for f in FAULTS if f.area == "complex")
"""The faults that identification tries where no value of the axis says what complex numbers do."""


def faults_of(measured: str | None) -> tuple[Fault, ...]:
    """Return the faults that a candidate may have whose parts were measured.

    Args:
        measured: the area of the first part that is not as claimed; None if all are.  No part shows the last
            digits of a hyperparameter, whatever its area is.

    Example:
        >>> sorted({fault.area for fault in faults_of("decay")})
        ['decay', 'epsilon', 'hyperparameters', 'layout', 'missing', 'mixed_precision', 'state']
    """
    return tuple(f for f in FAULTS if f.area in (measured, *NOT_MEASURED) or f in HYPERPARAMETERS)

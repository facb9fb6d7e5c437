"""The designed probes: inputs that tell right Adams from wrong ones.

A module holds the probes of one part of docs/spec.md.  A probe is parameters, hyperparameters and
gradients, chosen so that the choices it is there to tell apart lie many bounds apart
(:class:`adamcore.conformance.types.Probe`).
"""

from __future__ import annotations

from collections.abc import Mapping

from adamcore.conformance.probes import (
    clipping,
    freeze,
    handling,
    histories,
    hyper,
    loss_scale,
    meetings,
    moments,
    numerics,
    rules,
    scale,
    settings,
    sizes,
    storage,
)
from adamcore.conformance.types import Probe

PROBES: Mapping[str, Probe] = {
    probe.name: probe
    for module in (
        rules,
        moments,
        hyper,
        settings,
        scale,
        sizes,
        freeze,
        numerics,
        loss_scale,
        storage,
        clipping,
        meetings,
        histories,
        handling,
    )
    for probe in module.PROBES
}
"""Every probe by its name, in the order in which a check runs them."""

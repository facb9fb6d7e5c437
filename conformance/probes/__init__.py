"""The designed probes, by name; each module holds those of one part of the spec."""

from __future__ import annotations

from collections.abc import Mapping

from adamcore.conformance.probes import freeze, handling, hyper, moments, numerics, rules, scale
from adamcore.conformance.types import Probe

PROBES: Mapping[str, Probe] = {
    probe.name: probe
    for module in (rules, moments, hyper, scale, freeze, numerics, handling)
    for probe in module.PROBES
}

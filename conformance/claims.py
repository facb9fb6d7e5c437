"""What a candidate claims to be, and which claims a probe cannot tell apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from adamcore import AXES, Adam
from adamcore.conformance.candidates.arguments import parse_settings
from adamcore.conformance.probe import Probe
from adamcore.dialects import DIALECTS, dialect, for_target, parse_option


def axes_of(adam: Adam) -> dict[str, Any]:
    """Its choice on every axis."""
    return {axis: getattr(adam, axis) for axis in AXES}


def claim_from(axes: dict[str, Any]) -> Adam:
    """An Adam that stands for a choice of axes; its hyperparameters mean nothing."""
    return Adam(**{axis: value for axis, value in axes.items() if axis in AXES})


def reduced(claim: Adam, probe: Probe, *, exact: bool = False) -> Adam:
    """The claim with every axis that has no part in this probe at its default.

    Two dialects with the same reduced claim are the same program on this probe, so it is run
    and judged once for both.  The clock's scope makes another program, even where its numbers
    are the same, so it is left alone; with ``exact`` it is not: claims that then are the same
    have the same exact answer.

    >>> from adamcore.conformance.probe import Step
    >>> g = np.ones(1)
    >>> probe = Probe("X.1/x", "", (g,), (Step((g,)),), {"weight_decay": 0.0})
    >>> reduced(Adam(decay="decoupled", missing="error"), probe) == Adam()
    True
    """
    default: dict[str, Any] = {axis: values[0] for axis, values in AXES.items()}
    blind = ["coefficients"]
    whole = all(g is not None for step in probe.steps for g in step.grads)
    if whole and all(step.present is None for step in probe.steps):
        blind += ["missing", "all_missing", *(["clock"] if exact else [])]
    if not probe.hyper.get("weight_decay"):
        blind += ["decay", "decay_order"]
    elif claim.decay == "l2":
        blind += ["decay_order"]
    if not any(np.iscomplexobj(p) for p in probe.params):
        blind += ["complex"]
    return dataclasses.replace(claim, **{axis: default[axis] for axis in blind})


@dataclass(frozen=True)
class Claim:
    """What a candidate is held to."""

    name: str  #: the dialect, with the options that were set: "torch.Adam(amsgrad=True)"
    adam: Adam


def claim_of_dialect(name: str, settings: Mapping[str, str] | None = None) -> Claim:
    """The claim of a dialect, changed by those of its options that --set chooses.

    Raises:
        DialectError: no such dialect; the message has the nearest names.

    >>> claim_of_dialect("torch.Adam", {"amsgrad": "True"}).name
    'torch.Adam(amsgrad=True)'
    """
    row = dialect(name)
    _, given = parse_settings(settings or {})
    axes = dict(row.axes)
    chosen: dict[str, Any] = {}
    for option in sorted(row.options, key=lambda text: text.count(",")):
        wanted = parse_option(option)
        if all(key in given and given[key] == value for key, value in wanted.items()):
            axes |= row.options[option]
            chosen |= wanted
    written = ", ".join(f"{key}={value}" for key, value in chosen.items())
    return Claim(f"{row.name}({written})" if written else row.name, claim_from(axes))


def claim_for(
    target: str, chosen: str | None, own: str | None = None, settings: Mapping[str, str] | None = None
) -> Claim:
    """The claim of a candidate: --dialect, else its row in the table, else its own word, else the paper."""
    row = for_target(target)
    return claim_of_dialect(chosen or (row.name if row else own) or "paper", settings)


def all_claims() -> list[Claim]:
    """Every dialect of the table."""
    return [claim_of_dialect(name) for name in DIALECTS]

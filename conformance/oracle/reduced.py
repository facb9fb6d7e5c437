"""Which claims a probe cannot tell apart: what is run, solved and bounded once for all of them."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from adamcore import AXES, Adam
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.oracle.trajectory import claim_of
from adamcore.conformance.types import Probe


@lru_cache(maxsize=65536)
def reduced(claim: Adam, probe: Probe, *, exact: bool = False) -> Adam:
    """The claim with every axis that has no part in this probe at its default.

    Two dialects with the same reduced claim are the same program on this probe, so it is run
    and judged once for both.  The clock's scope makes another program, even where its numbers
    are the same, so it is left alone; with ``exact`` it is not: claims that then are the same
    have the same exact answer.

    >>> from adamcore.conformance.types import Step
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
    return replace(claim, **{axis: default[axis] for axis in blind})


@lru_cache(maxsize=65536)
def essence(claim: Adam, probe: Probe, fault: Fault | None) -> Adam:
    """The claim with the probe's hyperparameters, the same for all claims that have one answer.

    A fault may change what the probe holds (absent gradients, say), so that under one the claim
    is left as it is.
    """
    touched = fault is not None and (fault.probe is not None or fault.absent is not None)
    same = claim if touched else reduced(claim, probe, exact=True)
    return claim_of(same, probe)

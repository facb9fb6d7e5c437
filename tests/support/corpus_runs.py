"""Adams of tests/corpus run on one probe, and held against the model of a fault or diagnosed."""

from __future__ import annotations

import numpy as np
import score
from register import ITEMS, Item

from adamcore.conformance.candidates.targets import make_candidate
from adamcore.conformance.claims import claim_of_dialect
from adamcore.conformance.faults import FAULTS
from adamcore.conformance.oracle.model import float_trajectory
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Finding
from adamcore.conformance.verdict.match import FLOAT64_NEAR, relative_distance

FEW = [
    "STEP.1/fingerprint", "DEC.1/coupling", "EPS.2/comparable", "AMS.1/shrinking", "BC.3/not-written-back",
    "F2/zero-gradient", "NUM.4/near-one",
]  # fmt: skip


def item(name: str) -> Item:
    """Return the NumPy Adam of that name, of those that the faults were written beside."""
    score.load(score.files("numpy"))
    [found] = [i for i in ITEMS.values() if (i.name, i.held_out, i.library) == (name, False, "numpy")]
    return found


def fault(name: str) -> Fault:
    [found] = [f for f in FAULTS if f.name == name]
    return found


def distances(adam: str, known: Fault | str, probe: str) -> tuple[float, float]:
    """Return how far an Adam's float64 run of a probe is from a fault's model, and from its claim."""
    wrong, known = item(adam), fault(known) if isinstance(known, str) else known
    claim = claim_of_dialect(wrong.claim, wrong.options).adam
    with np.errstate(all="ignore"):
        run = make_candidate(wrong.target, wrong.made, wrong.options, None).run(PROBES[probe], "float64")
        assert run.unsupported is None
        assert run.error is None
        models = [float_trajectory(claim, PROBES[probe], f) for f in (known, None)]
        near, far = (relative_distance(model, run, PROBES[probe].hyper["lr"]) for model in models)
    return near, far


def assert_follows(adam: str, known: Fault | str, probe: str) -> None:
    """Assert that an Adam, which shares no code with the model of a fault, does what it does."""
    near, far = distances(adam, known, probe)
    assert near < FLOAT64_NEAR
    assert far > 1000 * FLOAT64_NEAR


def first_finding(adam: str, *dtypes: str) -> tuple[bool, str]:
    """Return whether the first finding on a few probes has the right area, and what it says."""
    wrong = item(adam)
    found: Finding = score.entry(wrong, FEW, dtypes or ("float64",)).findings[0]
    return found.area in wrong.areas, found.observed

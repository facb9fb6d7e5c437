"""The probes of scale see what is clipped, and have arrays longer than a block."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from certificate import ENOUGH, separation

from adamcore import Adam
from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.oracle.trajectory import adam_for
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import FloatArray, Probe, Step

CLAIMS = [Adam(), Adam(decay="decoupled"), Adam(epsilon="inside-corrected"), Adam(nesterov="dozat")]


def clipped(probe: Probe, largest: float) -> Probe:
    def step(s: Step) -> Step:
        return replace(s, grads=tuple(None if g is None else np.clip(g, -largest, largest) for g in s.grads))

    return replace(probe, steps=tuple(map(step, probe.steps)))


@pytest.mark.parametrize("largest", [1e2, 1e3, 1e4, 1e5])
def test_clipped_gradients_show(largest: float) -> None:
    probe = PROBES["MOM.2/large"]
    assert probe.level == "must"
    for claim in CLAIMS:
        assert separation(probe, clipped(probe, largest), "float32", claim) >= ENOUGH


@pytest.mark.parametrize(("name", "at_least"), [("STEP.1/burst", 2.0), ("STEP.1/late-burst", 30.0)])
def test_updates_are_many_times_lr(name: str, at_least: float) -> None:
    probe = PROBES[name]
    moved = exact(adam_for(Adam(), probe), probe).steps
    path = [probe.params[0], *(step[0][0].high for step in moved)]
    updates = [np.abs(b - a).max() / probe.hyper["lr"] for a, b in pairwise(path)]
    assert max(updates) > at_least


def test_a_long_array_is_longer_than_a_block() -> None:
    probe = PROBES["STEP.1/long"]
    assert [np.size(p) for p in probe.params] == [1025, 4097]
    for block in (2**k for k in range(4, 13)):
        for i, p in enumerate(probe.params):
            moved: list[FloatArray | None] = [s.grads[i] for s in probe.steps]
            if block < p.size:
                assert all(g is not None and (g[block:] != g[: p.size - block]).all() for g in moved)


def test_long_arrays_are_in_no_edition_of_vectors() -> None:
    from adamcore.conformance.vectors.inputs import long_inputs

    names = {item.probe.name for item in long_inputs()}
    assert "STEP.1/long" not in names
    assert {"MOM.2/large", "NUM.4/decimals", "STEP.1/late-burst"} <= names

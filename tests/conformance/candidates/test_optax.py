"""optax factories run under jit."""

from __future__ import annotations

import numpy as np
import pytest
from candidate_probes import G0, G1, probe

from adamcore.conformance.candidates import load_candidates
from adamcore.conformance.candidates.base import same_bits
from adamcore.conformance.types import Step


def test_optax_runs_and_changes_its_learning_rate() -> None:
    pytest.importorskip("optax")
    [candidate] = load_candidates("optax:adam", [None], {}, None)
    assert candidate.info.lacks == ("weight_decay", "momentum_decay", "lr_max")
    assert candidate.info.flushes
    plain = candidate.run(probe(), "float32")
    same = candidate.run(probe(Step((G0, G1)), Step((-G0, G1), lr=0.5)), "float32")
    half = candidate.run(probe(Step((G0, G1)), Step((-G0, G1), lr=0.25)), "float32")
    assert plain.error is None
    assert same_bits(plain.params[1][0], same.params[1][0])
    moved = [r.params[1][0] - r.params[0][0] for r in (plain, half)]
    np.testing.assert_allclose(moved[1], moved[0] / 2, rtol=1e-5)


def test_optax_fails_on_an_absent_gradient_as_it_does() -> None:
    pytest.importorskip("optax")
    [candidate] = load_candidates("optax:adam", [None], {}, None)
    run = candidate.run(probe(Step((G0, G1)), Step((G0, None))), "float32")
    assert len(run.params) == 1
    assert run.error

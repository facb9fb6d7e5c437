"""adamcore's own backends run a claim."""

from __future__ import annotations

import numpy as np
import pytest
from candidate_probes import G0, G1, probe

from adamcore import Adam
from adamcore.conformance.candidates import load_candidates
from adamcore.conformance.candidates.adapter.base import same_bits
from adamcore.conformance.errors import CandidateError, UnavailableError
from adamcore.conformance.types import Step


@pytest.mark.parametrize(
    "target", ["numpy", "torch", "jax", "jax:jit", "jax:native", "array:array_api_strict", "array:dask.array"]
)
def test_own_backends_run_a_claim(target: str) -> None:
    pytest.importorskip(target.partition(":")[2] if target.startswith("array") else target.partition(":")[0])
    masked = Step((np.array([0.25, np.nan]), G1), present=(np.array([True, False]), True))
    steps = (Step((G0, G1)), Step((None, G1), lr=0.25), masked)
    claims: list[Adam | None] = [Adam(decay="decoupled"), Adam(amsgrad="uncorrected")]
    for candidate, claim in zip(load_candidates(target, claims, {}, None), claims, strict=True):
        run = candidate.run(probe(*steps), "float32")
        assert run.error is None
        assert run.written == []
        [same] = load_candidates("numpy", [claim], {}, None)
        for after, wanted in zip(run.params, same.run(probe(*steps), "float32").params, strict=True):
            for got, want in zip(after, wanted, strict=True):
                assert got.dtype == np.float32
                np.testing.assert_allclose(got, want, rtol=2e-6)
        assert same_bits(run.params[1][0], run.params[0][0])
        assert same_bits(run.params[2][0][1], run.params[1][0][1])


def test_own_backend_takes_no_settings() -> None:
    with pytest.raises(CandidateError, match="--set has no meaning for numpy"):
        load_candidates("numpy", [None], {"foreach": "True"}, None)


def test_numpy_is_on_the_cpu_alone() -> None:
    for target in ("numpy:cuda", "numpy:jit"):
        with pytest.raises(UnavailableError, match=f"numpy has no device {target.partition(':')[2]!r}"):
            load_candidates(target, [Adam()], {}, None)
    assert load_candidates("numpy:cpu", [Adam()], {}, None)[0].info.device == "cpu"


def test_lr_max_is_the_lr_of_the_probe() -> None:
    """The claim was made with another lr, which is no lr_max that anybody asked for."""
    claim = Adam.like("paper.AdamC", weight_decay=0.1)
    assert claim.lr_max == claim.lr
    shown = probe(Step((G0, G1)))
    assert shown.hyper["lr"] != claim.lr
    found = [
        load_candidates("numpy", [adam], {}, None)[0].run(shown, "float64").params[0][0]
        for adam in (claim, Adam(decay="decoupled"))
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)

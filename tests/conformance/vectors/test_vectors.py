"""The vectors against real implementations: right ones agree in every dtype, others do not."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from vector_files import INDEX, Json, content, torch_adamw

from adamcore import AXES, Adam
from adamcore.conformance.dtypes import to_carrier
from adamcore.conformance.types import FloatArray, Run
from adamcore.conformance.vectors import inputs
from adamcore.conformance.vectors.answers import claim_of_json, probe_of
from adamcore.conformance.vectors.cases import values
from adamcore.state import AdamState


def worst(v: Json, run: Run) -> float:
    """The largest error over its published bound."""
    largest = 0.0
    for step, got in zip(v["steps"], run.params, strict=True):
        for p, bits, bound in zip(got, step["p"], step["p_bound"], strict=True):
            error = np.abs(np.ravel(p).astype(float) - values(bits, v["dtype"]).astype(float))
            ratios = [0.0 if e == 0 else e / b for e, b in zip(error, bound, strict=True)]
            largest = max([largest, *ratios])
    return largest


def test_torch_agrees_in_every_dtype() -> None:
    ratios = {v["id"]: worst(v, torch_adamw(v)) for v in content("torch.AdamW.json")["vectors"]}
    beyond = {name for name, ratio in ratios.items() if not ratio <= 1.0}
    assert beyond == {"CLK.3/beyond-float32/float64"}, "torch counts in float32, which only float64 sees"
    assert len(ratios) > 80


def test_torch_is_another_than_these() -> None:
    """A dialect's vectors fail an Adam of another one."""
    for name in ("paper.json", "keras.Adam.json", "transformers4.AdamW.json", "chainer.Adam.json"):
        for dtype in inputs.DTYPES:
            found = [v for v in content(name)["vectors"] if v["dtype"] == dtype]
            assert any(worst(v, torch_adamw(v)) > 10.0 for v in found), (name, dtype)


def own(claim: Adam, v: Json) -> Run:
    """Our NumPy backend, from the vector's own state."""
    probe, run = probe_of(v, values), Run()
    kind = ml_dtypes.bfloat16 if v["dtype"] == "bfloat16" else v["dtype"]
    fields = {axis: getattr(claim, axis) for axis in AXES} | v["hyper"]
    adam = Adam(**{**fields, **({"clock": "per-parameter"} if probe.start else {})})

    def array(x: FloatArray) -> Any:
        return np.asarray(x).astype(kind)

    params = [array(p) for p in probe.params]
    state = adam.init(params)
    if probe.start:
        maxima = [array(s.v_max) for s in probe.start] if state.v_max is not None else None
        state = AdamState(
            [np.array(s.t, dtype=np.int32) for s in probe.start],
            [array(s.m) for s in probe.start],
            [array(s.v) for s in probe.start],
            maxima,
            state.mu_product,
        )
    for step in probe.steps:
        grads = [None if g is None else array(g) for g in step.grads]
        params, state = adam.step(params, grads, state, lr=step.lr)
        run.params.append([to_carrier(np.asarray(p).astype(float), v["dtype"]) for p in params])
    return run


@pytest.mark.parametrize("name", INDEX["files"])
def test_our_own_agree(name: str) -> None:
    whole = content(name)
    claim = claim_of_json(whole["axes"])
    for v in whole["vectors"]:
        if v["dtype"] in ("float32", "float64") and "lr-changed" not in v["id"]:
            assert worst(v, own(claim, v)) <= 1.0, v["id"]

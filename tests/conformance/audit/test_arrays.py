"""Arrays as bytes: complex ones, and those of a run that is judged by them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.audit import Recorder
from adamcore.conformance.audit.judge import audit
from adamcore.conformance.report.report import Entry

HYPER: dict[str, Any] = {"lr": 0.0625, "b1": 0.75, "b2": 0.875, "eps": 1e-3, "weight_decay": 0.25}
Arrays = dict[str, Any]


def only(recorder: Recorder, path: Path, dialect: str | None = None) -> Entry:
    recorder.save(path)
    [entry] = audit(path, dialect).entries
    return entry


def gradients(params: Arrays, k: int) -> Arrays:
    return {name: np.cos(k + 3 * p) for name, p in params.items()}


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_complex_arrays(dtype: Any, path: Path) -> None:
    params: Any = {"w": (np.linspace(-1, 1, 4) + 0.5j).astype(dtype)}
    adam = Adam(**HYPER, complex="modulus", decay="decoupled")
    state = adam.init(params)
    recorder = Recorder(HYPER, "optax.adamw")
    for k in range(5):
        grads = {n: np.cos(k + 3 * p).astype(dtype) for n, p in params.items()}
        before, (params, state) = params, adam.step(params, grads, state)
        recorder.step(before, grads, params)
    assert only(recorder, path).verdict == "conforms"
    assert only(recorder, path, "torch.AdamW").verdict == "deviates"

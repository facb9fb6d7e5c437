"""Arrays as bytes: complex ones, and those of a run that is judged by them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plain_recordings import HYPER, only

from adamcore import Adam
from adamcore.conformance.audit import Recorder


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

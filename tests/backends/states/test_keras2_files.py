"""The .h5 files of Keras 2; real ones are in tests/data/states."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from paths import ROOT

from adamcore.backends.checkpoints.request import Request
from adamcore.backends.states.foreign import read
from adamcore.backends.states.keras2_files import from_keras2
from adamcore.errors import CheckpointError

FILES = ROOT / "tests" / "data" / "states" / "files" / "tensorflow"


def arrays() -> dict[str, Any]:
    """Return the variables of the older optimizer."""
    z = np.zeros(2, np.float32)
    return {"Adam/iter:0": np.asarray(4), "Adam/dense/kernel/m:0": z, "Adam/dense/kernel/v:0": z}


def test_what_the_configuration_tells() -> None:
    config = {"learning_rate": 0.5, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}
    state = from_keras2(arrays(), config, "Adam", "F", Request())
    assert list(state.leaves) == ["dense/kernel"]
    assert (state.adam.lr, state.adam.b1, state.adam.b2, state.adam.eps) == (0.5, 0.8, 0.9, 1e-3)
    assert state.dialect == "tf_keras.legacy.Adam"
    newer = from_keras2(arrays(), {"is_legacy_optimizer": False}, "Custom>AdamW", "F", Request())
    assert newer.dialect == "keras.AdamW"


def test_what_is_refused() -> None:
    with pytest.raises(CheckpointError, match="state of SGD, which is no Adam"):
        from_keras2(arrays(), {}, "SGD", "F", Request())
    unnamed: dict[str, Any] = {"Adam/iterations:0": np.asarray(4), "training/Adam/Variable:0": np.zeros(2)}
    with pytest.raises(CheckpointError, match="no names of parameters"):
        from_keras2(unnamed, {}, "Adam", "F", Request())
    with pytest.raises(CheckpointError, match="whether Adam or AdamW made it"):
        from_keras2(arrays(), {}, "", "F", Request(needs_dialect=True))
    pytest.importorskip("h5py")
    with pytest.raises(CheckpointError, match="names its variables"):
        read(FILES / "keras2.h5", names=["a", "b"])

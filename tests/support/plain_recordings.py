"""What the tests of the plain recorder share: hyperparameters, gradients, and the verdict on a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import audit_runs
import numpy as np

from adamcore.conformance.audit import Recorder
from adamcore.conformance.report.report import Entry

HYPER: dict[str, Any] = {"lr": 0.0625, "b1": 0.75, "b2": 0.875, "eps": 1e-3, "weight_decay": 0.25}
Arrays = dict[str, Any]


def only(recorder: Recorder, path: Path, dialect: str | None = None) -> Entry:
    """Return the one entry of the report on a recording."""
    recorder.save(path)
    return audit_runs.only(path, dialect)


def gradients(params: Arrays, k: int) -> Arrays:
    return {name: np.cos(k + 3 * p) for name, p in params.items()}

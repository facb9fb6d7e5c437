"""The memory that a step may write to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from kernel_jobs import job

from adamcore.backends.kernels.memory import writable
from adamcore.backends.numpy.fast import MEMORY


def overlapping() -> dict[str, Any]:
    memory = np.ones(4, "f")
    return {"p": memory[:-1], "g": memory[1:]}


def read_only() -> dict[str, Any]:
    x = np.ones(3, "f")
    x.flags.writeable = False
    return {"m": x}


@pytest.mark.parametrize("parts", [overlapping, read_only])
def test_memory_that_may_not_be_written_to(parts: Callable[[], dict[str, Any]]) -> None:
    assert writable(MEMORY, job())
    assert not writable(MEMORY, job(**parts()))

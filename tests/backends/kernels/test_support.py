"""Which jobs machine code and blocks take, and why not the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kernel_jobs import job

from adamcore import Adam
from adamcore.backends.kernels import support
from adamcore.backends.numpy.fast import MEMORY
from adamcore.coefficients import Host
from adamcore.definition import coefficients
from adamcore.jobs import LeafDtypes


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({}, None),
        ({"v_max": np.ones(3, "f")}, None),
        ({"where": np.ones(3, bool)}, None),
        ({"where": np.ones((), bool)}, "a mask that"),
        ({"where": np.ones(6, bool)[::2]}, "not contiguous"),
        ({"where": np.ones(3, bool)} | {name: np.ones(3, "F") for name in "pgmv"}, "a mask that"),
        ({"m": np.ones(3)}, "float32 beside float64"),
        ({"formats": LeafDtypes(np.dtype("longdouble"), None, None, False)}, "float32, with arithmetic in"),
        ({"g": np.ones(3)}, None),
        ({"p": np.ones(3, "e"), "g": np.ones(3, "e"), "m": np.ones(3, "e")}, None),
        ({"v": np.ones(3, "e"), "v_max": np.ones(3, "f")}, "float16 beside float32"),
        ({name: np.ones(3, "g") for name in "pgmv"}, "with arithmetic in float32"),
        ({name: np.ones(3, "F") for name in "pgmv"}, None),
        ({name: np.ones(3, "f" if name == "v" else "F") for name in "pgmv"}, "complex64 beside float32"),
        ({name: np.ones((2, 3), "f", "F") for name in "pgmv"}, None),
        ({name: np.ones((2, 3), "f", "C" if name == "m" else "F") for name in "pgmv"}, "other strides"),
        ({name: np.ones((2, 4), "f")[:, ::2] for name in "pgmv"}, "nor a permutation"),
        ({name: np.broadcast_to(np.ones(3, "f"), (2, 3)) for name in "pgmv"}, "nor a permutation"),
        ({name: np.ones(3, "f")[::-1] for name in "pgmv"}, "nor a permutation"),
        ({"g": np.ones(6, "f")[::2]}, "not contiguous"),
        ({"g": np.ones(4, "f")}, "different shapes"),
        ({"coefficients": coefficients(Host(), Adam(), 1, 0.1)._replace(w1=np.ones(()))}, "only the program"),
    ],
)
def test_it_says_why_a_job_is_unsupported(parts: dict[str, Any], why: str | None) -> None:
    reason = support.unsupported(MEMORY, job(**parts))
    assert reason is None if why is None else reason is not None and why in reason

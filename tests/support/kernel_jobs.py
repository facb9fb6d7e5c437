"""Jobs for the tests of the kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.coefficients import Host
from adamcore.definition import coefficients
from adamcore.jobs import Job, LeafDtypes


def job(**parts: Any) -> Job:
    """A job of three float32 elements, with other parts where they are given."""
    arrays = {name: np.ones(3, "f") for name in ("p", "g", "m", "v")} | {"v_max": None}
    dtype = np.dtype("float32")
    rest = {
        "coefficients": coefficients(Host(), Adam(), 1, 0.1),
        "where": None,
        "formats": LeafDtypes(dtype, dtype, dtype, False),
    }
    return Job(**(arrays | rest | parts))

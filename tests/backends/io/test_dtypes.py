"""The dtypes that files name."""

from __future__ import annotations

import numpy as np
import pytest

from adamcore.backends.io.dtypes import numpy_dtype, with_dtype
from adamcore.backends.states import Moments
from adamcore.errors import CheckpointError


def test_bfloat16_is_that_of_ml_dtypes() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    assert numpy_dtype("bfloat16", "F") == ml_dtypes.bfloat16
    assert numpy_dtype("float16", "F") == np.float16


def test_nameless_bytes() -> None:
    """HDF5 loses the name of bfloat16, and keeps its bytes, those of a scalar as well."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    x = np.asarray([1.5, -2.0], ml_dtypes.bfloat16)
    for each in (x, x[0:1].reshape(())):
        back = with_dtype(each.view("V2"), "F")
        assert back.dtype == x.dtype
        assert np.array_equal(back, each)
    same = np.ones(2, np.float32)
    assert with_dtype(same, "F") is same


def test_moments_are_numbers() -> None:
    """Bytes without a type went through every conversion, and came out as other numbers or as none."""
    bytes_alone = np.ones(2, np.float16).view("V2")
    with pytest.raises(CheckpointError, match=r"dtype \|V2: expected numbers"):
        Moments(1, bytes_alone, bytes_alone)
    with pytest.raises(CheckpointError, match="dtype <U1: expected numbers"):
        Moments(1, np.asarray(["a"]), np.asarray(["b"]))

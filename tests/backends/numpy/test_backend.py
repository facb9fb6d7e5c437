"""NumPy's backend: which arrays it takes, and that a result of no dimension is an array."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from adamcore import Adam
from adamcore.backends.numpy import backend
from adamcore.errors import ParameterError


def test_a_masked_array_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"masked array; give its \.data"):
        Adam().init(np.ma.masked_array(np.ones(2), [True, False]))


def test_scalars_of_numpy_are_arrays() -> None:
    assert backend.owns(np.float32(1.0))
    assert not backend.owns(1.0)
    p, state = Adam(lr=0.5).step(np.float64(1.0), np.float64(2.0), Adam().init(np.float64(1.0)))
    assert isinstance(p, np.ndarray)
    assert p.shape == ()
    np.testing.assert_allclose(p, 0.5)
    assert state.t.dtype == np.int32


def test_infinity_and_nan_pass_without_a_warning() -> None:
    p = np.ones(3)
    g = np.array([np.inf, np.nan, 1e300])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for donate in (False, True):
            new, _ = Adam().step(p.copy(), g, Adam().init(p), donate=donate)
            assert np.isnan(new[:2]).all()


@pytest.mark.parametrize(("dtype", "whole"), [("float32", "complex64"), ("float64", "complex128")])
def test_complex_dtypes(dtype: str, whole: str) -> None:
    like = np.ones(1)
    assert backend.complex_of(np.dtype(dtype), like) == np.dtype(whole)
    assert backend.part_of(np.dtype(whole), like) == np.dtype(dtype)
    with pytest.raises(LookupError, match="float16"):
        backend.complex_of(np.dtype("float16"), like)


def test_parts_do_not_reach_into_each_other() -> None:
    z = backend.join(np.array([1.0]), np.array([np.inf]), np.dtype("complex128"))
    assert (z.real[0], z.imag[0]) == (1.0, np.inf)


def test_overwriting_leaves_what_is_read_only() -> None:
    old, new = np.zeros(2), np.ones(2)
    assert backend.overwrite(old, new) is old
    assert old.tolist() == [1, 1]
    old.flags.writeable = False
    assert backend.overwrite(old, new) is new

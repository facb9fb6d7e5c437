"""What counts as rounded."""

from __future__ import annotations

import numpy as np
import pytest
from narrow_arrays import NARROW, narrow_array

from adamcore.backends.states.rounding import refuse_rounded
from adamcore.errors import ConversionError


@pytest.mark.parametrize(("library", "dtype"), NARROW)
def test_another_dtype_is_taken_if_it_holds_the_values(library: str, dtype: str) -> None:
    for values in ([0.25, 0.0], [np.nan, np.inf]):
        refuse_rounded(np.array(values), narrow_array(library, values, dtype), "v of w")
    with pytest.raises(ConversionError, match=f"v of w is float64 in the state and {dtype} where it goes"):
        refuse_rounded(np.array([0.1, 0.0]), narrow_array(library, [0.1, 0.0], dtype), "v of w")


def test_complex_moments() -> None:
    refuse_rounded(np.array([0.5j]), np.array([0.5j], dtype=np.complex64), "m of w")
    with pytest.raises(ConversionError, match="complex64"):
        refuse_rounded(np.array([0.1j]), np.array([0.1j], dtype=np.complex64), "m of w")

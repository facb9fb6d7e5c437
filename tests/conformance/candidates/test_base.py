"""What all adapters share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adamcore.conformance.candidates.base import cast


@pytest.mark.parametrize("layout", ["C", "F", "strided", "readonly"])
def test_layouts(layout: Any) -> None:
    x = np.arange(12.0).reshape(3, 4)
    made = cast(x, "float32", layout)
    np.testing.assert_array_equal(made, x)
    assert made.flags.c_contiguous == (layout in ("C", "readonly"))
    assert made.flags.writeable == (layout != "readonly")

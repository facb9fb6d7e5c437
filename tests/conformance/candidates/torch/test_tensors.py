"""NumPy arrays as tensors."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.mark.parametrize(("layout", "strides"), [("offset", (2, 1)), ("broadcast", (0, 1)), ("F", (1, 3))])
def test_gradients_lie_in_memory_as_asked(layout: str, strides: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.adapter.base import cast
    from adamcore.conformance.candidates.torch.tensors import as_tensor

    array = np.ones((3, 2))
    made = as_tensor(cast(array, "float32", layout), "cpu")  # type: ignore[arg-type]
    assert made.stride() == strides
    assert torch.equal(made, torch.ones(3, 2))
    assert made.data_ptr() % 8 == (4 if layout == "offset" else made.data_ptr() % 8)

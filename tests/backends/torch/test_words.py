"""The bits of PyTorch's arrays."""

from __future__ import annotations

from operations_on_bits import OperationsOnBits


class TestWords(OperationsOnBits):
    library = "torch"

"""Addresses of many arrays: those that NumPy itself gives."""

from __future__ import annotations

import numpy as np
import pytest

from adamcore.backends.kernels import llvm
from adamcore.backends.kernels.objects import FEW
from adamcore.backends.numpy import addresses


@pytest.mark.parametrize("count", [0, 1, FEW - 1, FEW, 500])
def test_addresses_are_those_that_numpy_gives(count: int) -> None:
    vector = np.arange(4.0 * count + 8)
    kinds = [np.ones(3), vector[5:9], np.empty(0), np.ones(()), np.broadcast_to(1.0, 4)]
    kinds[0].flags.writeable = False
    xs = [kinds[k % 5] if k % 2 else vector[k : k + 4] for k in range(count)]
    expected = [x.__array_interface__["data"][0] for x in xs]
    assert list(addresses.addresses(xs)) == expected
    with llvm.switched_off():
        assert list(addresses.addresses(xs)) == expected


def test_another_structure_of_arrays_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "HEAD", addresses.HEAD + 8)
    assert not addresses.known.__wrapped__()
    monkeypatch.setattr(addresses, "known", lambda: False)
    xs = [np.ones(3) for _ in range(20)]
    assert list(addresses.addresses(xs)) == [x.__array_interface__["data"][0] for x in xs]

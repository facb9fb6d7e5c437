"""Whether many arrays are alike: one that differs in any respect is found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adamcore.backends.kernels import llvm
from adamcore.backends.kernels.objects import FEW
from adamcore.backends.numpy import uniform
from adamcore.backends.numpy.uniform import same_shape, uniform_addresses


class Own(np.ndarray):
    pass


OTHERS: dict[str, Any] = {
    "dtype": np.ones((3, 2)),
    "shape": np.ones((2, 3), "f"),
    "dimensions": np.ones((3, 2, 1), "f"),
    "fewer dimensions": np.ones(3, "f"),
    "order": np.ones((2, 3), "f").T,
    "gaps": np.ones((3, 4), "f")[:, ::2],
    "alignment": np.ones(25, np.uint8)[1:].view("f").reshape(3, 2),
    "byte order": np.ones((3, 2), ">f4"),
    "subclass": np.ones((3, 2), "f").view(Own),
    "mask": np.ma.ones((3, 2), "f"),
    "scalar": np.float32(1),
    "number": 5,
    "nothing": None,
}


def columns() -> list[list[Any]]:
    return [[np.ones((3, 2), "f") for _ in range(2 * FEW)] for _ in range(3)]


def test_addresses_are_those_that_numpy_gives() -> None:
    whole = np.ones((9, 3, 2), "f")
    arrays = [[*xs, *whole] for xs in columns()]
    found = uniform_addresses(arrays)
    assert found is not None
    assert list(found) == [x.__array_interface__["data"][0] for xs in arrays for x in xs]


@pytest.mark.parametrize("at", [0, FEW, 2 * FEW - 1])
@pytest.mark.parametrize("column", [0, 1, 2])
@pytest.mark.parametrize("what", OTHERS)
def test_an_array_that_differs_is_found(what: str, column: int, at: int) -> None:
    changed = columns()
    changed[column][at] = OTHERS[what]
    assert uniform_addresses(changed) is None


def test_shapes_differ_from_place_to_place_but_not_from_column_to_column() -> None:
    varied = [[np.ones((k % 4, 2), "f") for k in range(2 * FEW)] for _ in range(3)]
    assert uniform_addresses(varied) is not None
    varied[2][FEW], varied[2][FEW + 1] = varied[2][FEW + 1], varied[2][FEW]
    assert uniform_addresses(varied) is None


def test_arrays_that_are_not_writable_are_found_where_it_matters() -> None:
    frozen = columns()
    frozen[1][3].flags.writeable = False
    assert uniform_addresses(frozen) is not None
    assert uniform_addresses(frozen, writable=True) is None


def test_clocks_have_one_shape() -> None:
    clocks = [np.array(k, np.int32) for k in range(2 * FEW)]
    assert same_shape(clocks, ())
    assert not same_shape([*clocks[:-1], np.ones(1, np.int32)], ())
    assert not same_shape(clocks, (1,))


def test_nothing_is_read_where_machine_code_or_the_known_structure_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert uniform_addresses([xs[: FEW - 1] for xs in columns()]) is None
    with llvm.switched_off():
        assert uniform_addresses(columns()) is None
    for name in ("DATA", "NDIM", "SHAPE", "DTYPE", "FLAGS"):
        with monkeypatch.context() as patch:
            patch.setattr(uniform, name, getattr(uniform, name) + 8)
            assert uniform.compare.__wrapped__() is None

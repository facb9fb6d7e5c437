"""Tensors that are watched: any that is not as it was is found, and addresses are those of PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("llvmlite")

import torch
from torch.utils import swap_tensors
from torch_others import OTHERS

from adamcore.backends.torch import fast, watch
from adamcore.jobs import Columns

CHANGES: dict[str, Callable[[Any], Any]] = {
    "moved": lambda x: setattr(x, "data", x.data.clone()),
    "turned": lambda x: setattr(x, "data", x.data.t()),
    "reshaped": lambda x: setattr(x, "data", x.data.view(2, 8)),
    "cut": lambda x: setattr(x, "data", x.data[:2]),
    "of another dtype": lambda x: setattr(x, "data", x.data.view(torch.int32)),
    "negated": lambda x: setattr(x, "data", torch._neg_view(x.data)),
    "of another class": lambda x: setattr(x, "__class__", torch.nn.Parameter),
    "swapped": lambda x: swap_tensors(x, torch.ones(4, 4)),
    "without memory": lambda x: x.untyped_storage().resize_(0),
    "elsewhere in its memory": lambda x: x.set_(x.untyped_storage(), 1, (4, 3)),
}


def test_pytorch_is_as_it_is_known() -> None:
    assert watch.available()


@pytest.mark.parametrize("count", [1, 40])
@pytest.mark.parametrize(
    ("name", "kept"),
    [*zip(CHANGES, repeat(True), strict=False), *((k, False) for k in CHANGES if k != "without memory")],
)
def test_a_change_is_found(name: str, kept: bool, count: int) -> None:
    xs = [torch.ones(4, 4) for _ in range(count)]
    others = [torch.ones(4, 4) for _ in range(count)]
    watched = watch.Watch(xs, others)
    new = [torch.ones(4, 4) for _ in others]
    found = watched.look(new)
    assert found is not None
    assert list(found) == [x.data_ptr() for x in new]
    CHANGES[name](xs[-1] if kept else new[-1])
    if name in ("moved", "swapped") and not kept:
        assert list(watched.look(new) or ()) == [x.data_ptr() for x in new]
    else:
        assert watched.look(new) is None


@pytest.mark.parametrize("what", OTHERS)
def test_a_tensor_that_differs_is_found(what: str) -> None:
    others = [torch.ones(3, 2) for _ in range(20)]
    watched = watch.Watch([], others)
    assert watched.look(others) is not None
    assert watched.look([*others[:-1], OTHERS[what]()]) is None


@pytest.mark.parametrize("transform", ["grad", "vmap", "functionalize"])
def test_tensors_of_a_transformation_are_found(transform: str) -> None:
    watched, found = watch.Watch([], [torch.ones(4)]), []

    def look(x: torch.Tensor) -> torch.Tensor:
        found.append(watched.look([x]))
        return x.sum()

    getattr(torch.func, transform)(look)(torch.ones(4, 4) if transform == "vmap" else torch.ones(4))
    assert found == [None]


def test_a_dimension_of_one_element_has_any_stride() -> None:
    watched = watch.Watch([], [torch.ones(1, 3)])
    assert watched.look([torch.ones(2, 3)[:1]]) is not None
    assert watched.look([torch.ones(1, 6)[:, :3]]) is not None
    assert watched.look([torch.ones(1, 6)[:, ::2]]) is None


@pytest.mark.parametrize("count", [1, 40])
def test_a_transformation_of_the_surroundings_is_found(count: int) -> None:
    columns = Columns(*([torch.ones(3) for _ in range(count)] for _ in range(4)))
    look, found = fast.MEMORY.watch(columns), []
    assert list(look(columns) or ()) == [x.data_ptr() for x in columns.g]

    def inside(x: torch.Tensor) -> torch.Tensor:
        found.append(look(columns))
        return x.sum()

    torch.func.grad(inside)(torch.ones(2))
    assert found == [None]


def test_another_structure_of_tensors_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "TYPE", watch.TYPE + 8)
    monkeypatch.setattr(
        torch._C, "_dispatch_keys", lambda x: torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)
    )
    assert watch.keys.__wrapped__() is None
    monkeypatch.setattr(watch, "handle", lambda: None)
    assert watch.look.__wrapped__() is None

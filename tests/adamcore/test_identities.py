"""Identities of many objects: those that `id` gives."""

from __future__ import annotations

from typing import Any

import pytest

from adamcore import identities as module
from adamcore.identities import FEW, identities


@pytest.mark.parametrize("kind", [list, tuple])
@pytest.mark.parametrize("count", [0, 1, FEW - 1, FEW, 1000])
def test_identities_are_those_of_the_objects(kind: Any, count: int) -> None:
    xs = kind(object() for _ in range(count))
    assert list(identities(xs)) == list(map(id, xs))


def test_a_list_that_has_grown_and_shrunk_is_read_where_it_is_now() -> None:
    xs: list[Any] = [None] * 100
    for _ in range(5000):
        xs.append(object())
    del xs[:50]
    assert list(identities(xs)) == list(map(id, xs))


def test_lists_of_another_structure_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.readable()
    monkeypatch.setattr(module, "ITEMS", list.__basicsize__)
    assert not module.readable.__wrapped__()

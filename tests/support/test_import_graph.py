"""The graph of imports that tests/test_imports.py judges."""

from __future__ import annotations

import pytest
from import_graph import circle, module_of


@pytest.mark.parametrize(
    ("pairs", "found"),
    [
        ({("a", "b"), ("b", "c"), ("a", "c")}, []),
        ({("a", "b"), ("b", "a")}, ["a", "b", "a"]),
        ({("a", "b"), ("b", "c"), ("c", "d"), ("d", "b")}, ["b", "c", "d", "b"]),
    ],
)
def test_circle(pairs: set[tuple[str, str]], found: list[str]) -> None:
    assert circle(pairs) == found


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("adamcore.Adam", "adamcore.adam"),
        ("adamcore.backends.torch.backend", "adamcore.backends.torch.backend"),
        ("adamcore.backends.torch.AdamW", "adamcore.backends.torch.optimizer.optimizer"),  # shown lazily
        ("adamcore.conformance.check", "adamcore.conformance"),
    ],
)
def test_module_of(name: str, module: str) -> None:
    assert module_of(name) == module

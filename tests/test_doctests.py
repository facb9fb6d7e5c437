"""Every example in a docstring of the package, each module under its installed name."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import adamcore

MODULES = sorted(m.name for m in pkgutil.walk_packages(adamcore.__path__, "adamcore."))


@pytest.mark.parametrize("name", ["adamcore", *MODULES])
def test_docstring_examples(name: str) -> None:
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


def test_walks_each_module_once() -> None:
    assert len(MODULES) == len(set(MODULES))
    assert {"adamcore.definition", "adamcore.backends", "adamcore.conformance.types"} <= set(MODULES)

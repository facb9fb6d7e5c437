"""Every example in a docstring of the package, each module under its installed name."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest
from import_graph import modules

import adamcore

WITH_EXAMPLES = [name for name, path in modules().items() if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_docstring_examples(name: str) -> None:
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


def test_walks_each_module_once() -> None:
    found = [m.name for m in pkgutil.walk_packages(adamcore.__path__, "adamcore.")]
    assert len(found) == len(set(found))
    assert {"adamcore.definition", "adamcore.backends", "adamcore.conformance.types"} <= set(found)
    assert set(WITH_EXAMPLES) <= {"adamcore", *found}
    assert len(WITH_EXAMPLES) > 30

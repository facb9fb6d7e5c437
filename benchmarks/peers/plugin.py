"""The pytest plugin of one run: it puts our optimizers in place before any test is imported.

``-p plugin --peer LIBRARY`` runs a suite as it is, and ``--ours`` as well runs it on our optimizers.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from suite import suite_of

REPLACED = pytest.StashKey[Mapping[object, object]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--peer", required=True, metavar="LIBRARY")
    parser.addoption("--ours", action="store_true")


def pytest_configure(config: pytest.Config) -> None:
    suite = suite_of(config.getoption("peer"))
    config.stash[REPLACED] = suite.replace() if config.getoption("ours") else {}
    suite.prepare()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    keep = suite_of(config.getoption("peer")).keep
    items[:] = [item for item in items if keep(getattr(item, "function", None))]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Raise if a test module has one of the library's own optimizers after all."""
    replaced = session.config.stash[REPLACED]
    modules = {item.module for item in session.items if isinstance(item, pytest.Function)}
    left = [f"{module.__name__}.{name}" for module in modules for name, value in vars(module).items()
            if any(value is theirs for theirs in replaced)]  # fmt: skip
    if left:
        raise pytest.UsageError(f"not replaced: {', '.join(left)}")

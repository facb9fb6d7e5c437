"""Fixtures of the tests in this folder."""

from __future__ import annotations

import pytest
from plugin_project import ADAM


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with candidates and one test of its own."""
    pytester.makepyfile(mine=ADAM, test_own="def test_own(): pass")
    return pytester

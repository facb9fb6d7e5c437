"""The errors of the suite, and the ways to import them."""

from __future__ import annotations

import adamcore.conformance
from adamcore.conformance.errors import CandidateError, ConformanceError, SettingError, UnavailableError
from adamcore.errors import AdamcoreError


def test_a_deviation_is_an_assertion_error() -> None:
    assert issubclass(ConformanceError, AssertionError)
    assert issubclass(ConformanceError, AdamcoreError)


def test_a_candidate_error_tells_the_users_mistake_from_a_missing_library() -> None:
    assert issubclass(SettingError, CandidateError)
    assert issubclass(UnavailableError, CandidateError)
    assert not issubclass(SettingError, UnavailableError)


def test_every_documented_place_has_the_same_class() -> None:
    from adamcore.conformance.asserting import ConformanceError as documented_before

    assert adamcore.conformance.ConformanceError is ConformanceError is documented_before


def test_every_documented_place_has_the_same_function() -> None:
    from adamcore.conformance.outputs import write_all as documented_before
    from adamcore.conformance.report.write import write_all

    assert write_all is documented_before

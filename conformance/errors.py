"""The errors of the conformance suite, free of heavy imports."""

from __future__ import annotations

from adamcore.errors import AdamcoreError


class UsageError(ValueError):
    """A target, dtype, probe, option or setting that does not exist or makes no sense."""


class ConformanceError(AdamcoreError, AssertionError):
    """A candidate that does not conform to its claim; the message has the findings."""


class CandidateError(Exception):
    """A target that cannot be run at all: it cannot be imported, or is of no known kind."""


class SettingError(CandidateError):
    """A wrong ``--set``, or a missing one: the user's mistake, not the candidate's."""


class UnavailableError(CandidateError):
    """A library or a device that is not on this machine."""


class SignatureError(SettingError):
    """A function whose arguments are not those of a kernel of Adam; the message has the known names."""

"""The errors of the field guide."""

from adamcore.errors import AdamcoreError


class FieldGuideError(AdamcoreError):
    """The base class of the field guide's errors."""


class EntryError(FieldGuideError, ValueError):
    """An entry lacks a field, has one that nobody reads, or names what does not exist."""


class BuildError(FieldGuideError, RuntimeError):
    """An environment could not be built; the message has the end of what the command wrote."""


class StoppedError(FieldGuideError):
    """A command was ended because the whole run was: nothing is known of what it measured."""


class MeasureError(FieldGuideError, RuntimeError):
    """A command that measures an entry failed or took too long; the message has the end of what it wrote."""

"""The errors of the project, under one base class.

A message names the place (the path of a leaf, or an argument), what was found there, what was
expected, and what to do about it.  When an error is raised, nothing has been changed.
"""


class AdamcoreError(Exception):
    """The base class of the project's errors."""


class HyperparameterError(AdamcoreError, ValueError):
    """A hyperparameter is out of its range, or vanishes in the dtype of the arithmetic."""


class AxisError(AdamcoreError, ValueError):
    """An axis does not have the value, or a combination of axes has no meaning."""


class DialectError(AdamcoreError, LookupError):
    """The table of dialects has no such row, or a row can't express what is asked of it."""


class ParameterError(AdamcoreError, TypeError):
    """A parameter can't be optimized: it is no array, or its dtype is neither floating nor complex."""


class GradientError(AdamcoreError, ValueError):
    """A gradient differs from its parameter in shape, dtype, library or device."""


class MissingGradientError(AdamcoreError, ValueError):
    """A gradient is absent under ``missing="error"``, or all are under ``all_missing="error"``."""


class TreeError(AdamcoreError, ValueError):
    """Two trees have different structures, or one array is in two leaves."""


class MaskError(AdamcoreError, ValueError):
    """A leaf of ``present`` is neither a boolean nor a boolean mask that fits the parameter."""


class StateError(AdamcoreError, ValueError):
    """A state was made for other parameters or for other axes."""


class ClockError(AdamcoreError, ValueError):
    """A clock is negative, too large, or no whole number."""


class BackendError(AdamcoreError, RuntimeError):
    """An array library is not installed, not supported, or mixed with another."""


class CheckpointError(AdamcoreError, ValueError):
    """A saved state is damaged, cut off, of another kind than expected, or incomplete."""


class ConversionError(AdamcoreError, ValueError):
    """A conversion of state is not exact, and the caller did not ask for it by name."""

"""Every error the project raises, under one base class.

A message says where (the path of the leaf, or the argument's name), what came, what was expected,
and what to do about it.  Nothing has been changed when one of these is raised.
"""


class AdamcoreError(Exception):
    """Base class of all errors of this project."""


class HyperparameterError(AdamcoreError, ValueError):
    """A hyperparameter outside its range, or one that vanishes in the dtype of the arithmetic."""


class AxisError(AdamcoreError, ValueError):
    """A value that an axis does not have, or a combination of axes that has no meaning."""


class DialectError(AdamcoreError, LookupError):
    """A dialect that is not in the table."""


class ParameterError(AdamcoreError, TypeError):
    """A parameter that cannot be optimized: not an array, or not of floating or complex dtype."""


class GradientError(AdamcoreError, ValueError):
    """A gradient whose shape, dtype, library or device is not its parameter's."""


class MissingGradientError(AdamcoreError, ValueError):
    """An absent gradient under ``missing="error"``, or none at all where the clock needs one."""


class TreeError(AdamcoreError, ValueError):
    """Trees whose structures differ, or one array standing in two leaves."""


class MaskError(AdamcoreError, ValueError):
    """A ``present`` leaf that is neither a boolean nor a boolean mask of the leaf's shape."""


class StateError(AdamcoreError, ValueError):
    """A state made for other parameters or for another choice of rules."""


class ClockError(AdamcoreError, ValueError):
    """A clock that is negative, too large, or not a whole number."""


class BackendError(AdamcoreError, RuntimeError):
    """An array library that is not installed, not supported, or mixed with another."""


class CheckpointError(AdamcoreError, ValueError):
    """A saved state that is damaged, cut, of another kind than it was taken for, or lacks something."""


class ConversionError(AdamcoreError, ValueError):
    """A conversion of state that has no exact meaning and was not asked for in so many words."""

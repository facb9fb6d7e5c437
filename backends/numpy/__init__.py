"""NumPy: :data:`backend` is what :mod:`adamcore.registry` looks for."""

from adamcore.backends.numpy.backend import backend

__all__ = ["backend"]

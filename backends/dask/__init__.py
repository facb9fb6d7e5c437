"""The backend of Dask: a step for each chunk, made where the chunk is (docs/out-of-core.md)."""

from adamcore.backends.dask.backend import backend

__all__ = ["backend"]

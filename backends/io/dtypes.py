"""The dtypes that files name, in NumPy; bfloat16 is that of ml_dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from adamcore.errors import BackendError


def numpy_dtype(name: str, where: str) -> Any:
    """Return the little-endian dtype of this name; ``where`` names the file in messages.

    Raises:
        BackendError: NumPy lacks it, and ml_dtypes, which has it, is not installed.

    >>> numpy_dtype("float32", "the file").itemsize
    4
    """
    try:
        return np.dtype(name).newbyteorder("<")
    except TypeError:
        try:
            import ml_dtypes
        except ImportError as error:
            raise BackendError(f"{where} holds {name}: pip install ml_dtypes to read it") from error
        return np.dtype(getattr(ml_dtypes, name))


def with_dtype(x: npt.NDArray[Any], where: str) -> npt.NDArray[Any]:
    """Return an array of two nameless bytes an element as bfloat16, any other as it is.

    Files of HDF5 have no type for bfloat16 and lose its name.

    Raises:
        BackendError: ml_dtypes is not installed.
    """
    nameless = x.dtype.name == "void16"
    return x.view(numpy_dtype("bfloat16", where)) if nameless else x

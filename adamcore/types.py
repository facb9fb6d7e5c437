"""Names for the values that adamcore handles without looking into them.

Each is ``Any`` to a type checker, since no type covers the arrays, dtypes and trees of every library.
"""

from __future__ import annotations

from typing import Any

Array = Any  #: an array of any library
DType = Any  #: a dtype of an array library
Device = Any  #: where an array is stored, as its library names it
Tree = Any  #: a pytree: nested containers of arrays, or one array
Clock = Any  #: the number of updates made: an int, or an int32 0-d array
Scalar = Any  #: a number, or a 0-d array of any library

"""What a function of JAX counts: numbers that NumPy computes as XLA does, so that they need no program.

They are whole numbers and truth values, numbers chosen by them, and numbers passed on as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from adamcore.conformance.candidates.programs.pointwise import Node
from adamcore.conformance.types import FloatArray

WHOLE: Mapping[str, Callable[..., FloatArray]] = {
    "add": np.add, "and": np.bitwise_and, "eq": np.equal, "ge": np.greater_equal, "gt": np.greater,
    "le": np.less_equal, "lt": np.less, "max": np.maximum, "min": np.minimum, "mul": np.multiply,
    "ne": np.not_equal, "or": np.bitwise_or, "sub": np.subtract, "xor": np.bitwise_xor,
}  # fmt: skip
"""The functions of NumPy for operations on whole numbers and truth values."""


def counted(numbers: Iterable[Node]) -> set[Node]:
    """Return those of some numbers, each behind its operands, that NumPy computes from what is given.

    >>> t = Node((), np.dtype("int32"), position=0)
    >>> counted([t, Node((), np.dtype("int32"), operands=[t])]) == set()
    False
    """
    found: set[Node] = set()
    for number in numbers:
        known = all(x in found or not x.operands for x in number.operands)
        if number.operands and known and in_numpy(number) is not None:
            found.add(number)
    return found


def in_numpy(number: Node) -> Callable[..., FloatArray] | None:
    """Return the function of NumPy that computes a number from its operands, or None if there is none."""
    name = None if number.primitive is None else number.primitive.name
    first = number.operands[0].dtype
    if name in (None, "copy") or (name == "convert_element_type" and is_wider(number.dtype, first)):
        return lambda x: x.astype(number.dtype)
    if name == "select_n" and is_whole(first):
        return lambda which, *cases: cases[int(which)]
    if name in WHOLE and all(is_whole(x.dtype) for x in (number, *number.operands)):
        return WHOLE[name]
    return None


def is_whole(dtype: Any) -> bool:
    """True if a dtype has whole numbers or truth values alone."""
    return dtype.kind in "iub"


def is_wider(dtype: Any, other: Any) -> bool:
    """True if a dtype is another one, or its complex one: no number changes.

    >>> is_wider(np.dtype("complex64"), np.dtype("float32"))
    True
    >>> is_wider(np.dtype("float64"), np.dtype("float32"))
    False
    """
    return bool(dtype == other or (other.kind == "f" and dtype == np.result_type(other, np.complex64)))

"""Which leaves and elements take part in a step (rules F1, F2, F3).

A leaf is absent if its gradient is None or ``present`` says False; an element is absent if a mask in
``present`` says False.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from adamcore.config import AdamConfig
from adamcore.errors import MaskError, MissingGradientError
from adamcore.protocol import Backend
from adamcore.trees import ParamTree
from adamcore.types import Array, Tree


class Participation(NamedTuple):
    """How one leaf takes part in a step."""

    absent: bool = False  #: True if the leaf is left as it is, and the host knows it
    zero: bool = False  #: True if a zero gradient stands in for the absent one (``missing="zero"``)
    flag: Array | None = None  #: boolean 0-d: whether the leaf is present, which only the program knows
    mask: Array | None = None  #: boolean: which elements are present


def where_of(part: Participation) -> Array | None:
    """Return the boolean that says which elements are present; None if all are."""
    return part.mask if part.flag is None else part.flag  # no property: Dynamo of 2.7 can't trace one here


PRESENT, ABSENT, ZERO = Participation(), Participation(absent=True), Participation(zero=True)


def presence(adam: AdamConfig, tree: ParamTree, grads: Sequence[Any], present: Tree) -> list[Participation]:
    """Return how each leaf takes part, by its gradient and by ``present``.

    Raises:
        MaskError: a leaf of ``present`` is no boolean, or is a mask that does not fit.
        MissingGradientError: a leaf is absent under ``missing="error"``.
    """
    masks = [True] * len(grads) if present is None else tree.match(present, "present", MaskError)
    found = []
    for i, (p, g, mask) in enumerate(zip(tree.leaves, grads, masks, strict=True)):
        if p is None:
            found.append(ABSENT)
            continue
        if mask is True and g is not None:
            found.append(PRESENT)
            continue
        value = mask
        if mask is not True:
            value = read_mask(tree.backend, mask, p.shape, partial(tree.path, i, "present"))
        if g is None or value is False:
            found.append(missing(adam, partial(tree.path, i, "grads"), g is None))
        elif value is True:
            found.append(PRESENT)
        elif value.shape == ():
            found.append(Participation(flag=value))
        else:
            found.append(Participation(mask=value))
    return found


def missing(adam: AdamConfig, path: Callable[[], str], is_none: bool) -> Participation:
    """Return how an absent leaf takes part, by the axis ``missing``."""
    if adam.missing == "error":
        came = "None" if is_none else "declared absent by `present`"
        raise MissingGradientError(
            f"{path()} is {came}: expected a gradient, as missing='error'; give one, or choose "
            "missing='skip' (the leaf stands still) or missing='zero'"
        )
    return ZERO if adam.missing == "zero" else ABSENT


def read_mask(
    backend: Backend, mask: Any, shape: tuple[int, ...], path: Callable[[], str], whole: bool = False
) -> bool | Array:
    """Return a mask as a bool if the host knows it to be one value, else as the boolean array that it is.

    Args:
        mask: what the caller gave for a leaf of this ``shape``.
        path: the leaf's path, for messages.
        whole: True if the mask must be one boolean for the whole leaf.

    Raises:
        MaskError: the mask is no boolean, or does not fit.
    """
    if isinstance(mask, bool):
        return mask
    if backend.owns(mask) and backend.boolean(mask.dtype):
        if mask.shape == ():
            value = backend.host(mask)
            return mask if value is None else bool(value)
        if not whole and broadcasts(mask.shape, shape):
            return mask
    elif type(mask).__name__ in ("bool", "bool_"):  # NumPy's, whatever the library
        return bool(mask)
    came = f"{type(mask).__name__}"
    if hasattr(mask, "dtype") and hasattr(mask, "shape"):
        came = f"an array of {mask.dtype} and shape {tuple(mask.shape)} ({came})"
    mask_too = "" if whole else f", or a boolean array of {backend.name} that broadcasts to {tuple(shape)}"
    raise MaskError(f"{path()} is {came}: expected True or False, 0-d boolean{mask_too}")


def broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    """True if an array of this ``shape`` broadcasts to the shape ``to``.

    >>> broadcasts((1, 3), (2, 3)), broadcasts((3,), (2, 3)), broadcasts((2, 3), (3,))
    (True, True, False)
    """
    if len(shape) > len(to):
        return False
    return all(a in (1, b) for a, b in zip(reversed(shape), reversed(to), strict=False))

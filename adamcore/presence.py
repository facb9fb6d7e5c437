"""Which leaves and elements take part in a step (rules F1, F2, F3)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from adamcore.errors import MaskError, MissingGradientError
from adamcore.protocol import Backend
from adamcore.trees import ParamTree

if TYPE_CHECKING:
    from adamcore.config import AdamConfig
    from adamcore.types import Array, Tree


class Participation(NamedTuple):
    """How one leaf takes part in a step."""

    absent: bool = False  #: left as it is, known before the program runs
    zero: bool = False  #: its gradient is taken to be zero (``missing="zero"``)
    flag: Array | None = None  #: 0-d: whether it is there, known only to the program
    mask: Array | None = None  #: which elements are there


PRESENT, ABSENT, ZERO = Participation(), Participation(absent=True), Participation(zero=True)


def presence(adam: AdamConfig, tree: ParamTree, grads: list[Any], present: Tree) -> list[Participation]:
    """How each leaf takes part, from its gradient and from ``present``.

    Raises:
        MaskError: a leaf of ``present`` is no boolean, or a mask that does not fit.
        MissingGradientError: a leaf is absent under ``missing="error"``.
    """
    masks = [True] * len(grads) if present is None else tree.match(present, "present", MaskError)
    found = []
    for i, (p, g, mask) in enumerate(zip(tree.leaves, grads, masks, strict=True)):
        if p is None:
            found.append(ABSENT)
            continue
        value = (
            True if mask is True else read_mask(tree.backend, mask, p.shape, partial(tree.path, i, "present"))
        )
        if g is None or value is False:
            found.append(missing(adam, partial(tree.path, i, "grads"), g is None))
        elif value is True:
            found.append(PRESENT)
        elif value.shape == ():
            found.append(Participation(flag=value))
        else:
            found.append(Participation(mask=value))
    return found


def missing(adam: AdamConfig, path: Any, is_none: bool) -> Participation:
    """What the axis ``missing`` says of an absent leaf."""
    if adam.missing == "error":
        came = "None" if is_none else "declared absent by `present`"
        raise MissingGradientError(
            f"{path()} is {came}: expected a gradient, as missing='error'; give one, or choose "
            "missing='skip' (the leaf stands still) or missing='zero'"
        )
    return ZERO if adam.missing == "zero" else ABSENT


def read_mask(backend: Backend, mask: Any, shape: tuple[int, ...], path: Any, whole: bool = False) -> Any:
    """A mask as True or False where that is all it says, else as the boolean array it is.

    ``whole`` asks for one boolean for the leaf.
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
    """Whether an array of that shape can stand for one of shape ``to``.

    >>> broadcasts((1, 3), (2, 3)), broadcasts((3,), (2, 3)), broadcasts((2, 3), (3,))
    (True, True, False)
    """
    if len(shape) > len(to):
        return False
    return all(a in (1, b) for a, b in zip(reversed(shape), reversed(to), strict=False))

"""States of optax that were restored without a target: dictionaries and lists in place of optax' tuples.

Such a tree is given by its leaves: a path, a tuple of strings, for each.  flax numbers the elements of a
tuple or a list with strings, and so does orbax.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from adamcore.backends.checkpoints.optax_files import Path
from adamcore.backends.checkpoints.request import Request
from adamcore.backends.states.named import Array, listed, numpy_of, unique, whole_number
from adamcore.errors import CheckpointError

#: The fields of the clock, of the moments and of AMSGrad's maximum: optax' own (ScaleByAdamState,
#: ScaleByAmsgradState), and those of :class:`adamcore.AdamState`.
FIELDS = (("count", "mu", "nu", "nu_max"), ("t", "m", "v", "v_max"))


def raw_state(
    leaves: Mapping[Path, Any], where: str, key: str | None = None
) -> tuple[dict[str, Array], dict[str, int] | None]:
    """Return the state of the one Adam in a tree, as :func:`from_flat` takes it for the layout "optax".

    A parameter's name is its path below the first moments, with dots.

    Args:
        leaves: the arrays of the tree, by their paths; one is looked up only if it belongs to the state.
        where: names the tree in messages.
        key: the path of the Adam with dots, or its beginning, if there are several.

    Returns:
        The arrays, with the names of the layout; and the clocks by the parameters' names, if there is not
        one for all.

    Raises:
        CheckpointError: there is none, or there are several and ``key`` does not choose one.

    Warns:
        UserWarning: gradients that ``optax.MultiSteps`` has accumulated are left out.

    Example:
        >>> import numpy as np
        >>> tree = {("0", "mu", "w"): np.zeros(2), ("0", "nu", "w"): np.ones(2), ("0", "count"): np.array(3)}
        >>> sorted(raw_state(tree, "the tree")[0])
        ['count', 'mu.w', 'nu.w']
    """
    found = {".".join(place): (place, fields) for place, fields in places(leaves).items()}
    if not found:
        raise CheckpointError(
            f"no states of Adam in {where}: expected a part with 'count', 'mu' and 'nu'; there are "
            f"{listed(dict.fromkeys(path[0] for path in leaves if path))}"
        )
    place, fields = found[Request(key=key).chosen(found, where)]
    warn_accumulated(leaves, place)
    clock, *parts = ({p[len(place) + 1 :]: p for p in leaves if below(p, (*place, f))} for f in fields)
    flat = {
        f"{part}.{name}": numpy_of(leaves[path])
        for part, paths in zip(("mu", "nu", "nu_max"), parts, strict=True)
        for name, path in zip(names_of(list(paths)), paths.values(), strict=True)
    }
    if set(clock) <= {(), ("value",)}:
        return flat | {"count": numpy_of(leaves[next(iter(clock.values()))])}, None
    names = zip(names_of(list(clock)), clock.values(), strict=True)
    return flat, {name: whole_number(leaves[path], f"clock of {name}") for name, path in names}


def places(paths: Iterable[Path]) -> dict[Path, tuple[str, ...]]:
    """Return the paths of all parts that have the fields of an Adam, and no others, with these fields.

    >>> places([("0", "count"), ("0", "mu", "w"), ("0", "nu", "w"), ("1", "count"), ("1", "mu")])
    {('0',): ('count', 'mu', 'nu', 'nu_max')}
    """
    inner: dict[Path, set[str]] = {}
    for path in paths:
        for k in range(len(path)):
            inner.setdefault(path[:k], set()).add(path[k])
    return {
        place: fields
        for place, has in inner.items()
        for fields in FIELDS
        if set(fields[:3]) <= has <= set(fields)
    }


def below(path: Path, place: Path) -> bool:
    """True if a path is a place, or lies below it."""
    return path[: len(place)] == place


def names_of(paths: list[Path]) -> list[str]:
    """Return paths with dots; without the last part if it is "value" in all, as in variables of nnx.

    >>> names_of([("dense", "kernel", "value"), ("dense", "bias", "value")])
    ['dense.kernel', 'dense.bias']
    """
    boxed = all(path[-1:] == ("value",) and len(path) > 1 for path in paths)
    return unique([".".join(path[:-1] if boxed else path) for path in paths])


def warn_accumulated(leaves: Mapping[Path, Any], place: Path) -> None:
    """Warn of gradients that a ``optax.MultiSteps`` around the Adam at a place has accumulated."""
    for k in range(len(place)):
        above = place[:k]
        for path in ((*above, "mini_step"), (*above, "mini_step", "value")):
            if path in leaves and any(below(p, (*above, "acc_grads")) for p in leaves):
                warn_multi_steps(whole_number(leaves[path], "mini_step"))


def warn_multi_steps(count: int) -> None:
    """Warn that gradients of so many mini-steps are left out, if there are any."""
    if count:
        warnings.warn(
            f"the gradients of {count} mini-steps, which optax.MultiSteps has accumulated for the next "
            "update, are left out",
            stacklevel=4,
        )

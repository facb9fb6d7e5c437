"""The names of the parameters in a ``state_dict`` of PyTorch's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from adamcore.backends.states.named import NamedState, listed, unique
from adamcore.errors import CheckpointError


def of_optimizer(source: Any, names: Iterable[Any] | None) -> tuple[Any, Iterable[Any] | None]:
    """Return the ``state_dict`` of an optimizer, and the names of its parameters, a list for each group.

    Anything else than an optimizer is returned as it is.

    Raises:
        CheckpointError: the names are those of another model's parameters.
    """
    if not callable(getattr(source, "state_dict", None)) or not hasattr(source, "param_groups"):
        return source, names
    if names is None:
        return source.state_dict(), None
    given = list(names)
    if not all(is_pair(entry) for entry in given):
        return source.state_dict(), given
    found = {id(parameter): (name, parameter) for name, parameter in given}
    for number, group in enumerate(source.param_groups):
        for p in group["params"]:
            if id(p) not in found:
                raise CheckpointError(
                    f"group {number} of the optimizer has a parameter of shape {tuple(p.shape)} that none of "
                    "the names belongs to: expected the names of the model whose parameters it steps"
                )
    return source.state_dict(), [[found[id(p)] for p in group["params"]] for group in source.param_groups]


def is_pair(entry: Any) -> bool:
    """True for a name with its parameter, as ``model.named_parameters()`` gives them."""
    return isinstance(entry, tuple) and len(entry) == 2 and hasattr(entry[1], "shape")


def names_of(
    groups: Sequence[Mapping[str, Any]],
    names: Iterable[Any] | None,
    by_position: bool,
    shapes: Mapping[Any, Any],
) -> dict[Any, str]:
    """Return the name of each id in a ``state_dict``.

    A ``state_dict`` that names its parameters itself, by ``param_names`` or by ids that are names, is
    believed; names that are given beside it are matched with its own.

    Args:
        groups: its parameter groups.
        names: strings, pairs of a name and a parameter, or a list of these for each group.
        by_position: if True, and without names, the ids are counted.
        shapes: the shapes of the moments, by id.

    Raises:
        CheckpointError: there are no names, or not as many as parameters; their order is not known; or a
            parameter has another shape than its moments.
    """
    order = [i for group in groups for i in group["params"]]
    own = own_names(groups)
    if names is None:
        if by_position:
            return {i: str(k) for k, i in enumerate(order)}
        if own is None:
            several = sum(1 for group in groups if group["params"]) > 1
            raise CheckpointError(
                f"the state_dict numbers its {len(order)} parameters and does not name them: give their "
                f"names in the optimizer's order ({SEVERAL if several else ONE}), or ask for "
                "by_position=True (--by-position)"
            )
        return dict(zip(order, unique(own), strict=True))
    given, by_group = flat_names(groups, names)
    listing = unique([entry if isinstance(entry, str) else entry[0] for entry in given])
    if own is not None and set(listing) & set(own):
        places = {name: k for k, name in enumerate(listing)}
        lacking = [name for name in own if name not in places]
        if lacking:
            raise CheckpointError(
                "the state_dict names its parameters itself, and the names given are others: without "
                f"{listed(lacking)}; expected the same, or none"
            )
        given = [given[places[name]] for name in own]
        listing = own
    elif not by_group and any(map(is_pair, given)) and sum(1 for group in groups if group["params"]) > 1:
        raise CheckpointError(
            f"the model's order is not that of the optimizer's {len(groups)} groups: give the names in "
            f"the optimizer's order ({SEVERAL})"
        )
    if len(listing) != len(order):
        raise CheckpointError(f"{len(listing)} names for {len(order)} parameters: expected one for each")
    for i, entry in zip(order, given, strict=True):
        if is_pair(entry) and i in shapes and tuple(shapes[i]) != tuple(entry[1].shape):
            raise CheckpointError(
                f"{entry[0]} has shape {tuple(entry[1].shape)} and the moments in its place "
                f"{tuple(shapes[i])}: the names are not in the optimizer's order"
            )
    return dict(zip(order, listing, strict=True))


def own_names(groups: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """Return the names that a ``state_dict`` gives to its parameters, in its order; None if it has none.

    >>> own_names([{"params": ["a.weight", "a.bias"]}])
    ['a.weight', 'a.bias']
    """
    order = [i for group in groups for i in group["params"]]
    if order and all(isinstance(i, str) for i in order) and not all(i.isdigit() for i in order):
        return order
    names = [name for group in groups for name in group.get("param_names", [])]
    return names if len(names) == len(order) and None not in names else None


def flat_names(groups: Sequence[Mapping[str, Any]], names: Iterable[Any]) -> tuple[list[Any], bool]:
    """Return names, or pairs of a name and a parameter, in one list, and whether they came by groups.

    Raises:
        CheckpointError: the groups have other sizes.
    """
    given = list(names)
    if any(isinstance(entry, str) or is_pair(entry) for entry in given):
        return given, False
    sizes = [len(entry) for entry in given], [len(group["params"]) for group in groups]
    if sizes[0] != sizes[1]:
        raise CheckpointError(f"names for groups of {sizes[0]} parameters: expected {sizes[1]}")
    return [entry for group in given for entry in group], True


ONE = "names=model.named_parameters(), on the command line --names FILE"
SEVERAL = (
    "names=[[names of the first group], ...]; or give the optimizer itself with "
    "names=model.named_parameters(); on the command line --names FILE, one group after another"
)


def check_shapes(state: NamedState, names: list[Any] | None) -> None:
    """Raise CheckpointError if a parameter that is given with its name has another shape than its moments."""
    flat = [x for entry in names or [] for x in (entry if isinstance(entry, list) else [entry])]
    for name, parameter in filter(is_pair, flat):
        if name in state.leaves and tuple(parameter.shape) != state.leaves[name].m.shape:
            raise CheckpointError(
                f"{name} has shape {tuple(parameter.shape)} and its moments {state.leaves[name].m.shape}: "
                "expected the same; rename the state with axes first"
            )

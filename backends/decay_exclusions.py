"""What ``exclude_from_weight_decay`` of our Keras optimizer names, and what a configuration keeps of it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from adamcore.errors import HyperparameterError

KEY = "exclude_from_weight_decay"  #: the entry of a configuration


class Variable(Protocol):
    """A variable of a Keras model: its name (``"gamma"``) and its path (``"layer_norm/gamma"``)."""

    @property
    def name(self) -> str: ...

    @property
    def path(self) -> str: ...


class Named(NamedTuple):
    """A variable of which only the path is known."""

    path: str

    @property
    def name(self) -> str:
        """Return the last part of the path."""
        return self.path.rpartition("/")[2]


class Place(NamedTuple):
    """Where a variable was when a configuration was made.

    A loaded model has its variables in the same order, but their paths may differ: a ``Sequential`` leaves
    its own name out of them, and layers without a name are numbered anew.
    """

    path: str
    position: int | None  #: among the trained variables; None if it was none of them, or they were not known
    total: int  #: the number of trained variables

    def among(self, variables: Sequence[Variable]) -> list[int]:
        """Return the variable's position in a list, or nothing: that which it had, else that of its path."""
        at = self.position
        if at is not None and self.total == len(variables) and variables[at].name == Named(self.path).name:
            return [at]
        alike = [i for i, variable in enumerate(variables) if variable.path == self.path]
        return alike if len(alike) == 1 else []


@dataclass(frozen=True)
class DecayExclusions:
    """What does not decay, as it was named.

    Attributes:
        names: regular expressions.  Each is searched for in the names of the variables, as by Keras; one that
            is in no name is searched for in their paths, which have the names of the layers.
        variables: variables of the model.
        places: where a configuration says that such variables were.
    """

    names: tuple[str, ...] = ()
    variables: tuple[Variable, ...] = ()
    places: tuple[Place, ...] = ()

    def and_also(self, variables: Iterable[Variable] | None, names: Iterable[str] | None) -> DecayExclusions:
        """Return these and those of another call.

        Raises:
            HyperparameterError: the names are no list of regular expressions.
        """
        try:
            if isinstance(names, str):
                raise TypeError("this is one string")
            wanted = tuple(names or ())
            for name in wanted:
                re.compile(name)
        except (TypeError, re.error) as error:
            raise HyperparameterError(
                f"var_names={names!r}: expected a list of regular expressions, such as ['bias'] ({error})"
            ) from error
        return replace(
            self,
            names=tuple(dict.fromkeys((*self.names, *wanted))),
            variables=(*self.variables, *(variables or ())),
        )

    def among(self, variables: Sequence[Variable]) -> frozenset[int]:
        """Return the positions of the variables that do not decay.

        Warns:
            UserWarning: something that is named is none of the variables.
        """
        found: list[tuple[str, list[int]]] = []
        for name in self.names:
            by_name = [i for i, variable in enumerate(variables) if re.search(name, variable.name)]
            by_path = [i for i, variable in enumerate(variables) if re.search(name, variable.path)]
            found.append((repr(name), by_name or by_path))
        found += [(place.path, place.among(variables)) for place in self.places]
        found += [(given.path, position_of(given, variables)) for given in self.variables]
        nowhere = [what for what, positions in found if not positions]
        if nowhere and variables:
            warnings.warn(
                f"{KEY}: {listed(nowhere)} names no variable that is trained, and leaves nothing out of "
                f"weight decay; expected some of {listed([variable.path for variable in variables])}",
                stacklevel=3,
            )
        return frozenset(i for _, positions in found for i in positions)

    def config(self, variables: Sequence[Variable]) -> dict[str, Any]:
        """Return the entry of a configuration, or nothing if nothing is named.

        Args:
            variables: those that are trained; empty if they are not known.
        """
        found = [(given.path, position_of(given, variables)) for given in self.variables]
        places = [Place(path, at[0] if at else None, len(variables)) for path, at in found]
        for place in self.places:
            at = place.among(variables)
            places.append(Place(variables[at[0]].path, at[0], len(variables)) if at else place)
        if not self.names and not places:
            return {}
        return {KEY: {"var_names": list(self.names), "var_list": [list(place) for place in places]}}

    @classmethod
    def of_config(cls, config: Mapping[str, Any]) -> DecayExclusions:
        """Return what a configuration has of them."""
        entry = config.get(KEY) or {}
        places = tuple(Place(*place) for place in entry.get("var_list", ()))
        return cls(tuple(entry.get("var_names", ())), (), places)


def position_of(given: Variable, variables: Sequence[Variable]) -> list[int]:
    """Return the position of a variable in a list, or nothing."""
    return [i for i, variable in enumerate(variables) if variable is given]


def listed(words: Sequence[str]) -> str:
    """Return words in a line, the first ones if they are many."""
    return ", ".join(words[:6]) + (", ..." if words[6:] else "")

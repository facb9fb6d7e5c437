"""The optimizer in an .h5 file of Keras 2, whose variables have names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from adamcore.backends.checkpoints.request import Request
from adamcore.backends.states.layouts import dialect_is_needed, from_flat
from adamcore.backends.states.named import Array, NamedState
from adamcore.dialects import DIALECTS
from adamcore.errors import CheckpointError

PARTS = {"m": "momentum", "v": "velocity", "vhat": "velocity_hat"}
NUMBERS = {"lr": "learning_rate", "b1": "beta_1", "b2": "beta_2", "eps": "epsilon"}
NUMBERS |= {"weight_decay": "weight_decay"}


def places_of(names: Iterable[str]) -> dict[str, str]:
    """Return the names of the layout "keras" by those in the file: of the clock and of the moments.

    The older optimizers say "Adam/dense/kernel/m:0", and the newer "Adam/m/dense/kernel:0".

    >>> places_of(["Adam/iter:0", "Adam/dense/kernel/m:0"])
    {'Adam/iter:0': 'iteration', 'Adam/dense/kernel/m:0': 'dense/kernel/momentum'}
    """
    found = {}
    for name in names:
        plain = name.removesuffix(":0").removeprefix("training/")
        if plain == "iteration" or plain.endswith(("/iter", "/iteration", "/iterations")):
            found[name] = "iteration"
        elif newer := re.fullmatch(r"[^/]+/(m|v|vhat)/(.+)", plain):
            found[name] = f"{newer[2]}/{PARTS[newer[1]]}"
        elif older := re.fullmatch(r"[^/]+/(.+)/(m|v|vhat)", plain):
            found[name] = f"{older[1]}/{PARTS[older[2]]}"
    return found


def from_keras2(
    arrays: Mapping[str, Array], config: Mapping[str, Any], kind: str, where: str, request: Request
) -> NamedState:
    """Return the state in the variables of an optimizer of Keras 2.

    Args:
        arrays: the variables, by their names in the file.
        config: the optimizer's ``get_config()``, empty if the file does not have it.
        kind: the optimizer's class.
        where: names the file in messages.
        request: what the caller says.

    Raises:
        CheckpointError: the optimizer is no Adam, or its variables have no names that tell what they are.
    """
    kind = kind.rpartition(">")[2]
    rows = (f"tf_keras.{kind or 'Adam'}", f"keras.{kind}")
    row = next((row for row in rows if row in DIALECTS), None)
    if row is None:
        raise CheckpointError(f"{where} holds the state of {kind}, which is no Adam")
    places = places_of(arrays)
    if not any(place.endswith("/momentum") for place in places.values()):
        raise CheckpointError(
            f"{where} is of Keras 2, and its variables ({', '.join(list(arrays)[:3])}, ...) have no names of "
            "parameters: load the model and save it with Keras 3, or take the state from its optimizer"
        )
    if row == "tf_keras.Adam" and "is_legacy_optimizer" not in config:
        row = "tf_keras.legacy.Adam"
    told = {ours: float(config[theirs]) for ours, theirs in NUMBERS.items() if is_number(config.get(theirs))}
    if not config and request.needs_dialect and request.dialect is None:
        raise CheckpointError(dialect_is_needed(where, "keras"))
    return from_flat(
        {places[name]: x for name, x in arrays.items() if name in places},
        "keras",
        dialect_name=request.dialect or row,
        hyper=told | dict(request.hyper or {}),
        t=request.t,
    )


def is_number(value: object) -> bool:
    """True for a number, and not for a truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)

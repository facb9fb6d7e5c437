"""States in TensorFlow's checkpoints: those by object (TensorFlow 2), and those by name (TensorFlow 1, BERT).

In a checkpoint by object the arrays have the paths of attributes.  The graph of objects beside them has the
names of the variables, which are the parameters' names here ("dense/kernel"), and of the optimizer's
variables, which only have numbers for paths.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

from adamcore.backends.checkpoints.request import Request
from adamcore.backends.io.tensor_bundle import TensorBundle, fields, last
from adamcore.backends.states.layouts import detect_layout, dialect_is_needed, from_flat
from adamcore.backends.states.named import Array, NamedState, listed
from adamcore.errors import CheckpointError

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
SLOT = re.compile(rf"(.+)/\.OPTIMIZER_SLOT/(.+)/(m|v|vhat){re.escape(VALUE)}")
VARIABLE = re.compile(rf"(.+)/_variables/(\d+){re.escape(VALUE)}")
#: The names of the optimizer's variables: those of tf_keras ("Adam/m/dense/kernel"), and those of Keras 3
#: ("adam/dense_kernel_momentum").
OLDER = re.compile(r"[^/]+/(m|v|vhat)/(.+)")
NEWER = re.compile(r"[^/]+/(.+)_(momentum|velocity|velocity_hat)")
PARTS = {"m": "momentum", "v": "velocity", "vhat": "velocity_hat"}


def prefix_of(path: str | os.PathLike[str]) -> Path | None:
    """Return the prefix of a checkpoint's files, or None if the path leads to none.

    Args:
        path: the prefix itself, the index, a folder with a file "checkpoint" that names the last one, or
            the folder of a SavedModel.
    """
    given = Path(path)
    if given.suffix == ".index" and os.path.isfile(given):
        return given.with_suffix("")
    candidates = [given, given / "variables" / "variables"]
    listing = given / "checkpoint"
    if os.path.isfile(listing):
        named = re.search(rb'^model_checkpoint_path: "(.+)"', listing.read_bytes(), re.MULTILINE)
        candidates += [given / Path(os.fsdecode(named[1])).name] if named else []
    return next((each for each in candidates if os.path.isfile(f"{each}.index")), None)


def from_tensorflow(arrays: Mapping[str, Array], where: str, request: Request) -> NamedState:
    """Return the state in a checkpoint.

    Args:
        arrays: those of the checkpoint by their names; a :class:`TensorBundle`, or what somebody has copied
            out of one, which then lacks the graph of objects.
        where: names the checkpoint in messages.
        request: what the caller says.

    Raises:
        CheckpointError: there is no state of Adam, or there are several, or what the checkpoint does not
            tell is not given.

    Warns:
        UserWarning: averages of the weights are left out.
    """
    kind, dialect, hyper, t, needs_dialect, _ = request
    if not is_by_object(arrays):
        found = kind or detect_layout(arrays)
        if found is None:
            raise CheckpointError(
                f"{where} does not tell whose state it is (arrays: {listed(arrays)}): say so, tf1 or bert "
                "(--from)"
            )
        return from_flat(arrays, found, dialect_name=dialect, hyper=hyper, t=t)
    if kind not in (None, "keras"):
        raise CheckpointError(f"{where} is a checkpoint of Keras' in TensorFlow 2: expected one of {kind}'s")
    graph = arrays.text(GRAPH) if isinstance(arrays, TensorBundle) else b""
    names = dict(variable_names(graph))
    slots = [SLOT.fullmatch(key) for key in arrays]
    found_slots = [match for match in slots if match]
    flat, made_by, told = (
        of_slots(arrays, where, found_slots, names, request)
        if found_slots
        else of_variables(arrays, where, names, request)
    )
    if needs_dialect and dialect is None:
        raise CheckpointError(dialect_is_needed(where, "keras"))
    return from_flat(flat, "keras", dialect_name=dialect or made_by, hyper=told | dict(hyper or {}), t=t)


def is_by_object(arrays: Iterable[str]) -> bool:
    """True for the names of a checkpoint by object."""
    return any(key.endswith(VALUE) for key in arrays)


def variable_names(graph: bytes) -> list[tuple[str, str]]:
    """Return the keys of all variables in the graph of objects, each with the variable's name."""
    nodes = (fields(node) for node in fields(graph).get(1, []))
    attributes = (fields(each) for node in nodes for each in node.get(2, []))
    return [(last(each, 3, b"").decode(), last(each, 2, b"").decode()) for each in attributes]


Found = tuple[dict[str, Array], str, dict[str, float]]
"""The arrays under the names of the layout "keras", the dialect that has such names, and hyperparameters."""


def of_slots(
    arrays: Mapping[str, Array],
    where: str,
    slots: list[re.Match[str]],
    names: Mapping[str, str],
    request: Request,
) -> Found:
    """Return the moments that lie beside the variables, as the older optimizers of Keras 2 have them."""
    place = request.chosen(dict.fromkeys(slot[2] for slot in slots), where)
    mine = [slot for slot in slots if slot[2] == place]
    called = {slot[1]: names.get(f"{slot[1]}{VALUE}", slot[1]) for slot in mine}
    if len(set(called.values())) < len(called):  # two layers of the same name, in two models
        called = {variable: variable for variable in called}
    flat = {f"{called[slot[1]]}/{PARTS[slot[3]]}": arrays[slot[0]] for slot in mine}
    flat |= clock(arrays, f"{place}/iter")
    told = numbers(arrays, place, {"lr": "learning_rate", "b1": "beta_1", "b2": "beta_2"})
    return flat, "tf_keras.legacy.Adam", told


def of_variables(
    arrays: Mapping[str, Array], where: str, names: Mapping[str, str], request: Request
) -> Found:
    """Return the moments among an optimizer's numbered variables, which the graph of objects names."""
    numbered = [match for match in map(VARIABLE.fullmatch, arrays) if match]
    if numbered and not names:
        raise CheckpointError(
            f"{where} numbers the optimizer's variables, and their names are in the graph of objects, which "
            "is not there: give the checkpoint itself (its path without .index)"
        )
    moments = {match[0]: moment(names.get(match[0], "")) for match in numbered}
    place = request.chosen(dict.fromkeys(match[1] for match in numbered if moments[match[0]]), where)
    weights = {
        name.replace("/", "_"): name
        for key, name in names.items()
        if key.startswith(f"{place}/_trainable_variables/")
    }
    flat: dict[str, Array] = {}
    for key in (match[0] for match in numbered if match[1] == place):
        found = moments[key]
        if found:
            flat[f"{weights.get(found[0], found[0])}/{found[1]}"] = arrays[key]
    beside = [names[m[0]] for m in numbered if m[1] == place and not moments[m[0]] and arrays[m[0]].ndim]
    if any("gradient_accumulator" in name for name in beside) and request.t is None:
        raise CheckpointError(
            f"{where} has accumulated gradients, and not how many of them make an update, so that its count "
            "tells no clock: give t, the updates made so far (--t N)"
        )
    if beside:
        warnings.warn(f"{listed(beside)}: no part of Adam's state, left out", stacklevel=4)
    flat |= clock(arrays, f"{place}/_iterations")
    newer = any(key.startswith(f"{place}/_trainable_variables/") for key in names)
    return flat, "keras.Adam" if newer else "tf_keras.Adam", numbers(arrays, place, {"lr": "_learning_rate"})


def moment(name: str) -> tuple[str, str] | None:
    """Return whose moment a variable is, and which, from its name; None if it is none.

    >>> moment("Adam/m/dense/kernel"), moment("adam/dense_kernel_velocity"), moment("adam/iteration")
    (('dense/kernel', 'momentum'), ('dense_kernel', 'velocity'), None)
    """
    if older := OLDER.fullmatch(name):
        return older[2], PARTS[older[1]]
    newer = NEWER.fullmatch(name)
    return (newer[1], newer[2]) if newer else None


def clock(arrays: Mapping[str, Array], key: str) -> dict[str, Array]:
    """Return the clock under the name of the layout "keras", if it is there."""
    return {"iteration": arrays[key + VALUE]} if key + VALUE in arrays else {}


def numbers(arrays: Mapping[str, Array], place: str, keys: Mapping[str, str]) -> dict[str, float]:
    """Return the hyperparameters that are there."""
    return {
        name: float(arrays[path]) for name, key in keys.items() if (path := f"{place}/{key}{VALUE}") in arrays
    }

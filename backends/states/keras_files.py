"""The state of an optimizer in a file of Keras': .keras, .weights.h5, and the older .h5."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple

from adamcore.adam import Adam
from adamcore.backends.checkpoints.request import Request
from adamcore.backends.decay_exclusions import KEY, DecayExclusions, Named
from adamcore.backends.io.dtypes import with_dtype
from adamcore.backends.states.keras import warn_left_out
from adamcore.backends.states.keras2_files import from_keras2
from adamcore.backends.states.layouts import dialect_is_needed, from_flat
from adamcore.backends.states.named import Array, NamedState, numpy_of, unique, whole_number
from adamcore.dialects import DIALECTS
from adamcore.dialects import dialect as dialect_named
from adamcore.errors import BackendError, CheckpointError


class Saved(NamedTuple):
    """A saved optimizer."""

    variables: list[Array]  #: those of the optimizer, in its order; those of the inner one if it is wrapped
    config: Mapping[str, Any] | None  #: its ``get_config()``; None if the file has none
    kind: str  #: its class, "" if the file does not have it
    named: Mapping[str, Array] | None = None  #: the variables by their names, in a file of Keras 2


def read_keras(
    data: bytes,
    where: str,
    names: Iterable[str] | None,
    *,
    by_position: bool,
    dialect: str | None,
    hyper: Mapping[str, Any] | None,
    needs: bool,
) -> NamedState:
    """Return the state in a file of Keras'; the arguments are those of :func:`foreign.read`.

    Raises:
        CheckpointError: the file is damaged, holds no optimizer or none that is an Adam, or what it does
            not tell is not given.
        BackendError: h5py is not installed.

    Warns:
        UserWarning: averages, accumulated gradients or a schedule are left out.
    """
    saved = open_file(data, where)
    if saved.named is not None:
        if names is not None:
            raise CheckpointError(f"{where} names its variables: expected no other names (--names)")
        request = Request("keras", dialect, hyper, None, needs)
        return from_keras2(saved.named, saved.config or {}, saved.kind, where, request)
    if saved.config is None:
        if needs and dialect is None:
            raise CheckpointError(dialect_is_needed(where, "keras"))
        return plain_state(saved.variables, where, names, by_position, dialect, hyper)
    row, numbers = settings(saved, where)
    if dialect is not None and dialect != row:
        raise CheckpointError(f"{where} was made by {row}: expected no other dialect (got {dialect!r})")
    adam = dialect_named(row).adam(**({"lr": 1e-3} | numbers))
    if adam.nesterov == "dozat":
        raise CheckpointError(
            f"{where} holds the products of Dozat's schedule beside the moments: load the model and take the "
            "state from its optimizer (from_keras)"
        )
    scheduled = isinstance(saved.config["learning_rate"], Mapping)
    scalars = 1 if scheduled else 2
    stores = [saved.config.get("use_ema"), saved.config.get("gradient_accumulation_steps")]
    beside = sum(map(bool, stores))
    clocks = adam.clock == "per-parameter"  # ours alone
    kept = 3 if adam.amsgrad != "none" else 2
    parts = kept + clocks
    n, rest = divmod(len(saved.variables) - scalars, parts + beside)
    if n < 0 or rest:
        raise CheckpointError(
            f"{where} has {len(saved.variables)} variables, which are not those of its optimizer, {row}: "
            f"expected {scalars} and a multiple of {parts + beside}"
        )
    count = whole_number(saved.variables[0], "iteration")
    steps = int(stores[1] or 1)
    warn_left_out(bool(stores[0]), count % steps)
    if scheduled:
        numbers = {k: x for k, x in numbers.items() if k != "lr"}
        if "lr" not in (hyper or {}):
            warn_schedule(saved.config["learning_rate"])
    else:
        numbers["lr"] = float(saved.variables[1])
    moments = saved.variables[scalars + beside * n :]
    named = named_variables(moments[: kept * n], n, names, by_position, where)
    t: Any = count // steps
    if clocks:
        t = {
            name: whole_number(x, f"clock of {name}")
            for name, x in zip(named, moments[kept * n :], strict=True)
        }
    state = from_flat(flat_of(named), "keras", dialect_name=row, hyper=numbers | dict(hyper or {}), t=t)
    return without_decay(state, saved.config, by_position)


def without_decay(state: NamedState, config: Mapping[str, Any], by_position: bool) -> NamedState:
    """Return the state with a weight decay of 0 for the variables that the configuration excludes.

    Warns:
        UserWarning: the variables have no names, or the configuration names none of them.
    """
    exclusions = DecayExclusions.of_config(config)
    if by_position and exclusions != DecayExclusions():
        warnings.warn(
            f"{KEY} is left out: it names variables, and they have numbers here; give their paths (--names)",
            stacklevel=4,
        )
        return state
    if not state.adam.weight_decay:
        return state
    names = list(state.leaves)
    excluded = exclusions.among([Named(name) for name in names])
    return replace(state, special={names[i]: {"weight_decay": 0.0} for i in sorted(excluded)})


def warn_schedule(schedule: Mapping[str, Any]) -> None:
    """Warn that the learning rate is a schedule, which no file holds as a number."""
    warnings.warn(
        f"the learning rate is a schedule ({schedule.get('class_name')}), which is left out: give its number "
        "(hyper={'lr': ...}, --set lr=...)",
        stacklevel=4,
    )


#: The fields of :class:`adamcore.Adam` whose arguments have another name in our Keras optimizer.
RENAMED = {"beta_1": "b1", "beta_2": "b2", "epsilon": "eps", "epsilon_rule": "epsilon"}


def settings(saved: Saved, where: str) -> tuple[str, dict[str, Any]]:
    """Return the dialect of a saved optimizer, and its hyperparameters and axes.

    Raises:
        CheckpointError: it is no Adam.
    """
    config = saved.config or {}
    if "dialect" in config:  # ours
        ours = {RENAMED.get(name, name): value for name, value in config.items()}
        own = {f.name: ours[f.name] for f in fields(Adam) if f.name in ours}
        return str(config["dialect"]), own | number_of("lr", config.get("learning_rate"))
    row = DIALECTS.get(f"keras.{saved.kind}")
    if row is None:
        raise CheckpointError(
            f"{where} holds the state of {saved.kind or 'another optimizer'}, which is no Adam"
        )
    numbers: dict[str, Any] = {}
    for name, theirs in row.hyper.items():
        numbers |= number_of(name, config.get(theirs))
    if config.get("amsgrad"):
        numbers["amsgrad"] = "uncorrected"
    return row.name, numbers


def number_of(name: str, value: Any) -> dict[str, Any]:
    """Return a hyperparameter of a configuration, or nothing if it has none or a schedule."""
    return {name: value} if isinstance(value, int | float) and not isinstance(value, bool) else {}


def open_file(data: bytes, where: str) -> Saved:
    """Return the optimizer in a .keras or .h5 file.

    Raises:
        CheckpointError: the file is damaged, or holds no optimizer.
        BackendError: h5py is not installed.
    """
    try:
        import h5py  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise BackendError(f"{where} is a file of Keras': pip install h5py to read it") from error
    try:
        described: Any = None
        if data[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                data = archive.read("model.weights.h5")
                config = json.loads(archive.read("config.json"))
                described = (config.get("compile_config") or {}).get("optimizer")
        with h5py.File(io.BytesIO(data), "r") as file:
            if "optimizer_weights" in file:
                training = json.loads(file.attrs.get("training_config", "{}"))
                return older(file["optimizer_weights"], training.get("optimizer_config"), where)
            inside = "optimizer"
            while f"{inside}/inner_optimizer" in file:
                inside += "/inner_optimizer"
            if f"{inside}/vars" not in file:
                raise CheckpointError(
                    f"{where} holds no optimizer: expected a compiled model's, saved with model.save"
                )
            group = file[f"{inside}/vars"]
            variables = [with_dtype(numpy_of(group[str(k)][()]), where) for k in range(len(group))]
            return Saved(variables, *inner_config(described))
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, zipfile.BadZipFile) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{where} is damaged, or no file of Keras' ({error})") from error


def inner_config(described: Any) -> tuple[Mapping[str, Any] | None, str]:
    """Return the configuration and the class of a serialized optimizer, out of its LossScaleOptimizers."""
    while isinstance(described, Mapping) and "inner_optimizer" in (described.get("config") or {}):
        described = described["config"]["inner_optimizer"]
    if not isinstance(described, Mapping) or not isinstance(described.get("config"), Mapping):
        return None, ""
    return described["config"], str(described.get("class_name", ""))


def older(group: Any, described: Any, where: str) -> Saved:
    """Return the optimizer in a .h5 file of ``model.save``, which names the variables."""
    parts = sorted((k for k in group.attrs if k.startswith("weight_names")), key=lambda k: (len(k), k))
    listing = [n.decode() if isinstance(n, bytes) else str(n) for k in parts for n in group.attrs[k]]
    config, kind = inner_config(described)
    found = [with_dtype(numpy_of(group[name][()]), where) for name in listing]
    if any(name.endswith(":0") for name in listing):
        return Saved([], config, kind, dict(zip(listing, found, strict=True)))
    first = max((k for k, name in enumerate(listing) if name.endswith("/iteration")), default=0)
    return Saved(found[first:], config, kind)


def named_variables(
    moments: list[Array], n: int, names: Iterable[str] | None, by_position: bool, where: str
) -> dict[str, list[Array]]:
    """Return the moments of ``n`` variables by name: m and v of each variable, then all maxima, if any.

    Raises:
        CheckpointError: there are no names, not as many, or the shapes of a pair differ.
    """
    if names is None and not by_position:
        raise CheckpointError(
            f"{where} numbers the {n} variables and does not name them: give the paths of the model's "
            "trainable variables in their order (--names FILE), or ask for by_position (--by-position)"
        )
    given = [str(k) for k in range(n)] if names is None else unique(list(names))
    if n != len(given) or any(moments[2 * k].shape != moments[2 * k + 1].shape for k in range(n)):
        raise CheckpointError(
            f"{where} has the moments of {n} variables, {len(moments)} arrays: expected those of "
            f"{len(given)} names, two for each (three with AMSGrad)"
        )
    return {
        name: [moments[2 * k], moments[2 * k + 1], *moments[2 * n + k : 2 * n + k + 1]]
        for k, name in enumerate(given)
    }


def flat_of(named: Mapping[str, list[Array]]) -> dict[str, Array]:
    """Return the moments under the names of the layout "keras"."""
    parts = ("momentum", "velocity", "velocity_hat")
    return {f"{name}/{part}": x for name, each in named.items() for part, x in zip(parts, each, strict=False)}


def plain_state(
    variables: list[Array],
    where: str,
    names: Iterable[str] | None,
    by_position: bool,
    dialect: str | None,
    hyper: Mapping[str, Any] | None,
) -> NamedState:
    """Return the state in the variables of an optimizer of which nothing else is known (.weights.h5)."""
    scalars = 1
    while scalars < min(2, len(variables)) and variables[scalars].ndim == 0:
        scalars += 1
    rest = variables[scalars:]
    given = list(names) if names is not None else None
    parts = 3 if given and len(rest) == 3 * len(given) else 2
    n, left = divmod(len(rest), parts)
    if left:
        raise CheckpointError(
            f"{where} has {len(rest)} variables beside the clock and the learning rate, no configuration: "
            "expected two for each parameter (three with AMSGrad), those of an Adam without averages and "
            "accumulated gradients; save the whole model (.keras)"
        )
    flat = flat_of(named_variables(rest, n, given, by_position, where))
    flat["iteration"] = variables[0]
    lr = {"lr": float(variables[1])} if scalars == 2 else {}
    return from_flat(flat, "keras", dialect_name=dialect, hyper=lr | dict(hyper or {}))

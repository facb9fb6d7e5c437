"""What an optimizer of PyTorch claims to be, and what its parameter groups say in a step."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adamcore.axes import AXES
from adamcore.config import HYPERPARAMETERS, MOMENT_STORAGE
from adamcore.conformance.audit.arrays import RecordingError
from adamcore.conformance.audit.log import STORED, Settings
from adamcore.dialects import DIALECTS, Dialect, for_class, parse_option

TORCH_NAMES = {
    "lr": "lr", "b1": "betas[0]", "b2": "betas[1]", "eps": "eps", "weight_decay": "weight_decay",
    "eps_root": "eps_root", "momentum_decay": "momentum_decay", "lr_max": "max_lr_snapshot",
}  # fmt: skip


def options_in(*rows: Dialect) -> list[str]:
    """Return the names of the arguments that change axes."""
    return sorted({key for row in rows for option in row.options for key in parse_option(option)})


OPTIONS = options_in(*DIALECTS.values())


@dataclass(frozen=True)
class Claimed:
    """What the class of an optimizer claims to be."""

    row: Dialect | None
    note: str = ""  #: why, where the class itself is in no row

    @property
    def lazy(self) -> bool:
        """Whether what a sparse gradient does not list stands still."""
        return self.row is not None and self.row.name == "torch.SparseAdam"


def claimed_by(optimizer: Any) -> Claimed:
    """Return the claim of an optimizer: its class's row in the table, or that of its nearest base.

    A class that is in no row and has the name of one as its attribute ``dialect`` claims that one.
    """
    kind = type(optimizer)
    name = f"{kind.__module__}.{kind.__qualname__}"
    own = getattr(kind, "dialect", None)
    for base in kind.__mro__:
        row = for_class(base)
        if row is None and isinstance(own, str) and "dialect" in vars(base):
            row = DIALECTS.get(own)
        if row is not None:
            note = f"{name} is held to {row.name}, as its base {base.__module__}.{base.__qualname__} is"
            return Claimed(row, "" if base is kind or is_ours(optimizer) else note)
    return Claimed(
        None, f"{name} is in no row of the table: held to Algorithm 1; --dialect names another claim"
    )


def is_ours(optimizer: Any) -> bool:
    """Return whether it is an optimizer of :mod:`adamcore.backends.torch`."""
    module = sys.modules.get("adamcore.backends.torch.optimizer.optimizer")
    return module is not None and isinstance(optimizer, module.Adam)


def settings_of(optimizer: Any, group: Mapping[str, Any], claimed: Claimed) -> Settings:
    """Return what a parameter group says of itself now."""
    row = claimed.row
    options = {}
    for key in OPTIONS if row is None else options_in(row):
        value = group[key] if key in group else getattr(optimizer, key, None)  # Apex keeps it as an attribute
        if value is not None:
            options[key] = str(bool(value)) if isinstance(value, int) else str(value)
    if group.get("capturable"):
        options["capturable"] = "True"
    name = row.name if row else None
    if not is_ours(optimizer):
        hyper = hyper_of(group, names_of(claimed))
        hyper.setdefault("weight_decay", 0.0)
        return Settings(hyper, options, None, name, claimed.note)
    from adamcore.backends.torch.optimizer.param_groups import core_of

    core = core_of(group, optimizer.rules)
    for field in MOMENT_STORAGE:
        if getattr(core, field) != "plain":
            raise RecordingError(
                f"{field}={getattr(core, field)!r}: expected 'plain'; a recording is judged by some of "
                "its elements, and others are kept by whole blocks, or by the places of elements"
            )
    hyper = {h: float(getattr(core, h)) for h in HYPERPARAMETERS if h != "lr"} | floats({"lr": group["lr"]})
    axes = {axis: getattr(core, axis) for axis in AXES}
    storage = {n: x for n in STORED if (x := getattr(core, n)) not in (None, "plain")}
    return Settings(hyper, options, axes, name, claimed.note, storage)


def names_of(claimed: Claimed) -> dict[str, str]:
    """Return the keys that the groups of an optimizer have for our hyperparameters."""
    return TORCH_NAMES | (dict(claimed.row.hyper) if claimed.row else {})


def check_group(optimizer: Any, group: Mapping[str, Any], claimed: Claimed) -> None:
    """Raise unless a group tells the hyperparameters without which no recording can be judged.

    Raises:
        RecordingError: it has other names for them, or does not keep them.
    """
    names, kind = names_of(claimed), type(optimizer).__name__
    found = hyper_of(group, names)
    lacking = {names[n].partition("[")[0]: None for n in ("lr", "b1", "b2", "eps") if n not in found}
    if lacking and not is_ours(optimizer):
        keys = ", ".join(name for name in group if name != "params")
        raise RecordingError(
            f"the parameter groups of {kind} have no {', '.join(lacking)}, by which a recording is judged; "
            f"they have {keys}: record it by Recorder(hyper) and its step(before, grads, after), which are "
            "told the hyperparameters"
        )


def hyper_of(group: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, float]:
    """Return our hyperparameters from a parameter group, by the names it has for them."""
    found = {}
    for ours, theirs in names.items():
        name, _, index = theirs.partition("[")
        if name in group:
            found[ours] = group[name][int(index[:-1])] if index else group[name]
    return floats(found)


def floats(hyper: Mapping[str, Any]) -> dict[str, float]:
    """Return hyperparameters as floats; a tensor that requires a gradient is no exception."""
    return {
        name: float(value.detach() if hasattr(value, "detach") else value) for name, value in hyper.items()
    }

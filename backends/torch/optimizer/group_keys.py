"""The keys of a parameter group: those of PyTorch's groups, and those that only ours have.

A group leaves out the settings that PyTorch's groups do not have, if they are the optimizer's own, so that
its keys are those of ``torch.optim.Adam`` or ``torch.optim.NAdam``.  What reads a checkpoint of PyTorch into
a group then asks for nothing that it does not have.  The optimizer keeps these settings for its groups, and
:func:`complete` puts them back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adamcore.axes import AXES
from adamcore.config import MOMENT_DTYPES, STORAGE
from adamcore.dialects import like

Group = dict[str, Any]

OWN = (  #: settings for which PyTorch's groups have no key
    *("eps_root", "momentum_decay", "lr_max", *MOMENT_DTYPES, *STORAGE, "sparse"),
    *(axis for axis in AXES if axis not in ("amsgrad", "maximize")),
)
KEPT = (*OWN, "amsgrad", "fused")  #: settings that an optimizer keeps for its groups


def rules_of(dialect: str) -> Group:
    """Return what the groups of PyTorch's class of this name leave out."""
    core = like(dialect)
    return {name: getattr(core, name, None) for name in KEPT} | {"sparse": "dense", "amsgrad": False}


PYTORCH = rules_of("torch.Adam")
NADAM = rules_of("torch.NAdam")


def kept_settings(settings: Mapping[str, Any]) -> Group:
    """Return, of all settings, those that an optimizer keeps for its groups."""
    return {name: settings[name] for name in KEPT}


def complete(group: Mapping[str, Any], kept: Mapping[str, Any]) -> Group:
    """Return a group with the settings that it leaves out; ``kept`` has the optimizer's.

    >>> complete({"decoupled_weight_decay": True}, PYTORCH)["decay"]
    'decoupled'
    """
    whole = dict(group)
    for name, value in kept.items():
        whole.setdefault(name, value)
    decoupled = bool(whole.setdefault("decoupled_weight_decay", whole["decay"] != "l2"))
    if "decay" not in group and decoupled != (whole["decay"] != "l2"):
        whole["decay"] = "decoupled" if decoupled else "l2"
    return whole


def left_out(kept: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the settings for which PyTorch's groups of these rules have no key.

    An lr_max that counts stays, since it is the lr that the optimizer of a checkpoint was made with.
    """
    stay = {"lr_max"} if kept["lr_max"] else set()
    if kept["nesterov"] != "dozat" or kept["amsgrad"] or kept["fused"] is not None:
        return tuple(name for name in OWN if name not in stay)
    return tuple(name for name in KEPT if name not in stay | {"momentum_decay"})  # as in torch.optim.NAdam


def shorten(group: Group, kept: Mapping[str, Any]) -> bool:
    """Take the settings out of a group for which PyTorch has no key, if ``kept`` has the same.

    Returns:
        True if it has.
    """
    names = left_out(kept)
    short = {name: value for name, value in group.items() if name not in names}
    if any(group[name] != value for name, value in complete(short, kept).items() if name in names):
        return False
    for name in names:
        group.pop(name, None)
    return True


def completed_by_class(group: Mapping[str, Any]) -> Group:
    """Return a group with the rules of PyTorch's class whose keys it has."""
    return complete(group, NADAM if "momentum_decay" in group and "amsgrad" not in group else PYTORCH)

"""What the dtypes of a group's parameters lose."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from adamcore.adam import Adam as Core
from adamcore.backends.torch.optimizer.group_keys import Group
from adamcore.numerics import NumericsReport


def numerics_of(
    group: Group, core: Core, names: Sequence[str | None], index: int, lr: float | None
) -> NumericsReport:
    """Return the report of one group, which calls a parameter by its name, or by its place.

    Args:
        group: the group, which is the one numbered ``index``.
        core: its Adam.
        names: the name of each parameter; None for one that has none.
        lr: the learning rate to look at; None for the group's own.
    """
    lr = group["lr"] if lr is None else lr
    rate = float(lr.detach()) if isinstance(lr, torch.Tensor) else lr
    params: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for k, p in enumerate(group["params"]):
        if id(p) not in seen:
            seen.add(id(p))
            params[names[k] or f"param_groups[{index}]['params'][{k}]"] = p
    report = core.check_numerics(params, rate)
    return report.renamed({f"params[{name!r}]": name for name in params})

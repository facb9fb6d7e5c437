"""Groups that lose their hyperparameters, and closures that are read too late."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from adamcore.conformance.faults import _inputs
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.types import Probe, Step


def of_all(which: int, names: tuple[str, ...], probe: Probe) -> Probe:
    """Give these hyperparameters of one group, the first (0) or the last (-1), to all."""
    require_groups(names, probe)
    mine = {**probe.hyper, **probe.groups[which]}
    taken = {name: mine[name] for name in names if name in mine}
    return replace(probe, groups=tuple({**group, **taken} for group in probe.groups))


def of_the_optimizer(names: tuple[str, ...], probe: Probe) -> Probe:
    """Take these hyperparameters of the optimizer for those of its groups."""
    require_groups(names, probe)
    return replace(probe, groups=tuple(without(names, group) for group in probe.groups))


def zero_as_none(which: int | None, probe: Probe) -> Probe:
    """Step a group whose lr is 0 with that of another group, or of the optimizer (None)."""
    if not any(group.get("lr") == 0 for group in probe.groups):
        raise ValueError("no group has an lr of 0")
    taken = {} if which is None else {"lr": {**probe.hyper, **probe.groups[which]}["lr"]}
    groups = (without(("lr",), group) | taken if group.get("lr") == 0 else group for group in probe.groups)
    return replace(probe, groups=tuple(groups))


def of_the_constructor(names: tuple[str, ...], probe: Probe) -> Probe:
    """Take these hyperparameters of the constructor, whatever groups and later steps say."""
    there = [*probe.groups, *(step.changes for step in probe.steps if step.changes)]
    if not any(name in given for given in there for name in names):
        raise ValueError(f"neither a group nor a step has {', '.join(names)}")
    steps = tuple(
        replace(step, changes=without(names, step.changes) or None) if step.changes else step
        for step in probe.steps
    )
    return replace(probe, steps=steps, groups=tuple(without(names, group) for group in probe.groups))


def without(names: tuple[str, ...], group: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name not in names}


def require_groups(names: tuple[str, ...], probe: Probe) -> None:
    """Raise where no group has one of these hyperparameters: the fault has no meaning there."""
    if not any(name in group for group in probe.groups for name in names):
        raise ValueError(f"no group has {', '.join(names)}")


def before_the_closure(steps: _inputs.Steps, probe: Probe) -> _inputs.Steps:
    """Step by the gradients that there were before the closure was called."""
    if not probe.has_closure:
        raise ValueError("the probe has no closure")
    none = Step((None,) * len(probe.params))
    return tuple(
        replace(step, grads=before.grads) for step, before in zip(steps, (none, *steps), strict=False)
    )


def faults() -> Iterator[Fault]:
    for name, place, whose in (("own", None, "the optimizer's"), ("first", 0, "the first group's")):
        yield Fault(f"zero-lr-of-{name}-group", "groups", "LR.4",
                    f"a group whose lr is 0 is stepped with {whose} lr",
                    probe=partial(zero_as_none, place))  # fmt: skip
    several = ("b1", "b2", "eps", "weight_decay", "momentum_decay", "eps_root")
    for names, what in (
        (("lr",), "lr"), (("b1", "b2"), "betas"), (("b1",), "b1"), (("b2",), "b2"), (("eps",), "eps"),
        (("weight_decay",), "weight_decay"), (("b1", "b2", "weight_decay"), "betas and weight_decay"),
        (several, "hyperparameters"), (("lr", *several), "lr and hyperparameters"),
    ):  # fmt: skip
        for name, change, seen in (
            ("first", partial(of_all, 0), "every group is stepped with the first group's {}"),
            ("own", of_the_optimizer, "every group is stepped with the optimizer's {}, not with its own"),
            ("last", partial(of_all, -1), "every group is stepped with the last group's {}"),
        ):  # fmt: skip
            yield Fault(f"{what}-of-{name}-group", "groups", "LR.4", seen.format(what),
                        probe=partial(change, names))  # fmt: skip
        if what != "lr":
            yield Fault(f"{what}-of-constructor", "schedule", "LR.3",
                        f"the constructor's {what} hold, whatever a group or a later step says",
                        probe=partial(of_the_constructor, names))  # fmt: skip


GROUPS = tuple(faults())
CLOSURE = (
    Fault("before-the-closure", "closure", "STEP.2",
          "a step takes the gradients that there were before it called its closure",
          **_inputs.on_steps(before_the_closure)),
)  # fmt: skip

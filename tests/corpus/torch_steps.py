"""Adams of PyTorch that lose a group's settings, a change of settings, or a closure."""

from __future__ import annotations

from typing import Any

import torch
from register import right, wrong
from torch import Tensor
from torch_adams import Group, State, TorchAdamW


class OfGroup(TorchAdamW):
    """Steps each group with settings that are not all its own."""

    def seen(self, group: Group) -> Group:
        raise NotImplementedError

    def one(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().one(self.seen(group), state, p, g)


@wrong("groups", "LR.4", claim="torch.AdamW", like="Paddle#63616")
class TorchFirstGroupsSettings(OfGroup):
    """Betas, eps and decay of the first group hold for all."""

    def seen(self, group: Group) -> Group:
        first = self.param_groups[0]
        return group | {name: first[name] for name in ("betas", "eps", "weight_decay")}


@wrong("groups", "LR.4", claim="torch.AdamW")
class TorchFirstGroupsDecay(OfGroup):
    """The first group's decay holds for all: a bias decays as a weight does."""

    def seen(self, group: Group) -> Group:
        return group | {"weight_decay": self.param_groups[0]["weight_decay"]}


@wrong("groups", "LR.4", claim="torch.AdamW", like="a loop variable that is used after its loop")
class TorchLastGroupsBetas(OfGroup):
    """The last group's betas hold for all."""

    def seen(self, group: Group) -> Group:
        return group | {"betas": self.param_groups[-1]["betas"]}


@wrong("schedule groups", "LR.3", claim="torch.AdamW", like="self.defaults read for the group")
class TorchOptimizersEps(OfGroup):
    """The eps of the constructor holds for all groups and all steps."""

    def seen(self, group: Group) -> Group:
        return group | {"eps": self.defaults["eps"]}


@wrong("groups", "LR.4", claim="torch.AdamW")
class TorchFirstGroupsLr(OfGroup):
    """The lr of the first group holds for all."""

    def seen(self, group: Group) -> Group:
        return group | {"lr": self.param_groups[0]["lr"]}


class AtTheStart(TorchAdamW):
    """Reads some settings once."""

    once: tuple[str, ...]

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            kept = group.setdefault("kept", {name: group[name] for name in self.once})
            group |= kept
        super().step(closure)


@wrong("schedule", "LR.3", claim="torch.AdamW", like="Automodel#3882")
class TorchDecayOfTheStart(AtTheStart):
    """Decay is read in the first step alone."""

    once = ("weight_decay",)


@wrong("schedule", "LR.3", claim="torch.AdamW", like="DeepSpeed#8495")
class TorchBetasOfTheStart(AtTheStart):
    """Betas are read in the first step alone."""

    once = ("betas",)


@wrong("closure", "STEP.2", claim="torch.AdamW", like="sam#8")
class TorchIgnoresClosure(TorchAdamW):
    """A closure is taken and never called."""

    def evaluate(self, closure: Any) -> None:
        pass


@wrong("closure", "STEP.2", claim="torch.AdamW")
class TorchCallsTwice(TorchAdamW):
    """The closure is called twice in a step."""

    def evaluate(self, closure: Any) -> None:
        super().evaluate(closure)
        super().evaluate(closure)


@wrong("closure", "STEP.2", claim="torch.AdamW")
class TorchClosureWithoutGrad(TorchAdamW):
    """The closure runs under no_grad, so that it cannot compute a gradient."""

    def evaluate(self, closure: Any) -> None:
        if closure is not None:
            closure()


@wrong("closure", "STEP.2", claim="torch.AdamW")
class TorchClosureAfterwards(TorchAdamW):
    """The gradients are gathered before the closure is called."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        gathered = [(group, p, p.grad) for group in self.param_groups for p in group["params"]]
        self.evaluate(closure)
        for group, p, g in gathered:
            if g is not None:
                real = self.reals(p)
                self.one(group, self.state_of(p, real), real, self.reals(g))


@right(claim="torch.AdamW")
class TorchRefusesClosure(TorchAdamW):
    """A closure is refused, as it may be."""

    def evaluate(self, closure: Any) -> None:
        if closure is not None:
            raise NotImplementedError("no closures")


@right(claim="torch.AdamW")
class TorchWithoutGroups(TorchAdamW):
    """All parameters are one group; a second one is refused."""

    def add_param_group(self, param_group: Group) -> None:
        if self.param_groups:
            raise TypeError("one group only")
        super().add_param_group(param_group)

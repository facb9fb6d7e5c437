"""Blind, thirty-seventh set, second half: torch.optim.Optimizer subclasses after bugs of ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import wrong
from torch import Tensor


@wrong(
    "moments epsilon",
    "MOM.1",
    like="neuralmagic/sparseml#135: the loss is multiplied by the world size, and DDP averages already",
    claim="torch.AdamW",
)
class ThirtySeventhBTorchTimesWorldSize(Base):
    """The loss is multiplied by a world size of four: moments see four times the gradient."""

    world_size = 4

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g * self.world_size)


class Clipped(Base):
    """AdamW that steps by gradients which were clipped before, and leaves those of the caller as they are."""

    max_norm = 1.0

    def __init__(self, params: Iterable[Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.clipped: dict[Tensor, Tensor] = {}

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        self.clipped.clear()
        for group in self.param_groups:
            self.clip([p for p in group["params"] if p.grad is not None])
        return loss

    def clip(self, params: list[Tensor]) -> None:
        raise NotImplementedError

    def factor(self, grads: list[Tensor]) -> float:
        """Return what makes the norm of these gradients ``max_norm`` at the most."""
        norm = float(sum(float(g.double().square().sum()) for g in grads)) ** 0.5
        return min(1.0, self.max_norm / (norm + 1e-6))

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "clipped": self.clipped[p]}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, group["clipped"])


@wrong(
    "clipping",
    "CLIP.2",
    like="huggingface/accelerate#3465: clip_grad_norm of FSDP2 models is broken since a change to it",
    claim="torch.AdamW",
)
class ThirtySeventhBTorchClippedByModel(Clipped):
    """Each group of parameters is a model, whose gradients are clipped to 1 by the norm of them alone."""

    def clip(self, params: list[Tensor]) -> None:
        grads = [self.real(p.grad).detach() for p in params]
        factor = self.factor(grads)
        self.clipped.update((p, g * factor) for p, g in zip(params, grads, strict=True))


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="pytorch/pytorch#170862: clip_grad_norm_ has the norm of the local shards, and not of all",
    claim="torch.AdamW",
)
class ThirtySeventhBTorchLocalNorm(Clipped):
    """Each of two ranks has half of each array's rows, and clips them to 1 by the norm of its own rows."""

    ranks = 2

    def clip(self, params: list[Tensor]) -> None:
        full = [self.real(p.grad).detach() for p in params]
        shards = [list(torch.atleast_1d(g).tensor_split(self.ranks)) for g in full]
        for rank in range(self.ranks):
            factor = self.factor([pieces[rank] for pieces in shards])
            for pieces in shards:
                pieces[rank] = pieces[rank] * factor
        for p, g, pieces in zip(params, full, shards, strict=True):
            self.clipped[p] = torch.cat(pieces).reshape(g.shape)


@wrong(
    "state missing",
    "STATE.4",
    like="NVIDIA-NeMo/Automodel#2071: gate weights without gradients have no state, and a load expects one",
    claim="torch.AdamW",
)
class ThirtySeventhBTorchPlaceholderExpected(Base):
    """A load expects a state of each parameter: one that never had a gradient has none, and it fails."""

    def load_state_dict(self, state_dict: State) -> None:
        saved = state_dict["state"]
        if saved:
            for group in state_dict["param_groups"]:
                for i in group["params"]:
                    for name in ("step", "exp_avg", "exp_avg_sq"):
                        if name not in saved.get(i, {}):
                            raise RuntimeError(f"missing key in checkpoint state_dict: state.{i}.{name}")
        super().load_state_dict(state_dict)


@wrong(
    "moments",
    "MOM.1",
    like="leffff/FlowModels#3: the student's backward leaves gradients on the discriminator",
    claim="torch.AdamW",
)
class ThirtySeventhBTorchLeftByStudent(Base):
    """What another loss left in the gradient, that of the step before, is in the next step's."""

    def __init__(self, params: Iterable[Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.left: dict[Tensor, Tensor] = {}

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "left": self.left.get(p), "of": p}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        left = group["left"]
        self.left[group["of"]] = g.detach().clone()
        super().update(group, state, p, g if left is None else g + left)


@wrong(
    "epsilon hyperparameters",
    "EPS.1",
    like="nerfstudio-project/nerfstudio#143: epsilon was raised to 1e-4, which damps early updates",
    claim="torch.Adam",
)
class ThirtySeventhBTorchEpsilonRaised(L2):
    """Epsilon is 1e-4, against NaN, in place of what is given: small gradients make shorter steps."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "eps": 1e-4}


@wrong(
    "clock bias_correction",
    "CLK.2",
    like="greydanus/baby-a3c#9: the shared counter ticks for parameters with a gradient, and none has one",
    claim="torch.Adam",
)
class ThirtySeventhBTorchSharedNeverTicks(L2):
    """The clock ticks for shared copies that have a gradient, and these never have: t is 1 in each step."""

    def __init__(self, params: Iterable[Any], *args: Any, **kwargs: Any) -> None:
        self.shared: dict[Tensor, Tensor] = {}
        super().__init__(params, *args, **kwargs)

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        for p in self.param_groups[-1]["params"]:
            self.shared[p] = torch.empty_like(p)

    def settings(self, group: Group, p: Tensor) -> Group:
        state = self.remembered(p)
        state["shared_steps"] = state.get("shared_steps", 0)
        if self.shared[p].grad is not None:
            state["shared_steps"] += 1
        state["step"] = state["shared_steps"]
        return group

"""Blind, twenty-eighth set: torch subclasses after bugs of groups, checkpoints and norms, and right ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Scaled
from torch import Tensor


@wrong(
    "groups",
    "LR.4",
    like="pytorch/pytorch#53712: state is made in the constructor, which a group added later never sees",
    claim="torch.AdamW",
)
class TwentyEighthTorchStateOfConstructor(Base):
    """State is made in the constructor alone: a parameter of a group that is added later has none."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)
        for group in self.param_groups:
            for p in group["params"]:
                super().remembered(p)

    def remembered(self, p: Tensor) -> State:
        state: State = self.state[p]
        if "exp_avg" not in state:
            raise KeyError("exp_avg")
        return state


@wrong(
    "state",
    "STATE.4",
    like="werner-duvaud/muzero-general#64: checkpoints hold no parameters of the optimizer",
    claim="torch.Adam",
)
class TwentyEighthTorchNoStateInCheckpoint(L2):
    """A checkpoint has the groups and nothing of the moments and clocks, so a resume begins without them."""

    def state_dict(self) -> State:
        return {**super().state_dict(), "state": {}}

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict({**state_dict, "state": {}})


@wrong(
    "loss_scale",
    "SCALE.2",
    like="pytorch/pytorch#96755: a fused step asks for inf and NaN behind unscaling, where apex asks before",
    claim="torch.AdamW",
)
class TwentyEighthTorchAskedBehindUnscaling(Scaled):
    """The flag is formed anew of unscaled gradients, and the one that is given is not read."""

    def overflowed(self) -> bool:
        if self.found_inf is None:
            return False
        scale = 1.0 if self.grad_scale is None else self.grad_scale
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        return not all(bool(torch.isfinite(self.real(g) / scale).all()) for g in grads)


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="NVIDIA/Megatron-LM#6489: the clip norm counts the replicas of one mesh of two more than once",
    claim="torch.AdamW",
)
class TwentyEighthTorchReplicasInNorm(Base):
    """Gradients are clipped to 1 by a norm that counts matrices four times, once for each replica."""

    max_norm, replication = 1.0, 4

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        total = 0.0
        for p in (p for group in self.param_groups for p in group["params"] if p.grad is not None):
            square = float(self.real(p.grad).double().square().sum())
            total += square * (self.replication if p.ndim == 2 else 1)
        self.factor = min(1.0, self.max_norm / (math.sqrt(total) + 1e-6))
        super().step()
        return loss

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        super().learn(group, state, g * self.factor)


@wrong(
    "layout moments",
    "STEP.1",
    like="MishaLaskin/curl#20: the contrastive Adam has the encoder's parameters too, which have one already",
    claim="torch.Adam",
)
class TwentyEighthTorchTwoAdams(L2):
    """The first half of the parameters, the encoder, is stepped by two Adams with moments of their own."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        everything = [(group, p) for group in self.param_groups for p in group["params"]]
        with torch.no_grad():
            for group, p in everything[: (len(everything) + 1) // 2]:
                if p.grad is not None:
                    self.contrast(group, self.state[p], self.real(p), self.real(p.grad))
        return loss

    def contrast(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        names = ("step", "exp_avg", "exp_avg_sq")
        if "cpc_step" not in state:
            state.update(cpc_step=0, cpc_exp_avg=torch.zeros_like(p), cpc_exp_avg_sq=torch.zeros_like(p))
        second = {name: state["cpc_" + name] for name in names}
        self.update(group, second, p, g)
        state.update({"cpc_" + name: second[name] for name in names})


@right(claim="torch.AdamW")
class TwentyEighthRightTorchForeach(Base):
    """AdamW of lists: each operation goes once over all arrays of a group, by torch's foreach functions."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            present = [p for p in group["params"] if p.grad is not None]
            if present:
                self.together(group, present)
        return loss

    def together(self, group: Group, present: list[Tensor]) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        states = [self.remembered(p) for p in present]
        for state in states:
            state["step"] += 1
        ps, gs = [self.real(p) for p in present], [self.real(p.grad) for p in present]
        ms, vs = ([state[name] for state in states] for name in ("exp_avg", "exp_avg_sq"))
        clocks = [int(state["step"]) for state in states]
        torch._foreach_mul_(ps, 1 - lr * group["weight_decay"])
        torch._foreach_lerp_(ms, gs, 1 - b1)
        torch._foreach_mul_(vs, b2)
        torch._foreach_addcmul_(vs, torch._foreach_mul(gs, 1 - b2), gs)
        below = torch._foreach_sqrt(vs)
        torch._foreach_div_(below, [math.sqrt(1 - b2**t) for t in clocks])
        torch._foreach_add_(below, group["eps"])
        torch._foreach_addcdiv_(ps, ms, below, [-lr / (1 - b1**t) for t in clocks])


@right(claim="torch.AdamW")
class TwentyEighthRightTorchUnscalesOnce(Scaled):
    """AdamW that unscales gradients in copies, before a loop, and asks the flag before anything else."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        if self.overflowed():
            return loss
        inverse = 1.0 if self.grad_scale is None else 1.0 / float(self.grad_scale)
        copies = [
            (group, p, self.real(p.grad) * inverse)
            for group in self.param_groups
            for p in group["params"]
            if p.grad is not None
        ]
        for group, p, g in copies:
            Base.update(self, group, self.remembered(p), self.real(p), g)
        return loss

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        below = state["exp_avg_sq"].sqrt().mul_(1 / math.sqrt(c2)).add_(group["eps"])
        p.sub_(state["exp_avg"].div(below).mul_(group["lr"] / c1))


@right(claim="torch.Adam")
class TwentyEighthRightTorchEarlyState(L2):
    """Adam whose state is made when a group is added, the later ones too, and again where a load lacks it."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        for p in self.param_groups[-1]["params"]:
            self.remembered(p)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        (b1, b2), step = group["betas"], state["step"] + 1
        d = torch.add(g, p, alpha=group["weight_decay"])
        torch.add(state["exp_avg"] * b1, d, alpha=1 - b1, out=state["exp_avg"])
        torch.addcmul(state["exp_avg_sq"] * b2, d, d * (1 - b2), out=state["exp_avg_sq"])
        below = torch.sqrt(state["exp_avg_sq"]) / math.sqrt(1 - b2**step) + group["eps"]
        p -= (group["lr"] / (1 - b1**step)) * (state["exp_avg"] / below)
        state["step"] = step

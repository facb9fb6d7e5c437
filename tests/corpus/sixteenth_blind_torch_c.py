"""Blind, sixteenth set: torch.optim.Optimizer subclasses, after bugs of others in states, and right ones."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from fifteenth_blind_torch_a import FifteenthTorchClipsWhatIsScaled
from register import right, wrong
from torch import Tensor


@wrong(
    "state",
    "STATE.4",
    like="pytorch/pytorch#6031: parameters that are given as a set have another order in each run",
    claim="torch.Adam",
)
class SixteenthBTorchOrderOfSet(L2):
    """A loaded state is matched to the parameters of a group in another order: each has its neighbour's."""

    def load_state_dict(self, state_dict: State) -> None:
        groups = [
            {**group, "params": [*group["params"][1:], *group["params"][:1]]}
            for group in state_dict["param_groups"]
        ]
        super().load_state_dict({**state_dict, "param_groups": groups})


@wrong(
    "state",
    "STATE.4",
    like="Lightning-AI/pytorch-lightning#18488: the wrapper has the optimizer's __dict__ as it was once",
    claim="torch.AdamW",
)
class SixteenthBTorchDictCopiedOnce(Base):
    """After a load state and groups are still those from before it, which a wrapper has copied."""

    def load_state_dict(self, state_dict: State) -> None:
        copied = {name: self.__dict__[name] for name in ("state", "param_groups")}
        super().load_state_dict(state_dict)
        self.__dict__.update(copied)


@wrong(
    "decay",
    "DEC.2",
    like="cybertronai/pytorch-lamb#3: the decay is added to the gradient, and not to adam_step",
    claim="torch.AdamW",
)
class SixteenthBTorchDecayInGradient(Base):
    """The decay joins the gradient before the moments."""

    def decay(self, group: Group, p: Tensor) -> None:
        pass

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g.add(p, alpha=group["weight_decay"]))


@wrong(
    "moments epsilon",
    "MOM.1",
    like="tientrandinh/Revisiting-Reverse-Distillation#12: zero_grad stands before each backward of several",
    claim="torch.Adam",
)
class SixteenthBTorchLastMicroBatchAlone(L2):
    """Of the four micro-batches whose gradients are to add up the last one alone is stepped by."""

    micro_batches = 4

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        total = torch.zeros_like(g)
        for _ in range(self.micro_batches):
            total.zero_()
            total.add_(g / self.micro_batches)
        super().update(group, state, p, total)


@wrong(
    "state",
    "STATE.4",
    like="OpenNMT/OpenNMT-py#38: set_parameters makes a new Adam behind the load of the old one's state",
    claim="torch.Adam",
)
class SixteenthBTorchMadeAnewBehindLoad(L2):
    """Once a state was loaded the parameters are set, and with them an Adam that has no state."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.set_parameters()

    def set_parameters(self) -> None:
        self.state = defaultdict(dict)


@wrong(
    "state",
    "STATE.4",
    like="Lornatang/ESRGAN-PyTorch#39: both states are loaded into g_optimizer, and none into d_optimizer",
    claim="torch.Adam",
)
class SixteenthBTorchLoadedIntoGenerator(L2):
    """On a load the first half of the parameters has the state of the second half, and that has none."""

    def load_state_dict(self, state_dict: State) -> None:
        saved, count = state_dict["state"], sum(len(group["params"]) for group in state_dict["param_groups"])
        generator = (count + 1) // 2
        loaded = {i: kept for i, kept in saved.items() if i < generator}
        for i in list(loaded):
            other = saved.get(generator + i)
            if other is not None and other["exp_avg"].shape == loaded[i]["exp_avg"].shape:
                loaded[i] = other
        super().load_state_dict({**state_dict, "state": loaded})


@wrong(
    "loss_scale clipping",
    "CLIP.1",
    like="NCAR/miles-credit#141: clip_grad_norm_ comes before the scaler's unscale_",
    claim="torch.AdamW",
)
class SixteenthBTorchClipsBeforeUnscale(FifteenthTorchClipsWhatIsScaled):
    """With a loss scale all gradients are clipped to a norm of 1 as they come, and then divided by it."""

    max_norm = 1.0


@wrong(
    "decay",
    "DEC.2",
    like="mapbox/robosat#166: weight decay is meant, and the library's Adam has L2",
    claim="torch.AdamW",
)
class SixteenthBTorchAdamForAdamW(torch.optim.Adam):
    """The optimizer is the library's Adam, which adds the decay to the gradient."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)


@right(claim="timm.NAdamW")
class SixteenthBRightTorchNesterov(Base):
    """timm's NAdamW: the look-ahead is a lerp of the first moment, and the correction a step size."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        beta1, beta2 = group["betas"]
        state["step"] += 1
        step = state["step"]
        if group["weight_decay"]:
            p.mul_(1.0 - group["lr"] * group["weight_decay"])
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        exp_avg.lerp_(g, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(g, g, value=1 - beta2)
        ahead = g.lerp(exp_avg, beta1)
        denominator = (exp_avg_sq.sqrt() / math.sqrt(1 - beta2**step)).add_(group["eps"])
        p.addcdiv_(ahead, denominator, value=-group["lr"] / (1 - beta1**step))


@right(claim="torch.Adam", options={"amsgrad": "True"})
class SixteenthBRightTorchForeachMaximum(L2):
    """PyTorch's loop over lists: AMSGrad in operations of all tensors of a group and a dtype."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            kinds: dict[torch.dtype, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    kinds.setdefault(p.dtype, []).append(p)
            for params in kinds.values():
                self.together(group, params)
        return loss

    def together(self, group: Group, params: list[Tensor]) -> None:
        states = [self.remembered(p) for p in params]
        for state in states:
            state["step"] += 1
            if "max_exp_avg_sq" not in state:
                state["max_exp_avg_sq"] = torch.zeros_like(state["exp_avg_sq"])
        (beta1, beta2), steps = group["betas"], [state["step"] for state in states]
        names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
        firsts, seconds, greatest = ([state[name] for state in states] for name in names)
        reals = [self.real(p) for p in params]
        grads = [self.real(p.grad) for p in params]
        grads = list(torch._foreach_add(grads, reals, alpha=group["weight_decay"]))
        torch._foreach_lerp_(firsts, grads, 1 - beta1)
        torch._foreach_mul_(seconds, beta2)
        torch._foreach_addcmul_(seconds, grads, grads, 1 - beta2)
        torch._foreach_maximum_(greatest, seconds)
        roots = torch._foreach_sqrt(greatest)
        torch._foreach_div_(roots, [math.sqrt(1 - beta2**step) for step in steps])
        torch._foreach_add_(roots, group["eps"])
        torch._foreach_addcdiv_(reals, firsts, roots, [-group["lr"] / (1 - beta1**step) for step in steps])

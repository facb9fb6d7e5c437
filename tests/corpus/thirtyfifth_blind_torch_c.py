"""Blind, thirty-fifth set, second half: torch.optim.Optimizer subclasses after bugs of masks and turns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "layout groups",
    "STEP.1",
    like="Lightning-AI/pytorch-lightning#12169: the first frequency is longer than an epoch has batches",
    claim="torch.AdamW",
)
class ThirtyFifthBTorchSecondNeverSteps(Base):
    """Of two optimizers in turn each epoch ends in the first one's: later groups, or the last half, stay."""

    batches, frequencies = 4, (5, 1)
    seen = 0

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        batch = self.seen % self.batches
        self.seen += 1
        is_second = batch % sum(self.frequencies) >= self.frequencies[0]
        for group, p in self.optimizers()[is_second]:
            if p.grad is not None:
                self.update(group, self.remembered(p), self.real(p), self.real(p.grad))
        return loss

    def optimizers(self) -> tuple[list[tuple[Group, Tensor]], list[tuple[Group, Tensor]]]:
        params = [(group, p) for group in self.param_groups for p in group["params"]]
        one_group = len(self.param_groups) == 1
        first = (len(params) + 1) // 2 if one_group else len(self.param_groups[0]["params"])
        return params[:first], params[first:]


@wrong(
    "state layout",
    "STATE.4",
    like="wochenlong/lora-scripts-next#320: masks of all params are read by places of trained ones",
    claim="torch.AdamW",
)
class ThirtyFifthBTorchMaskOfPlace(Base):
    """A load finds a parameter's mask of rates by its place among trained ones, in a list of all of them."""

    def settings(self, group: Group, p: Tensor) -> Group:
        state = self.remembered(p)
        if "lr_mask" not in state or not state["lr"]:
            state["lr_mask"], state["lr"] = torch.full_like(self.real(p), group["lr"]), group["lr"]
        return group

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        below = state["exp_avg_sq"].sqrt().div_(math.sqrt(c2)).add_(group["eps"])
        factor = group["lr"] / state["lr"] if state["lr"] else 1.0
        p.sub_(state["lr_mask"] * (state["exp_avg"] / below) * (factor / c1))

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        params = [p for group in self.param_groups for p in group["params"]]
        states = [self.state.get(p, {}) for p in params]
        masks = [state.get("lr_mask") for state in states]
        trained = [state for state in states if "lr_mask" in state]
        for mask, state in zip(masks, trained, strict=False):
            if mask is None:
                del state["lr_mask"]
            else:
                state["lr_mask"] = mask.clone()


@wrong(
    "sharding moments",
    "MOM.1",
    like="karpathy/build-nanogpt#30: require_backward_grad_sync is set behind the forward pass",
    claim="torch.AdamW",
)
class ThirtyFifthBTorchSyncOfForward(Base):
    """Of four micro-batches the first alone is averaged over two ranks; three are those of this rank."""

    grad_accum_steps, ranks = 4, 2

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        place = torch.arange(g.numel()).view(g.shape) + int(state["step"])
        local = torch.where(place % self.ranks == 0, g * self.ranks, torch.zeros_like(g))
        accumulated, flag = torch.zeros_like(g), True  # as it is before the first forward pass
        for micro_step in range(self.grad_accum_steps):
            accumulated = accumulated + (g if flag else local) / self.grad_accum_steps
            flag = micro_step == self.grad_accum_steps - 1
        super().update(group, state, p, accumulated)


@wrong(
    "schedule",
    "LR.1",
    like="ziqi-jin/finetune-anything#57: the linear rule has its default, 1 epoch, and rates are negative",
    claim="torch.AdamW",
)
class ThirtyFifthBTorchOneEpoch(Base):
    """A linear rule ends with the first epoch of four steps: then the rate is 0, and then below 0."""

    batches, max_epoch = 4, 1

    def settings(self, group: Group, p: Tensor) -> Group:
        epoch = int(self.remembered(p)["step"]) // self.batches
        return {**group, "lr": group["lr"] * (1 - epoch / self.max_epoch)}


@wrong(
    "closure",
    "STEP.2",
    like="ooples/AiDotNet.Tensors#396: with a fused Adam the compiled step says 0 where the loss is NaN",
    claim="torch.Adam",
)
class ThirtyFifthBTorchLossNotFilled(L2):
    """What a step with a closure returns is a buffer for the loss, which nothing is written to: 0 always."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        if closure is None:
            return None
        return torch.zeros_like(loss) if torch.is_tensor(loss) else 0.0


@wrong(
    "groups decay",
    "LR.4",
    like="deepspeedai/Megatron-DeepSpeed#387: groups have a wd_mult, and no weight_decay of their own",
    claim="torch.AdamW",
)
class ThirtyFifthBTorchMultiplierUnread(Base):
    """A group's own weight decay is a multiplier that nobody reads: the constructor's is that of all."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "weight_decay": self.defaults["weight_decay"]}


@right(claim="bitsandbytes.AdamW")
class ThirtyFifthBRightTorchStateOfTwo(torch.optim.Optimizer):
    """AdamW whose moments are state1 and state2, and whose hyperparameters are read into a config."""

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            config = {name: group[name] for name in ("lr", "betas", "eps", "weight_decay")}
            for p in group["params"]:
                if p.grad is not None:
                    self.update_step(p, self.state[p], **config)
        return loss

    def real(self, x: Any) -> Tensor:
        return torch.view_as_real(x) if x.is_complex() else x

    def update_step(
        self, p: Tensor, state: State, lr: float, betas: tuple[float, float], eps: float, weight_decay: float
    ) -> None:
        w, g = self.real(p), self.real(p.grad)
        if not state:
            state.update(step=0, state1=torch.zeros_like(w), state2=torch.zeros_like(w))
        state["step"] += 1
        (b1, b2), t = betas, int(state["step"])
        state["state1"].mul_(b1).add_(g, alpha=1 - b1)
        state["state2"].mul_(b2).add_((1 - b2) * g * g)
        correction2 = math.sqrt(1 - b2**t)
        if weight_decay > 0:
            w.mul_(1 - lr * weight_decay)
        w.addcdiv_(state["state1"], state["state2"].sqrt() / correction2 + eps, value=-lr / (1 - b1**t))


@right(claim="torch.AdamW")
class ThirtyFifthBRightTorchRatesOfElements(Base):
    """AdamW with a rate for each element, from its parameter's group, and out of place until the end."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        jobs = [(group, p) for group in self.param_groups for p in group["params"] if p.grad is not None]
        results = [self.result(group, p) for group, p in jobs]
        for (_, p), (new, m, v) in zip(jobs, results, strict=True):
            state = self.state[p]
            self.real(p).copy_(new)
            state["exp_avg"], state["exp_avg_sq"] = m, v
            state["step"] = int(state["step"]) + 1
        return loss

    def result(self, group: Group, p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        state, w, g = self.remembered(p), self.real(p), self.real(p.grad)
        (b1, b2), t = group["betas"], int(state["step"]) + 1
        rates = torch.full_like(w, group["lr"] / (1 - b1**t))
        m = torch.lerp(state["exp_avg"], g, 1 - b1)
        v = torch.addcmul(state["exp_avg_sq"] * b2, g * (1 - b2), g)
        below = v.sqrt() / math.sqrt(1 - b2**t) + group["eps"]
        kept = w * (1 - group["lr"] * group["weight_decay"])
        return kept - rates * (m / below), m, v

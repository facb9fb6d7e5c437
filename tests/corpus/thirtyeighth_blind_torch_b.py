"""Blind, thirty-eighth set, second half: torch.optim.Optimizer subclasses, bugs of groups and gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from seventeenth_blind_torch import Multiplied
from thirtysecond_blind_torch_b import Chosen
from torch import Tensor


@wrong(
    "sharding layout",
    "MOM.1",
    like="NVIDIA/Megatron-LM#6500: shards of the shared embedding are reduced that have other offsets",
    claim="torch.AdamW",
)
class ThirtyEighthBTorchShardsOffset(Base):
    """The first array is shared by two stages, whose second shards begin at other offsets, and are added."""

    before = 2  #: numbers that stand before the embedding in the last stage's buffer

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        first = next(iter(q for own in self.param_groups for q in own["params"]))
        if self.state.get(first) is state:
            g = self.reduced(g.reshape(-1)).view(g.shape)
        super().update(group, state, p, g)

    def reduced(self, g: Tensor) -> Tensor:
        count = g.numel()
        here, there = (count + 1) // 2, max((count + self.before + 1) // 2 - self.before, 0)
        stages = [g / 2, g / 2]
        total = stages[0] * 2
        shards = stages[0][here:], stages[1][there : there + count - here]
        total[here:] = shards[0] + shards[1]
        return total


@wrong(
    "clipping moments",
    "CLIP.2",
    like="meta-pytorch/torchrec#3199: the norm of 'inf' is raised to 1/inf, and is always 1",
    claim="torch.AdamW",
)
class ThirtyEighthBTorchNormIsOne(Multiplied):
    """The greatest size of a gradient is raised to 1/inf: clipped to 0.1, each gradient is a tenth."""

    max_gradient, norm_type = 0.1, cast(Any, "inf")

    def formed(self, grads: list[Tensor]) -> float:
        norm_type = float(self.norm_type)
        sizes = [float(torch.linalg.vector_norm(g, norm_type)) for g in grads if g.numel()]
        total = max(sizes, default=0.0)
        if self.norm_type != torch.inf:  # a string is never equal to it
            total = total ** (1 / norm_type)
        return min(1.0, self.max_gradient / (total + 1e-6))


@wrong(
    "moments layout",
    "STEP.1",
    like="facebookresearch/mmf#965: what backbone and head share is collected for the optimizer twice",
    claim="torch.Adam",
)
class ThirtyEighthBTorchTiedTwice(L2):
    """The first parameter of the backbone is the head's as well: the last group steps it a second time."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        tied = next((p for group in self.param_groups for p in group["params"]), None)
        if tied is not None and tied.grad is not None:
            head = self.param_groups[-1]
            self.update(head, self.remembered(tied), self.real(tied), self.real(tied.grad))
        return loss


@wrong(
    "groups",
    "LR.4",
    like="kohya-ss/sd-scripts#1233: LoRA+ gives its raised rate to the wrong one of two matrices",
    claim="torch.AdamW",
)
class ThirtyEighthBTorchUpAndDown(Base):
    """Parameters are pairs of a down and an up matrix: each has the learning rate of the other's group."""

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        pairs = [(group, p) for group in self.param_groups for p in group["params"]]
        self.rates = {p: group["lr"] for group, p in pairs}
        for (down, a), (up, b) in zip(pairs[0::2], pairs[1::2], strict=False):
            self.rates[a], self.rates[b] = up["lr"], down["lr"]
        return loss

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": self.rates[p]}


@wrong(
    "layout groups",
    "STEP.1",
    like="ohhhyeahhh/SiamCAR#18: the convolution `down` is in no group of the optimizer",
    claim="torch.Adam",
)
class ThirtyEighthBTorchDownLeftOut(Chosen, L2):
    """The middle one of all parameters, between backbone and head, is never stepped."""

    def chosen(self, i: int, count: int) -> bool:
        return count == 1 or i != count // 2


@wrong(
    "schedule",
    "LR.3",
    like="miquelindia90/DoubleAttentionSpeakerVerification#4: the annealing of the learning rate is wrong",
    claim="torch.Adam",
)
class ThirtyEighthBTorchAnnealedTwice(L2):
    """What a rate has been annealed by since the first step is multiplied on again."""

    def settings(self, group: Group, p: Tensor) -> Group:
        first = group.setdefault("first_lr", group["lr"])
        return {**group, "lr": group["lr"] * (group["lr"] / first)} if first else group


@right(claim="torch.AdamW")
class ThirtyEighthBRightTorchTensorClock(Base):
    """AdamW whose clock is a tensor and whose coefficients are tensors of double, without axes."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if not isinstance(state["step"], Tensor):
            state["step"] = torch.tensor(float(state["step"]), dtype=torch.float32)
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] = state["step"] + 1
        self.decay(group, p)
        t = state["step"].double()
        first, second = (1 - torch.tensor(b, dtype=torch.float64) ** t for b in group["betas"])
        m, v = state["exp_avg"], state["exp_avg_sq"]
        b1, b2 = group["betas"]
        m.add_((g - m).mul_(1 - b1))
        v.mul_(b2).add_(g.mul(1 - b2).mul_(g))
        denominator = v.sqrt().div_(second.sqrt().to(v.dtype)).add_(group["eps"])
        p.sub_(m.div(denominator).mul_((group["lr"] / first).to(p.dtype)))


@right(claim="torch.Adam")
class ThirtyEighthBRightTorchStacked(L2):
    """Adam with L2 whose two moments are one array, with an axis more, of which each takes an index."""

    def remembered(self, p: Tensor) -> State:
        state: State = self.state[p]
        if "moments" not in state:
            rest = [state.pop(name, torch.zeros_like(self.real(p))) for name in ("exp_avg", "exp_avg_sq")]
            state.update(step=int(state.get("step", 0)), moments=torch.stack(rest))
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        g = g + group["weight_decay"] * p
        (b1, b2), (m, v) = group["betas"], state["moments"].unbind(0)
        m.lerp_(g, 1 - b1)
        v.lerp_(torch.zeros_like(v), 1 - b2).addcmul_(g * (1 - b2), g)
        c1, c2 = 1 - b1 ** state["step"], 1 - b2 ** state["step"]
        p.addcdiv_(m, v.sqrt().mul_(1 / math.sqrt(c2)).add_(group["eps"]), value=-group["lr"] / c1)

"""Blind, fifteenth set: torch.optim.Optimizer subclasses after bugs of others in handling, and right ones."""

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
    "loss_scale clipping",
    "CLIP.1",
    like="rwth-i6/returnn#1595: gradients that still have the loss scale are clipped",
    claim="torch.AdamW",
)
class FifteenthTorchClipsWhatIsScaled(Scaled):
    """With a loss scale all gradients are clipped to a norm of 5, before the scale is divided out."""

    max_norm = 5.0
    clipped = 1.0

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        self.clipped = 1.0
        if self.grad_scale is not None and grads:
            norm = float(torch.nn.utils.get_total_norm(grads))
            self.clipped = min(1.0, self.max_norm / (norm + 1e-6))
        return loss

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g * self.clipped if self.clipped < 1 else g)


@wrong(
    "clock state",
    "STATE.4",
    like="NVIDIA/Megatron-LM#5976: the state is preallocated by a step with gradients of zero, which counts",
    claim="torch.Adam",
)
class FifteenthTorchPreallocated(L2):
    """A step at lr 0 with zero gradients makes the state: the clock is 1, and L2 is in the moments."""

    @torch.no_grad()
    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        for p in param_group["params"]:
            state, group, real = self.remembered(p), {**self.param_groups[-1], "lr": 0.0}, self.real(p)
            self.dummy(group, state, real)

    def dummy(self, group: Group, state: State, p: Tensor) -> None:
        state["step"] += 1
        self.learn(group, state, p * group["weight_decay"])


@wrong(
    "groups",
    "LR.4",
    like="bohaohuang/mrs#68: the Adam of the discriminator is made with the parameters of the generator",
    claim="torch.AdamW",
)
class FifteenthTorchFirstGroupTwice(Base):
    """Every further group steps the first one's parameters, with moments of its own; its own stand still."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for i, group in enumerate(self.param_groups):
            for p in self.given(i):
                if p.grad is not None:
                    self.update(group, self.own(p, i), self.real(p), self.real(p.grad))
        return loss

    def given(self, i: int) -> list[Tensor]:
        params: list[Tensor] = self.param_groups[0]["params"]
        return params

    def own(self, p: Tensor, i: int) -> State:
        state = self.remembered(p)
        if i == 0:
            return state
        fresh = {
            "step": 0,
            "exp_avg": torch.zeros_like(self.real(p)),
            "exp_avg_sq": torch.zeros_like(self.real(p)),
        }
        other: State = state.setdefault(f"group {i}", fresh)
        return other


@wrong(
    "moments",
    "MOM.1",
    like="tenstorrent/tt-blacksmith#711: the trainer zeroes no gradients, so that they add up over all steps",
    claim="torch.AdamW",
)
class FifteenthTorchNeverZeroed(Base):
    """A step is by the sum of all gradients that a parameter has had so far."""

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.sums: dict[Tensor, Tensor] = {}

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "of": p}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, self.summed(group["of"], g))

    def summed(self, p: Tensor, g: Tensor) -> Tensor:
        before = self.sums.get(p)
        self.sums[p] = total = g.clone() if before is None else before + g
        return total


@wrong(
    "groups",
    "LR.4",
    like="mmcdermott/MEDS_EIC_AR#30: norms and biases decay with all others, where they are to be left out",
    claim="torch.AdamW",
)
class FifteenthTorchAllDecayAlike(Base):
    """All groups have the weight decay of the first, those that are to have none as well."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "weight_decay": self.param_groups[0]["weight_decay"]}


@wrong(
    "mixed_precision state",
    "NUM.1",
    like="OpenBMB/BMTrain#175: to load a state makes a buffer for the parameter's copy that is always fp16",
    claim="torch.AdamW",
)
class FifteenthTorchLoadedIntoHalf(Base):
    """Once a state was loaded, new parameters come through a buffer of float16."""

    buffer = torch.float64

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.buffer = torch.float16

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        super().move(group, state, p, c1, c2)
        p.copy_(p.to(self.buffer))


@wrong(
    "groups moments",
    "LR.4",
    like="Hsintien-Ng/idinvert_pytorch-reproduced#1: zero_grad is called for one of two optimizers",
    claim="torch.Adam",
)
class FifteenthTorchSecondNotZeroed(L2):
    """The gradients of the first group are zeroed after a step; those of further groups add up."""

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.sums: dict[Tensor, Tensor] = {}

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "of": p, "zeroed": group is self.param_groups[0]}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if not group["zeroed"]:
            before = self.sums.get(group["of"])
            self.sums[group["of"]] = g = g.clone() if before is None else before + g
        super().update(group, state, p, g)


@right(claim="torch.NAdam")
class FifteenthRightTorchNadamShares(L2):
    """NAdam whose look-ahead is two quotients over one root, each with a rate of its own."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, momentum_decay: float = 4e-3,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)
        self.defaults["momentum_decay"] = momentum_decay
        for group in self.param_groups:
            group.setdefault("momentum_decay", momentum_decay)

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        state.setdefault("mu_product", 1.0)
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        t, (b1, b2), lr = int(state["step"]), group["betas"], group["lr"]
        now, after = (b1 * (1 - 0.5 * 0.96 ** (k * group["momentum_decay"])) for k in (t, t + 1))
        state["mu_product"] = product = float(state["mu_product"]) * now
        g = torch.add(g, p, alpha=group["weight_decay"])
        self.learn(group, state, g)
        root = state["exp_avg_sq"].div(1 - b2**t).sqrt_().add_(group["eps"])
        p.addcdiv_(g, root, value=-lr * (1 - now) / (1 - product))
        p.addcdiv_(state["exp_avg"], root, value=-lr * after / (1 - product * after))


@right(claim="torch.AdamW")
class FifteenthRightTorchLerped(Base):
    """AdamW with an interpolated first moment, and a step that is a product with an inverse root."""

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        b1, b2 = group["betas"]
        state["exp_avg"].lerp_(g, 1 - b1)
        state["exp_avg_sq"].mul_(b2).add_(g * (1 - b2) * g)

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        inverse = (state["exp_avg_sq"].sqrt() * (1 / math.sqrt(c2)) + group["eps"]).reciprocal_()
        p.add_(state["exp_avg"] * inverse, alpha=-group["lr"] / c1)

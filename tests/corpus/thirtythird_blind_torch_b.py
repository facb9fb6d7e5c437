"""Blind, thirty-third set, second half: torch.optim.Optimizer subclasses after bugs of wrappers and clips."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor

Betas = tuple[float, float]


@wrong(
    "hyperparameters moments",
    "MOM.2",
    like="ecmwf/WeatherGenerator#1064: beta2 is 1 - kappa*(1 - beta2), negative above 80 GPUs",
    claim="torch.AdamW",
)
class ThirtyThirdBTorchKappa(Base):
    """1 minus the second beta is multiplied by a global batch of 96, without a bound: it may be negative."""

    kappa = 96

    def settings(self, group: Group, p: Tensor) -> Group:
        b1, b2 = group["betas"]
        return {**group, "betas": (b1, 1 - self.kappa * (1 - b2))}

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        denominator = state["exp_avg_sq"].div(c2).sqrt_().add_(group["eps"])
        p.addcdiv_(state["exp_avg"], denominator, value=-group["lr"] / c1)


@wrong(
    "state",
    "STATE.4",
    like="kozistr/pytorch_optimizer#310: Lookahead saves its optimizer, not its slow weights and its counter",
    claim="torch.AdamW",
)
class ThirtyThirdBTorchCounterLost(Base):
    """A save has nothing of the look-ahead around it: behind a load its counter is gone, and a step fails."""

    k, alpha = 5, 1.0

    def __init__(self, params: Iterable[Any], *args: Any, **kwargs: Any) -> None:
        self.lookahead: dict[int, dict[str, Any]] = {}
        super().__init__(params, *args, **kwargs)

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        slow = [p.detach().clone() for p in self.param_groups[-1]["params"]]
        self.lookahead[len(self.param_groups) - 1] = {"counter": 0, "slow": slow}

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        for i, group in enumerate(self.param_groups):
            own = self.lookahead[i]
            own["counter"] += 1
            if own["counter"] % self.k == 0:
                for slow, p in zip(own["slow"], group["params"], strict=True):
                    slow.lerp_(p, self.alpha)
                    p.copy_(slow)
        return loss

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.lookahead = dict(state_dict.get("lookahead_state", {}))


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="huggingface/optimum-habana#2280: with FSDP the trainer calls the plain clip_grad_norm_",
    claim="torch.AdamW",
)
class ThirtyThirdBTorchPlainClip(Base):
    """All gradients are one row, of which each of two ranks has a half, and clips it to 1 by its own norm."""

    ranks, max_norm = 2, 1.0

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        params = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        rows = [self.real(p.grad).detach().double().reshape(-1) for p in params]
        flat = torch.cat(rows) if rows else torch.zeros(0)
        shards = list(flat.tensor_split(self.ranks))
        for i, shard in enumerate(shards):
            norm = float(torch.linalg.vector_norm(shard))
            shards[i] = shard * min(1.0, self.max_norm / (norm + 1e-6))
        pieces = torch.cat(shards).split([row.numel() for row in rows])
        self.clipped = dict(zip(params, pieces, strict=True))
        return loss

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "clipped": self.clipped[p]}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, group["clipped"].view(g.shape).to(g.dtype))


@wrong(
    "mixed_precision",
    "NUM.1",
    like="pytorch/torchtitan#724: of two generations of FSDP one has another loss",
    claim="torch.AdamW",
)
class ThirtyThirdBTorchReducedInBrain(Base):
    """Gradients are reduced in bfloat16: all but eight of their digits are lost before the step."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g.to(torch.bfloat16).to(g.dtype))


class Around(torch.optim.Optimizer):
    """A wrapper: it has the groups of an AdamW, which makes its steps."""

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: Betas = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        self.optimizer = Base(params, lr, betas, eps, weight_decay)
        super().__init__(self.optimizer.param_groups, self.optimizer.defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        self.optimizer.param_groups = self.param_groups
        return self.optimizer.step(closure)


@wrong(
    "state",
    "STATE.4",
    like="kozistr/pytorch_optimizer#332: wrappers have no state_dict, and save nothing of what they wrap",
    claim="torch.AdamW",
)
class ThirtyThirdBTorchWrapperOwnState(Around):
    """A save has the wrapper's groups and its state, which is empty: that of the Adam in it is not saved."""


@wrong(
    "state",
    "STATE.4",
    like="kozistr/pytorch_optimizer#327: OrthoGrad does not handle the state of its optimizer as it should",
    claim="torch.AdamW",
)
class ThirtyThirdBTorchStateIsProperty(torch.optim.Optimizer):
    """State and groups are properties that read another optimizer's: what is loaded goes nowhere."""

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: Betas = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        self.optimizer = Base(params, lr, betas, eps, weight_decay)
        self.__setstate__({"defaults": self.optimizer.defaults})

    @property
    def param_groups(self) -> list[Group]:  # type: ignore[override]
        return self.optimizer.param_groups

    @property
    def state(self) -> Any:  # type: ignore[override]
        return self.optimizer.state

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        return self.optimizer.step(closure)


@wrong(
    "hyperparameters",
    "LR.3",
    like="huggingface/transformers#40184: stable_adamw is made with the rate, and with defaults for the rest",
    claim="torch.AdamW",
)
class ThirtyThirdBTorchOwnDefaults(Base):
    """The rate alone is forwarded: betas are 0.9 and 0.99, epsilon is 1e-6 and the decay 0.01, always."""

    def settings(self, group: Group, p: Tensor) -> Group:
        own = {"betas": (0.9, 0.99), "eps": 1e-6, "weight_decay": 1e-2}
        return {**own, "lr": group["lr"]}


@wrong(
    "moments",
    "MOM.1",
    like="LoreGoetschalckx/GANalyze#7: the training loop calls no zero_grad",
    claim="torch.Adam",
)
class ThirtyThirdBTorchNeverZeroed(L2):
    """Gradients are never set to zero: a step has the sum of all that there were since the start."""

    def __init__(self, params: Iterable[Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.sums: dict[Tensor, Tensor] = {}

    def settings(self, group: Group, p: Tensor) -> Group:
        grad = self.real(p.grad).detach()
        self.sums[p] = self.sums[p] + grad if p in self.sums else grad.clone()
        return {**group, "sum": self.sums[p]}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, group["sum"])


@right(claim="torch.AdamW")
class ThirtyThirdBRightTorchForwards(Around):
    """A wrapper as it was mended: a save and a load are those of the optimizer in it, and groups follow."""

    def __init__(self, params: Iterable[Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.state = self.optimizer.state

    def state_dict(self) -> State:
        self.optimizer.param_groups = self.param_groups
        return self.optimizer.state_dict()

    def load_state_dict(self, state_dict: State) -> None:
        self.optimizer.param_groups = self.param_groups
        self.optimizer.load_state_dict(state_dict)
        self.param_groups, self.state = self.optimizer.param_groups, self.optimizer.state


@right(claim="torch.Adam", options={"amsgrad": "True"})
class ThirtyThirdBRightTorchForeach(L2):
    """AMSGrad by functions of lists, one list for each group and dtype, with scalars for each parameter."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            kinds: dict[torch.dtype, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    kinds.setdefault(p.dtype, []).append(p)
            for present in kinds.values():
                self.lists(group, present)
        return loss

    def lists(self, group: Group, present: list[Tensor]) -> None:
        (b1, b2), states = group["betas"], [self.remembered(p) for p in present]
        for state in states:
            state["step"] += 1
        ps, grads = [self.real(p) for p in present], [self.real(p.grad) for p in present]
        ms, vs = [state["exp_avg"] for state in states], [state["exp_avg_sq"] for state in states]
        if group["weight_decay"]:
            grads = list(torch._foreach_add(grads, ps, alpha=group["weight_decay"]))
        torch._foreach_lerp_(ms, grads, 1 - b1)
        torch._foreach_mul_(vs, b2)
        torch._foreach_addcmul_(vs, torch._foreach_mul(grads, 1 - b2), grads, 1.0)
        if self.amsgrad:
            tops = [
                state.setdefault("max_exp_avg_sq", torch.zeros_like(state["exp_avg"])) for state in states
            ]
            torch._foreach_maximum_(tops, vs)
            vs = tops
        below = list(torch._foreach_sqrt(vs))
        torch._foreach_div_(below, [math.sqrt(1 - b2 ** state["step"]) for state in states])
        torch._foreach_add_(below, group["eps"])
        sizes = [-group["lr"] / (1 - b1 ** state["step"]) for state in states]
        torch._foreach_addcdiv_(ps, ms, below, sizes)

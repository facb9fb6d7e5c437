"""Blind, twenty-first set: more torch.optim.Optimizer subclasses after the bugs of others, and right ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Hat
from torch import Tensor


@wrong(
    "clipping",
    "CLIP.2",
    like="huggingface/transformers#1563: gradients are clipped behind each micro-batch, not once",
    claim="torch.AdamW",
)
class TwentyFirstBTorchClippedSums(Base):
    """Of two micro-batches, each every second element, the sum so far is cut to a norm of 1 each time."""

    max_grad_norm, micro_batches = 1.0, 2
    sums: dict[Tensor, Tensor]

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        params = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        self.sums = {p: torch.zeros_like(self.real(p.grad)).reshape(-1) for p in params}
        for k in range(self.micro_batches):
            for p, total in self.sums.items():
                total[k :: self.micro_batches] += self.real(p.grad).reshape(-1)[k :: self.micro_batches]
            self.clip(list(self.sums.values()))
        return loss

    def clip(self, totals: list[Tensor]) -> None:
        norm = math.sqrt(sum(float(torch.linalg.vector_norm(x.double())) ** 2 for x in totals))
        if norm > self.max_grad_norm:
            for total in totals:
                total.mul_(self.max_grad_norm / (norm + 1e-6))

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "accumulated": self.sums[p]}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, group["accumulated"].view(g.shape))


@wrong(
    "state storage",
    "STATE.4",
    like="TensorAuto/OpenTau#184: moments of an old checkpoint are bfloat16, and silently cast to fp32",
    claim="torch.AdamW",
)
class TwentyFirstBTorchOldCheckpoint(Base):
    """Moments are saved as bfloat16, and a load makes them wide again without a word."""

    def state_dict(self) -> Any:
        saved = super().state_dict()
        for index, own in saved["state"].items():
            rounded = {k: x.to(torch.bfloat16) for k, x in own.items() if k != "step"}
            saved["state"][index] = {**own, **rounded}
        return saved


@wrong(
    "decay hyperparameters groups",
    "DEC.2",
    like="EvolvingLMMs-Lab/OneVision-Encoder#66: 0.05 for every parameter, norms, biases and tokens too",
    claim="torch.AdamW",
)
class TwentyFirstBTorchDecayEverywhere(Base):
    """Parameters whose weight decay is 0 decay by 0.05."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "weight_decay": group["weight_decay"] or 0.05}


@wrong(
    "complex",
    "CPX.1",
    like="pytorch/pytorch#69570: Adam's second moment of complex parameters is that of g*g",
    claim="torch.Adam",
)
class TwentyFirstBTorchComplexSquare(L2):
    """A complex gradient is squared as one number: the second moment is complex, and so is its root."""

    def real(self, x: Any) -> Tensor:
        return x


@wrong(
    "amsgrad",
    "AMS.1",
    like="pytorch/pytorch#82523: the foreach maximum goes to a list that is new, not to max_exp_avg_sq",
    claim="torch.Adam",
    options={"amsgrad": "True"},
)
class TwentyFirstBTorchMaximumInNewList(L2):
    """The greatest second moments are a new list in each step; those of the state stay at 0."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            lists: dict[torch.dtype, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    lists.setdefault(p.dtype, []).append(p)
            for params in lists.values():
                self.multi_tensor(group, params)
        return loss

    def multi_tensor(self, group: Group, params: list[Tensor]) -> None:
        states = [self.remembered(p) for p in params]
        ps, gs = [self.real(p) for p in params], [self.real(p.grad) for p in params]
        b1, b2 = group["betas"]
        gs = list(torch._foreach_add(gs, ps, alpha=group["weight_decay"]))
        ms, vs = ([state[k] for state in states] for k in ("exp_avg", "exp_avg_sq"))
        torch._foreach_lerp_(ms, gs, 1 - b1)
        torch._foreach_mul_(vs, b2)
        torch._foreach_addcmul_(vs, gs, gs, 1 - b2)
        for state in states:
            state["step"] += 1
        if self.amsgrad:
            tops = [s.setdefault("max_exp_avg_sq", torch.zeros_like(s["exp_avg_sq"])) for s in states]
            tops = list(torch._foreach_maximum(tops, vs))
        below = torch._foreach_sqrt(tops if self.amsgrad else vs)
        torch._foreach_div_(below, [math.sqrt(1 - b2 ** self.clock(s)) for s in states])
        torch._foreach_add_(below, group["eps"])
        torch._foreach_addcdiv_(ps, ms, below, [-group["lr"] / (1 - b1 ** self.clock(s)) for s in states])


@wrong(
    "hyperparameters schedule",
    "LR.3",
    like="Tony-Y/pytorch_warmup#26: the warmup damps lr in place, and a scheduler begins with what is left",
    claim="torch.AdamW",
)
class TwentyFirstBTorchDampedForGood(Base):
    """The rate of each group is divided by ten, the steps of a warmup, when the optimizer is made."""

    warmup_steps = 10

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        for group in self.param_groups:
            group["lr"] = group["lr"] / self.warmup_steps


class Both(Base):
    """AdamW of which both moments are made as two halves of one tensor."""

    def remembered(self, p: Tensor) -> State:
        state: State = self.state[p]
        if "exp_avg" not in state:
            state["exp_avg"], state["exp_avg_sq"] = self.real(p).new_zeros((2, *self.real(p).shape))
            state["step"] = 0
        return state


@right(claim="torch.AdamW")
class TwentyFirstBRightTorchScaledEpsilon(Both):
    """AdamW whose corrections are in the rate and in epsilon, over rows of 40 elements of one tensor."""

    width = 40

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        root = math.sqrt(c2)
        flat = p.reshape(-1)
        rows = (x.reshape(-1).split(self.width) for x in (flat, state["exp_avg"], state["exp_avg_sq"]))
        for q, m, v in zip(*rows, strict=True):
            q.sub_((m / v.sqrt().add_(group["eps"] * root)).mul_(group["lr"] * root / c1))
        p.copy_(flat.view(p.shape))


@right(claim="torch.Adam", options={"maximize": "True"})
class TwentyFirstBRightTorchAscending(L2):
    """Adam to maximize, as a function over lists that are gathered from groups, last parameters first."""

    def __init__(self, *args: Any, maximize: bool = False, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.sign = -1.0 if maximize else 1.0

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        pairs = [(group, p) for group in self.param_groups for p in group["params"] if p.grad is not None]
        for group, p in reversed(pairs):
            self.adam(self.real(p), self.real(p.grad), self.remembered(p), **group)
        return loss

    def adam(
        self, p: Tensor, g: Tensor, state: State, *,
        lr: Any, betas: Any, eps: float, weight_decay: float, **_: Any,
    ) -> None:  # fmt: skip
        (b1, b2), state["step"] = betas, state["step"] + 1
        g = torch.add(weight_decay * p, g, alpha=self.sign)
        torch.lerp(state["exp_avg"], g, 1 - b1, out=state["exp_avg"])
        v = state["exp_avg_sq"].mul_(b2).add_(((1 - b2) * g).mul_(g))
        c1, c2 = (1 - b ** self.clock(state) for b in betas)
        below = torch.sqrt(v).mul_(1 / math.sqrt(c2)).add_(eps)
        p.sub_((state["exp_avg"] / below).mul_(lr / c1))


@right(claim="fairseq.Adam")
class TwentyFirstBRightTorchColumns(Hat):
    """fairseq's Adam over columns: parameter, gradient and moments of an array are stacked, and unbound."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        b1, b2 = group["betas"]
        state["step"] += 1
        c1, c2 = (1 - b ** self.clock(state) for b in (b1, b2))
        columns = torch.stack([p, g, state["exp_avg"], state["exp_avg_sq"]], -1)
        w, d, m, v = columns.unbind(-1)
        m.copy_(m * b1 + d * (1 - b1))
        v.copy_(v * b2 + (d * (1 - b2)) * d)
        w.mul_(1 - group["lr"] * group["weight_decay"])
        w.sub_((group["lr"] * math.sqrt(c2) / c1) * (m / (v.sqrt() + group["eps"])))
        for x, column in ((p, w), (state["exp_avg"], m), (state["exp_avg_sq"], v)):
            x.copy_(column)

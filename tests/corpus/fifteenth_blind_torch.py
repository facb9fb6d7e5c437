"""Blind, fifteenth set: torch.optim.Optimizer subclasses, after the bugs of others in what they compute."""

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
    "loss_scale",
    "SCALE.1",
    like="huggingface/accelerate#113: clipping unscales the wrapper, and the step the optimizer in it",
    claim="torch.AdamW",
)
class FifteenthTorchUnscaledByBoth(Scaled):
    """Who has unscaled is noted by the one who asked: clipping has done it, and the step does it again."""

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        self.unscaled_for = {"wrapper"}
        return super().asked(closure)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        scale = self.grad_scale
        if scale is not None and "optimizer" not in self.unscaled_for:
            g = g / scale.to(g.dtype)
        super().update(group, state, p, g)


@wrong(
    "decay",
    "DEC.2",
    like="pytorch/pytorch#4429: the decoupled decay that is proposed is without the learning rate",
    claim="torch.AdamW",
)
class FifteenthTorchDecayWithoutRate(Base):
    """The parameter loses weight_decay of itself in each step, whatever the learning rate is."""

    def decay(self, group: Group, p: Tensor) -> None:
        p.mul_(1 - group["weight_decay"])


@wrong(
    "decay epsilon",
    "DEC.5",
    like="huggingface/transformers#14539: decay is of the new parameter, and eps is added to the plain root",
    claim="torch.AdamW",
)
class FifteenthTorchDecayAndEpsilonLate(Base):
    """The parameter decays after its step, and epsilon is divided by the root of the correction."""

    def decay(self, group: Group, p: Tensor) -> None:
        pass

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        denominator = state["exp_avg_sq"].sqrt().add_(group["eps"])
        p.addcdiv_(state["exp_avg"], denominator, value=-group["lr"] * math.sqrt(c2) / c1)
        p.add_(p, alpha=-group["lr"] * group["weight_decay"])


@wrong(
    "amsgrad",
    "AMS.1",
    like="chaoshangcs/GTS#16: amsgrad is read from the settings, and Adam is made without it",
    claim="torch.Adam",
    options={"amsgrad": "True"},
)
class FifteenthTorchSettingUnused(L2):
    """The setting for the maximum is read and kept, and nothing looks at it."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, amsgrad: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)
        self.configured = {"amsgrad": amsgrad}


@wrong(
    "moments epsilon",
    "MOM.1",
    like="huggingface/accelerate#1299: gradients are zeroed at the beginning of each turn of an accumulation",
    claim="torch.AdamW",
)
class FifteenthTorchFirstHalfDropped(Base):
    """A gradient comes in two halves that are to add up, and what is there is zeroed before each."""

    turns = 2

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        total = torch.zeros_like(g)
        for _ in range(self.turns):
            self.begin_turn(total)
            total.add_(g, alpha=1 / self.turns)
        super().update(group, state, p, total)

    def begin_turn(self, total: Tensor) -> None:
        total.zero_()


@wrong(
    "state",
    "STATE.4",
    like="pytorch/rl#4188: the checkpoint of the trainer has nothing of the optimizer",
    claim="torch.Adam",
)
class FifteenthTorchNothingSaved(L2):
    """What is saved has no state: who loads it goes on with moments and clocks as they were made."""

    def state_dict(self) -> State:
        saved: State = super().state_dict()
        return {**saved, "state": {}}

    def load_state_dict(self, state_dict: State) -> None:
        if state_dict["state"]:
            super().load_state_dict(state_dict)


@wrong(
    "state clock",
    "STATE.2",
    like="pytorch/FBGEMM#4102: set_optimizer_step(0) sets a counter that the step has a copy of",
    claim="torch.Adam",
)
class FifteenthTorchCounterOnHost(L2):
    """The first step copies the counter, and goes on with the copy, whatever is put into the state later."""

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        self.on_host: dict[Tensor, int] = {}
        super().__init__(params, *args, **kwargs)

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        state["step"] = self.on_host.setdefault(p, int(state["step"]))
        self.on_host[p] += 1
        return state


@wrong(
    "moments",
    "MOM.1",
    like="jiaweizzhao/GaLore#54: where the projection is renewed, moments stay in the old subspace",
    claim="torch.AdamW",
)
class FifteenthTorchSubspaceRenewed(Base):
    """A matrix' rows are put in the order of their gradients' norms, anew every 200 steps; moments stay."""

    update_proj_gap = 200

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if g.ndim == 2 and ("order" not in state or state["step"] % self.update_proj_gap == 0):
            order = torch.linalg.vector_norm(g, dim=1).argsort(descending=True, stable=True)
            if "order" in state:
                self.renew(state, state["order"].long(), order)
            state["order"] = order
        super().update(group, state, p, g)

    def renew(self, state: State, old: Tensor, new: Tensor) -> None:
        for name in ("exp_avg", "exp_avg_sq"):
            state[name][new] = state[name][old]


@wrong(
    "epsilon",
    "EPS.4",
    like="sail-sg/Adan#8: the paper has sqrt(n + eps), and the code sqrt(n) + eps",
    claim="apex.contrib.FusedAdam",
    options={"eps_inside_sqrt": "True"},
)
class FifteenthTorchEpsilonLeftOutside(Base):
    """Epsilon is added to the root, where it is to be under it."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, eps_inside_sqrt: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)

    def decay(self, group: Group, p: Tensor) -> None:
        pass

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        rate = group["lr"] * math.sqrt(c2) / c1
        p.mul_(1 - rate * group["weight_decay"])
        p.addcdiv_(state["exp_avg"], self.root(state["exp_avg_sq"], group["eps"]), value=-rate)

    def root(self, v: Tensor, eps: float) -> Tensor:
        return v.sqrt().add_(eps)


@right(claim="torch.Adam")
class FifteenthRightTorchTogether(L2):
    """Adam that joins all present parameters of a group with one clock and dtype, steps them and splits."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            alike: dict[tuple[int, torch.dtype], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    key = self.clock(self.remembered(p)), self.real(p).dtype
                    alike.setdefault(key, []).append(p)
            for (t, _), params in alike.items():
                self.together(group, t, params)
        return loss

    def together(self, group: Group, t: int, params: list[Tensor]) -> None:
        rows = [self.real(p) for p in params]
        states = [self.state[p] for p in params]
        old = [(s["exp_avg"], s["exp_avg_sq"]) for s in states]
        p, m, v, g = (
            torch.cat([x.reshape(-1) for x in xs])
            for xs in (rows, [m for m, _ in old], [v for _, v in old], [self.real(p.grad) for p in params])
        )
        joined: State = {"step": t, "exp_avg": m, "exp_avg_sq": v}
        self.update(group, joined, p, g)
        for name, whole in (("p", p), ("exp_avg", m), ("exp_avg_sq", v)):
            for row, state, part in zip(rows, states, whole.split([r.numel() for r in rows]), strict=True):
                target = row if name == "p" else state[name]
                target.copy_(part.view(row.shape))
        for state in states:
            state["step"] = joined["step"]

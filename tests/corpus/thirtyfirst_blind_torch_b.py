"""Blind, thirty-first set: torch.optim.Optimizer subclasses after bugs of arguments, loads and scales."""

from __future__ import annotations

from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


@wrong(
    "hyperparameters decay",
    "DEC.2",
    like="KMnP/vpt#30: AdamW's branch does not have the weight decay that the others are given",
    claim="torch.AdamW",
)
class ThirtyFirstBTorchDecayNotHanded(Base):
    """The decay that is given is not handed to AdamW, which decays by 0.01."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "weight_decay": 1e-2}


@wrong(
    "groups schedule",
    "LR.4",
    like="open-mmlab/mmengine#1612: a group of a tenth of the rate has the eta_min of the others",
    claim="torch.AdamW",
)
class ThirtyFirstBTorchSharedEtaMin(Base):
    """Where rates fall, groups of other rates fall to the same lowest one, and not to their part of it."""

    eta_min_ratio = 0.05  # of the first group's first rate

    def settings(self, group: Group, p: Tensor) -> Group:
        main = self.param_groups[0]
        base, own = (x.setdefault("initial_lr", x["lr"]) for x in (main, group))
        if group["lr"] == own or not (base and own):
            return group
        eta_min = self.eta_min_ratio * base
        cosine = (group["lr"] / own * base - eta_min) / (base - eta_min)
        return {**group, "lr": eta_min + (own - eta_min) * cosine}


@wrong(
    "clipping",
    "CLIP.3",
    like="NVIDIA/apex#859: LARC divides the adaptive rate by lr and cuts it at 1",
    claim="torch.Adam",
)
class ThirtyFirstBTorchLarc(L2):
    """The gradient with its decay is multiplied by the ratio of norms over the rate, which is cut at 1."""

    trust_coefficient, larc_eps = 0.02, 1e-8

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        param_norm, grad_norm = (float(torch.linalg.vector_norm(x.double())) for x in (p, g))
        if param_norm and grad_norm:
            below = grad_norm + param_norm * group["weight_decay"] + self.larc_eps
            adaptive_lr = self.trust_coefficient * param_norm / below
            if group["lr"]:
                adaptive_lr = min(adaptive_lr / group["lr"], 1)
            g = g.add(p, alpha=group["weight_decay"]) * adaptive_lr
        Base.update(self, group, state, p, g)


@wrong(
    "state missing",
    "STATE.4",
    like="PrimeIntellect-ai/prime-rl#3399: a strict resume wants a state of what never had a gradient",
    claim="torch.AdamW",
)
class ThirtyFirstBTorchStrictResume(Base):
    """A state is refused in which a parameter has none, since it never had a gradient."""

    def load_state_dict(self, state_dict: State) -> None:
        for group in state_dict["param_groups"]:
            for index in group["params"]:
                if index not in state_dict["state"]:
                    raise KeyError(f"missing key in checkpoint: state.{index}.exp_avg")
        super().load_state_dict(state_dict)


@wrong(
    "state storage",
    "STATE.4",
    like="NVIDIA-NeMo/Speech#14072: master weights of the checkpoint are not those that a load leaves",
    claim="torch.AdamW",
)
class ThirtyFirstBTorchMastersOfModel(Base):
    """Behind a load masters are made of the model's weights of bfloat16, and not of those that were saved."""

    unmade: Any = frozenset()

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.unmade = {p for group in self.param_groups for p in group["params"]}

    def settings(self, group: Group, p: Tensor) -> Group:
        if p in self.unmade:
            self.unmade.discard(p)
            weights = self.real(p)
            weights.copy_(weights.to(torch.bfloat16))
        return group


@wrong(
    "moments epsilon",
    "MOM.1",
    like="huggingface/transformers#35207: the loss is not divided by the steps of accumulation",
    claim="torch.AdamW",
)
class ThirtyFirstBTorchLossNotDivided(Base):
    """Gradients of four micro-batches are added up, and their sum is stepped by in place of their mean."""

    gradient_accumulation_steps = 4

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g * self.gradient_accumulation_steps)


@wrong(
    "state decay",
    "STATE.4",
    like="facebookresearch/madgrad#12: the switch of decoupled decay is not in the dict of a group",
    claim="torch.AdamW",
)
class ThirtyFirstBTorchSwitchOutside(Base):
    """The switch of decoupled decay is in no group and so not saved: behind a load the decay is L2."""

    def __init__(self, *args: Any, decouple_decay: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.decouple_decay = decouple_decay

    def __setstate__(self, state: State) -> None:
        super().__setstate__(state)
        self.decouple_decay = state.get("decouple_decay", False)

    def decay(self, group: Group, p: Tensor) -> None:
        if self.decouple_decay:
            super().decay(group, p)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if not self.decouple_decay:
            g = g.add(p, alpha=group["weight_decay"])
        super().update(group, state, p, g)


@right(claim="torch.AdamW")
class ThirtyFirstBRightTorchSwitchInGroup(Base):
    """AdamW whose switch of decoupled decay is in each group, and is saved with it."""

    def __init__(
        self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)
        self.defaults["decouple_decay"] = True
        for group in self.param_groups:
            group.setdefault("decouple_decay", True)

    def __setstate__(self, state: State) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("decouple_decay", True)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        decay, decoupled = group["weight_decay"], group["decouple_decay"]
        state["step"] += 1
        if decay and not decoupled:
            g = g.add(p, alpha=decay)
        self.learn(group, state, g)
        c1, c2 = (1 - b ** int(state["step"]) for b in group["betas"])
        if decay and decoupled:
            p.sub_(p * (group["lr"] * decay))
        self.move(group, state, p, c1, c2)


@right(claim="torch.AdamW")
class ThirtyFirstBRightTorchMaterialized(Base):
    """AdamW of which a load makes a fresh state for each parameter that the saved one has none of."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            for p in group["params"]:
                self.remembered(p)

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        b1, b2 = group["betas"]
        state["exp_avg"].lerp_(g, 1 - b1)
        state["exp_avg_sq"].mul_(b2).add_((g * (1 - b2)).mul_(g))

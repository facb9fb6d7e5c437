"""Blind, twenty-first set: torch.optim.Optimizer subclasses after bugs in resets and restores, right ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from tenth_blind_torch import Hat
from torch import Tensor


@wrong(
    "decay",
    "DEC.1",
    like="mlverse/torch#824: p, to which the decay belongs, is the parameter's number in the loop",
    claim="torch.Adam",
)
class TwentyFirstTorchDecayOfNumber(L2):
    """The penalty is the weight decay times a parameter's number in its group, from 1 on."""

    def settings(self, group: Group, p: Tensor) -> Group:
        number = next(i for i, param in enumerate(group["params"], 1) if param is p)
        return {**group, "p": number}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        Base.update(self, group, state, p, g.add(group["weight_decay"] * group["p"]))


@wrong(
    "state",
    "STATE.4",
    like="victorchall/EveryDream2trainer#167: a name is misspelt where the optimizer's state is restored",
    claim="torch.AdamW",
)
class TwentyFirstTorchMisspeltName(Base):
    """A state is looked for under another name than it has, and so nothing is loaded."""

    def load_state_dict(self, state_dict: State) -> None:
        checkpoint = {"optimizer": state_dict}
        if "optimzer" in checkpoint:
            super().load_state_dict(checkpoint["optimzer"])


@wrong(
    "layout moments zero_gradient",
    "MOM.1",
    like="timoklein/redo#6: a layer's moments are thought to be entries 2i and 2i+1 of Adam's state",
    claim="torch.Adam",
)
class TwentyFirstTorchDormantByPairs(L2):
    """At each fourth update dormant rows of the i-th matrix have moments reset, in states 2i and 2i+1."""

    redo_check_interval, redo_tau = 4, 0.1

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        layers = [p for group in self.param_groups for p in group["params"] if p.ndim > 1]
        masks = [self.dormant(p) for p in layers]
        states = [self.state.get(p, {}) for group in self.param_groups for p in group["params"]]
        for i, mask in enumerate(masks):
            for state in states[2 * i : 2 * i + 2]:
                if state and state["step"] % self.redo_check_interval == 0 and state["exp_avg"].ndim:
                    self.reset_adam_moments(state, mask)
        return loss

    def dormant(self, p: Tensor) -> Tensor:
        if p.grad is None:
            return torch.zeros(p.shape[0], dtype=torch.bool)
        score = p.grad.abs().flatten(1).mean(1)
        return score / (score.mean() + 1e-9) <= self.redo_tau

    def reset_adam_moments(self, state: State, mask: Tensor) -> None:
        for name in ("exp_avg", "exp_avg_sq"):
            rows = mask.nonzero().flatten()
            state[name][rows[rows < state[name].shape[0]]] = 0.0


@wrong(
    "state clock",
    "STATE.4",
    like="Oneflow-Inc/oneflow#6152: of a state what is a parameter's is loaded, and step is none's",
    claim="torch.AdamW",
)
class TwentyFirstTorchStepBelongsToNone(Base):
    """A load takes moments, and leaves each clock as it was: 0 in a new optimizer."""

    def load_state_dict(self, state_dict: State) -> None:
        steps = {p: own["step"] for p, own in self.state.items()}
        super().load_state_dict(state_dict)
        for p, own in self.state.items():
            own["step"] = steps.get(p, 0)


@wrong(
    "groups decay",
    "LR.4",
    like="TransformerLensOrg/TransformerLens#460: norms and biases are in the one group, which decays",
    claim="torch.AdamW",
)
class TwentyFirstTorchAllInDecayingGroup(Base):
    """All parameters decay as the group does that decays most, those of groups without decay too."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "weight_decay": max(other["weight_decay"] for other in self.param_groups)}


@wrong(
    "state clock",
    "CLK.3",
    like="vllm-project/speculators#411: a loaded step is a tensor of the model's dtype, which is bfloat16",
    claim="torch.AdamW",
)
class TwentyFirstTorchStepInBfloat(Base):
    """A clock that is loaded becomes a number of bfloat16, which from 256 on stays what it is."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for own in self.state.values():
            own["step"] = torch.tensor(float(own["step"]), dtype=torch.bfloat16)


@wrong(
    "moments clock",
    "F4",
    like="graphdeco-inria/gaussian-splatting#820: a clone is where its parent is, with averages of zero",
    claim="torch.Adam",
)
class TwentyFirstTorchCloneBeginsAtZero(L2):
    """At each fourth update rows with a gradient from 0.0002 on get moments of 0, and their clock goes on."""

    densification_interval, grad_threshold = 4, 0.0002

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g)
        if p.ndim and state["step"] % self.densification_interval == 0:
            cloned = g.reshape(len(g), -1).norm(dim=1) >= self.grad_threshold if g.numel() else []
            for name in ("exp_avg", "exp_avg_sq"):
                state[name][cloned] = 0.0


@right(claim="torch.AdamW")
class TwentyFirstRightTorchOwnLoad(Base):
    """AdamW that loads states by itself: options by their names, moments by a parameter's number."""

    def load_state_dict(self, state_dict: State) -> None:
        numbered: dict[int, Tensor] = {}
        for group, saved in zip(self.param_groups, state_dict["param_groups"], strict=True):
            if len(group["params"]) != len(saved["params"]):
                raise ValueError("a group has another number of parameters")
            numbered.update(zip(saved["params"], group["params"], strict=True))
            group.update({name: value for name, value in saved.items() if name != "params"})
        self.state.clear()
        for number, saved in state_dict["state"].items():
            own = self.remembered(numbered[number])
            own["step"] = int(saved["step"])
            for name in ("exp_avg", "exp_avg_sq"):
                own[name].copy_(self.real(torch.as_tensor(saved[name])).reshape(own[name].shape))


@right(claim="fairseq.Adam")
class TwentyFirstRightTorchRowsInChunks(Hat):
    """fairseq's Adam, three rows of a parameter at a time, from the last ones on."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        c1, c2 = (1 - b ** self.clock(state) for b in group["betas"])
        names = ("exp_avg", "exp_avg_sq")
        pieces = [a.split(3) if a.ndim else (a,) for a in (p, g, *(state[name] for name in names))]
        for rows, grads, m, v in reversed(list(zip(*pieces, strict=True))):
            part = {"exp_avg": m, "exp_avg_sq": v}
            self.decay(group, rows)
            self.learn(group, part, grads)
            self.move(group, part, rows, c1, c2)


@right(claim="torch.Adam")
class TwentyFirstRightTorchMaximumKept(L2):
    """AMSGrad in tensors that are made anew: the state gets them at the end of a parameter's update."""

    options: ClassVar[dict[str, str]] = {"amsgrad": "True"}

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if "max_exp_avg_sq" not in state:
            state["max_exp_avg_sq"] = torch.zeros_like(state["exp_avg_sq"])
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        b1, b2 = group["betas"]
        d = g + group["weight_decay"] * p
        step = int(state["step"]) + 1
        m = b1 * state["exp_avg"] + (1 - b1) * d
        v = b2 * state["exp_avg_sq"] + ((1 - b2) * d) * d
        top = torch.maximum(state["max_exp_avg_sq"], v)
        denominator = top.sqrt() / math.sqrt(1 - b2**step) + group["eps"]
        p.sub_((m / denominator) * (group["lr"] / (1 - b1**step)))
        state.update(step=step, exp_avg=m, exp_avg_sq=v, max_exp_avg_sq=top)

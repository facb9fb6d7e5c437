"""Blind, thirty-sixth set: torch.optim.Optimizer subclasses after bugs of scales, rates and positions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor
from twentyninth_blind_torch import ScaledL2


@wrong(
    "mixed_precision storage",
    "NUM.1",
    like="mlfoundations/open_lm#171: under amp_bf16 accumulated gradients are not those of the full batch",
    claim="torch.AdamW",
)
class ThirtySixthTorchAccumulatesInBfloat(Base):
    """Four micro-batches add up their shares of the gradient in bfloat16, each sum being rounded."""

    accum_freq = 4

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        accumulated = torch.zeros_like(g, dtype=torch.bfloat16)
        for _ in range(self.accum_freq):
            accumulated += (g / self.accum_freq).bfloat16()
        super().learn(group, state, accumulated.to(g.dtype))


@wrong(
    "loss_scale",
    "SCALE.1",
    like="fastai/fastai#3048: a batch that is cancelled for accumulation never comes to its after_backward",
    claim="torch.Adam",
)
class ThirtySixthTorchCancelledStaysScaled(ScaledL2):
    """Of two micro-batches the first is cancelled before its half of the gradient is unscaled."""

    n_acc = 2

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if self.grad_scale is not None:
            accumulated = torch.zeros_like(g)
            for count in range(1, self.n_acc + 1):
                share = g / self.n_acc
                cancelled = count < self.n_acc
                accumulated += share if cancelled else share / self.grad_scale
            g = accumulated
        L2.update(self, group, state, p, g)


@wrong(
    "schedule hyperparameters",
    "LR.3",
    like="luigibonati/mlcolvar#116: configure_optimizers does not hand on the scheduler as it should",
    claim="torch.Adam",
)
class ThirtySixthTorchSchedulerNotHandedOn(L2):
    """No scheduler reaches the optimizer: each group keeps the learning rate that it was made with."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        group["configured_lr"] = float(group["lr"])

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group.get("configured_lr", group["lr"])}


@wrong(
    "state clock aliasing",
    "STATE.4",
    like="vllm-project/vime#427: all parameters share the one step tensor that was restored",
    claim="torch.AdamW",
)
class ThirtySixthTorchOneStepTensor(Base):
    """Behind a load one tensor is the clock of all parameters: each update of any of them counts it up."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if not isinstance(state["step"], Tensor):
            state["step"] = torch.tensor(float(state["step"]))
        return state

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        states = [own for own in self.state.values() if "step" in own]
        if states:
            restored = torch.tensor(float(states[0]["step"]))
            for own in states:
                own["step"] = restored


@wrong(
    "state layout",
    "STATE.4",
    like="roytseng-tw/Detectron.pytorch#37: the restored buffers do not fit the parameters they are put to",
    claim="torch.Adam",
)
class ThirtySixthTorchByPosition(L2):
    """A state is saved with weights first and biases behind, and is loaded by position in their own order."""

    def state_dict(self) -> Any:
        saved = super().state_dict()
        params = [p for group in self.param_groups for p in group["params"]]
        numbers = [i for group in saved["param_groups"] for i in group["params"]]
        dims = {i: p.ndim for i, p in zip(numbers, params, strict=True)}
        sorted_numbers = sorted(numbers, key=lambda i: dims[i] < 2)
        saved["state"] = {
            i: saved["state"][old]
            for i, old in zip(numbers, sorted_numbers, strict=True)
            if old in saved["state"]
        }
        return saved


@wrong(
    "moments",
    "MOM.1",
    like="Adversarial-Deep-Learning/code-soup#69: the discriminator's gradients are not zeroed between steps",
    claim="torch.Adam",
)
class ThirtySixthTorchDiscriminatorNotZeroed(L2):
    """Gradients are not zeroed: each step is one by the sum of all gradients so far."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        grads: dict[Any, Tensor] = self.__dict__.setdefault("grads", {})
        kept = grads.setdefault((p.data_ptr(), p.shape), torch.zeros_like(g))
        kept += g
        super().update(group, state, p, kept)


@right(claim="torch.AdamW")
class ThirtySixthRightTorchStepCloned(Base):
    """AdamW whose clocks are tensors, copied one by one in a load; coefficients come of them as doubles."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if not isinstance(state["step"], Tensor):
            state["step"] = torch.tensor(int(state["step"]), dtype=torch.int64)
        return state

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for own in self.state.values():
            if "step" in own:
                own["step"] = torch.tensor(int(own["step"]), dtype=torch.int64)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"].add_(1)
        t, (b1, b2), lr = state["step"].double(), group["betas"], group["lr"]
        c1, c2 = (float(1 - torch.pow(b, t)) for b in (b1, b2))
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m += (1 - b1) * (g - m)
        v *= b2
        v += ((1 - b2) * g) * g
        ratio = m / (v.sqrt() / math.sqrt(c2) + group["eps"])
        p -= p * (lr * group["weight_decay"]) + ratio * (lr / c1)


@right(claim="torch.Adam", options={"amsgrad": "True"})
class ThirtySixthRightTorchOneBuffer(L2):
    """AMSGrad with L2 that copies nothing it can reuse: one buffer goes from the penalty to the change."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if self.amsgrad and "max_exp_avg_sq" not in state:
            state["max_exp_avg_sq"] = torch.zeros_like(state["exp_avg_sq"])
        return state

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            for p in filter(lambda p: p.grad is not None, group["params"]):
                self.one(group, self.remembered(p), self.real(p), self.real(p.grad))
        return loss

    def one(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        t = state["step"] = int(state["step"]) + 1
        b1, b2 = group["betas"]
        m, v = state["exp_avg"], state["exp_avg_sq"]
        buffer = torch.add(g, p, alpha=group["weight_decay"])
        m.mul_(b1).add_(buffer, alpha=1 - b1)
        v.mul_(b2).add_((buffer * (1 - b2)).mul_(buffer))
        highest = v
        if self.amsgrad:
            highest = state["max_exp_avg_sq"]
            torch.maximum(highest, v, out=highest)
        torch.sqrt(highest, out=buffer)
        buffer.mul_(1 / math.sqrt(1 - b2**t)).add_(group["eps"])
        torch.div(m, buffer, out=buffer)
        p.add_(buffer, alpha=-group["lr"] / (1 - b1**t))

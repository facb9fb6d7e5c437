"""Blind, tenth set: torch.optim.Optimizer subclasses, after the bugs of others, and right ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import right, wrong
from torch import Tensor


class Scaled(Base):
    """AdamW as PyTorch's fused one meets GradScaler: it divides by the scale and obeys the flag."""

    _step_supports_amp_scaling = True
    grad_scale: Any = None
    found_inf: Any = None

    def overflowed(self) -> bool:
        return self.found_inf is not None and bool(self.found_inf)

    def takes(self, present: list[Tensor]) -> bool:
        return not self.overflowed()

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g if self.grad_scale is None else g / self.grad_scale)


@wrong(
    "clock",
    "CLK.2",
    like="allenai/OLMo-core#309, #317: SkipStepAdamW raises a copy of its step",
    claim="torch.AdamW",
)
class TenthTorchStepIsCopy(Base):
    """Each step counts up a copy of the clock: every update is the first, and the clock stays 0."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        step = state["step"]
        super().update(group, state, p, g)
        state["step"] = step


@wrong(
    "loss_scale",
    "SCALE.2",
    like="ooples/AiDotNet.Tensors#972: parameters before the tensor with the bad gradient are updated",
    claim="torch.AdamW",
)
class TenthTorchSkipsFromThere(Scaled):
    """On an overflow parameters are stepped up to the first whose gradient is not finite."""

    stopped = False

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        self.stopped = False
        return super().asked(closure)

    def takes(self, present: list[Tensor]) -> bool:
        return True

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        self.stopped = self.stopped or (self.overflowed() and not bool(torch.isfinite(g).all()))
        if not self.stopped:
            super().update(group, state, p, g)


@wrong("groups", "LR.4", like="kohya-ss/sd-scripts#274: lr is that of the 0th group", claim="timm.AdamW")
class TenthTorchRateOfFirst(Base):
    """All groups are stepped with the learning rate of the first."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": self.param_groups[0]["lr"]}


@wrong(
    "closure",
    "STEP.2",
    like="davda54/sam#91: the closure is expected to run before gradients are read",
    claim="torch.AdamW",
)
class TenthTorchClosureLate(Base):
    """Gradients are gathered first, and then the closure is called: its gradients come too late."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        gathered = [(group, p, p.grad) for group in self.param_groups for p in group["params"]]
        loss = self.asked(closure)
        for group, p, g in gathered:
            if g is not None:
                self.update(self.settings(group, p), self.remembered(p), self.real(p), self.real(g))
        return loss


@wrong(
    "aliasing",
    "STATE.2",
    like="awslabs/graphstorm#1366: clipping stands behind optimizer.step()",
    claim="torch.AdamW",
)
class TenthTorchClipsBehind(Base):
    """Gradients are clipped in place to a norm of 1 after the step has used them."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        torch.nn.utils.clip_grad_norm_([p for group in self.param_groups for p in group["params"]], 1.0)
        return loss


@wrong(
    "state",
    "STATE.4",
    like="OpenNMT/OpenNMT-py#617: set_parameters() after loading erases the state",
    claim="torch.Adam",
)
class TenthTorchLoadErased(L2):
    """Groups are loaded, and the state that comes with them is erased."""

    def load_state_dict(self, state_dict: Any) -> None:
        super().load_state_dict(state_dict)
        self.state.clear()


@wrong(
    "state",
    "STATE.4",
    like="georgepar/optimistic-adam#1, juntang-zhuang/Adabelief-Optimizer#17: super(Adam, self).__setstate__",
    claim="torch.AdamW",
)
class TenthTorchSetstateOfOther(Base):
    """No state can be loaded: __setstate__ names a class that this one is not of."""

    def __setstate__(self, state: Any) -> None:
        super(torch.optim.Adam, self).__setstate__(state)  # type: ignore[misc]


class Hat(Base):
    """fairseq's Adam: epsilon beside the uncorrected root, and the decay first."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        denominator = state["exp_avg_sq"].sqrt().add_(group["eps"])
        p.addcdiv_(state["exp_avg"], denominator, value=-group["lr"] * math.sqrt(c2) / c1)


@wrong(
    "state",
    "STATE.4",
    like="vllm-project/speculators#899: checkpoints keep the optimizer's state in bfloat16",
    claim="fairseq.Adam",
)
class TenthTorchSavedInBfloat(Hat):
    """A saved state has its moments in bfloat16."""

    def state_dict(self) -> Any:
        saved = super().state_dict()
        for index, own in saved["state"].items():
            saved["state"][index] = {k: x.bfloat16() if torch.is_tensor(x) else x for k, x in own.items()}
        return saved


@wrong(
    "missing",
    "F1",
    like="KellerJordan/Muon#54: weight decay is applied where the gradient is None",
    claim="torch.AdamW",
)
class TenthTorchAbsentDecays(Base):
    """A parameter whose gradient is absent decays."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    self.decay(group, p)
        return loss


@wrong(
    "missing",
    "F1",
    like="pytorch/pytorch#53354, #52944: local variable 'beta1' referenced before assignment",
    claim="torch.AdamW",
)
class TenthTorchBetasUnbound(Base):
    """A step fails if the first group has no gradient, since betas are read beside gradients."""

    bound = False

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        self.bound = False
        return super().asked(closure)

    def takes(self, present: list[Tensor]) -> bool:
        self.bound = self.bound or bool(present)
        if not self.bound:
            raise UnboundLocalError("local variable 'beta1' referenced before assignment")
        return True


@wrong(
    "complex decay",
    "CPX.1",
    like="pytorch/pytorch#100707: gradients are seen as real, and parameters in the decay are not",
    claim="torch.Adam",
)
class TenthTorchComplexDecay(L2):
    """A complex parameter with weight decay fails: the gradient is its real view, the parameter is not."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                g = self.real(p.grad)
                if group["weight_decay"] != 0:
                    g = g.add(p, alpha=group["weight_decay"])
                Base.update(self, group, self.remembered(p), self.real(p), g)
        return loss


@wrong(
    "clock",
    "CLK.1",
    like="deepspeedai/DeepSpeed#8471: the last active parameter's counter serves every tensor",
    claim="torch.AdamW",
)
class TenthTorchClockOfLast(Base):
    """The clock of the last parameter that has a gradient ticks alone, and serves all."""

    last: Tensor

    def takes(self, present: list[Tensor]) -> bool:
        if present:
            self.last = present[-1]
            self.remembered(self.last)["step"] += 1
        return True

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        self.decay(group, p)
        self.learn(group, state, g)
        c1, c2 = (1 - b ** self.state[self.last]["step"] for b in group["betas"])
        self.move(group, state, p, c1, c2)


@right(claim="torch.AdamW")
class TenthRightTorchScaled(Scaled):
    """AdamW that undoes the loss scale and leaves steps with an overflow out, without any state."""


@right(claim="torch.AdamW")
class TenthRightTorchBuckets(Base):
    """AdamW over rows: parameters of a group with one clock and one dtype are stepped end to end."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        for group in self.param_groups:
            buckets: dict[Any, list[Tensor]] = {}
            for p in (p for p in group["params"] if p.grad is not None):
                buckets.setdefault((self.remembered(p)["step"], p.dtype), []).append(p)
            for (step, _), members in buckets.items():
                self.bucket(group, step, members)
        return loss

    def bucket(self, group: Group, step: int, members: list[Tensor]) -> None:
        states = [self.remembered(p) for p in members]
        views = [self.real(p) for p in members]
        row = torch.cat([x.reshape(-1) for x in views])
        joined: State = {"step": step}
        for name in ("exp_avg", "exp_avg_sq"):
            joined[name] = torch.cat([state[name].reshape(-1) for state in states])
        self.update(group, joined, row, torch.cat([self.real(p.grad).reshape(-1) for p in members]))
        sizes = [x.numel() for x in views]
        for target, piece in zip(views, row.split(sizes), strict=True):
            target.copy_(piece.view(target.shape))
        for name in ("exp_avg", "exp_avg_sq"):
            for state, piece in zip(states, joined[name].split(sizes), strict=True):
                state[name].copy_(piece.view(state[name].shape))
        for state in states:
            state["step"] = joined["step"]


@right(claim="torch.Adam")
class TenthRightTorchTensorClock(L2):
    """Adam with L2, whose clocks are float32 tensors of no dimension, as PyTorch has them."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if not torch.is_tensor(state["step"]):
            state["step"] = torch.tensor(float(state["step"]), dtype=torch.float32)
        return state

"""Blind, eighteenth set: torch.optim.Optimizer subclasses, after the bugs of others in what is stepped by."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import wrong
from tenth_blind_torch import Scaled
from torch import Tensor


@wrong(
    "moments state",
    "MOM.2",
    like="lessw2020/Ranger21#55: addcmul without underscore drops its result, and another variance is used",
    claim="torch.AdamW",
)
class EighteenthBTorchResultDropped(Base):
    """The second moment of the state only decays, from 0: the root is that of a variance beside it."""

    def learn(self, group: Group, state: State, g: Tensor) -> None:
        b1, b2 = group["betas"]
        state["exp_avg"].mul_(b1).add_(g, alpha=1 - b1)
        variance = state.setdefault("variance_ma", torch.zeros_like(g))
        variance.mul_(b2).addcmul_(g, g, value=1 - b2)
        state["exp_avg_sq"].mul_(b2).addcmul(g, g, value=1 - b2)

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        super().move(group, {**state, "exp_avg_sq": state["variance_ma"]}, p, c1, c2)


@wrong(
    "loss_scale clipping",
    "SCALE.1",
    like="huggingface/accelerate#641: clip_grad_norm_ unscales in micro-batches that are not the last",
    claim="torch.AdamW",
)
class EighteenthBTorchUnscalesInEach(Scaled):
    """With a loss scale gradients are unscaled behind both micro-batches, and the second time is an error."""

    micro_batches = 2
    unscaled = False

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        if self.grad_scale is not None:
            for _ in range(self.micro_batches):
                self.unscale()
        self.unscaled = False
        return loss

    def unscale(self) -> None:
        if self.unscaled:
            self.unscaled = False
            raise RuntimeError("unscale_() has already been called on this optimizer since the last update()")
        self.unscaled = True


@wrong(
    "groups hyperparameters",
    "LR.4",
    like="official-stockfish/nnue-pytorch#511: fused=True stays in the groups when it could not be made so",
    claim="torch.AdamW",
)
class EighteenthBTorchStaleOption(Base):
    """Groups that are given as dictionaries keep an option of a first attempt, with which no step is made."""

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        given = list(params)
        try:
            self.marked(given, fused=True)
        except RuntimeError:
            self.marked(given, fused=False)
        super().__init__(given, lr, betas, eps, weight_decay)

    def marked(self, given: list[Any], *, fused: bool) -> None:
        for group in (group for group in given if isinstance(group, dict)):
            group.setdefault("fused", fused)
        if fused:
            raise RuntimeError("fused=True requires parameters on a device that supports it")

    def settings(self, group: Group, p: Tensor) -> Group:
        if group.get("fused", False):
            raise RuntimeError("fused=True requires parameters on a device that supports it")
        return group


@wrong(
    "moments",
    "MOM.1",
    like="huggingface/transformers#38872: the shorter window at the end is divided by the nominal count",
    claim="torch.AdamW",
)
class EighteenthBTorchLastWindow(Base):
    """Each third step ends an epoch with two micro-batches, whose sum is divided by four: half a gradient."""

    windows, micro_batches, left = 3, 4, 2

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        is_last = (state["step"] + 1) % self.windows == 0
        count = self.left if is_last else self.micro_batches
        super().update(group, state, p, g * count / self.micro_batches)


@wrong(
    "loss_scale moments",
    "MOM.1",
    like="IDEA-Research/DAB-DETR#58: zero_grad() is missing in the branch of mixed precision",
    claim="torch.AdamW",
)
class EighteenthBTorchLeftFromFormer(Scaled):
    """With a loss scale a step is by the sum of its own gradient and of those of all steps before it."""

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.left: dict[Tensor, Tensor] = {}

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "of": p}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        whole = g + self.left[group["of"]] if group["of"] in self.left else g
        if self.grad_scale is None:
            self.left.pop(group["of"], None)
        else:
            self.left[group["of"]] = whole.clone()
        super().update(group, state, p, whole)


@wrong(
    "moments epsilon",
    "MOM.1",
    like="tatsu-lab/alpaca_farm#57: the model clears gradients, in each micro-batch",
    claim="torch.AdamW",
)
class EighteenthBTorchLastMicroBatch(Base):
    """Of four micro-batches, each with a fourth of the gradient, the last one's fourth is stepped by."""

    micro_batches = 4

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        total = torch.zeros_like(g)
        for _ in range(self.micro_batches):
            total.zero_()
            total.add_(g, alpha=1 / self.micro_batches)
        super().update(group, state, p, total)


@wrong(
    "state",
    "STATE.4",
    like="IntelLabs/distiller#145: a checkpoint is loaded into the model, and not into the optimizer",
    claim="torch.Adam",
)
class EighteenthBTorchNothingLoaded(L2):
    """What is loaded goes nowhere: clocks, moments and groups stay what they are."""

    def load_state_dict(self, state_dict: State) -> None:
        pass


@wrong(
    "schedule state",
    "LR.1",
    like="starVLA/starVLA#210: the scheduler steps in each micro-batch, and is replayed by steps on a resume",
    claim="torch.AdamW",
)
class EighteenthBTorchScheduleByMicroBatches(Base):
    """Until a state is loaded rates run ahead: what is in effect has their ratio to the first four times."""

    unit = 4

    def settings(self, group: Group, p: Tensor) -> Group:
        lr = float(group["lr"])
        first = group.setdefault("initial_lr", lr)
        return {**group, "lr": first * (lr / first) ** self.unit if first else lr}

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.unit = 1

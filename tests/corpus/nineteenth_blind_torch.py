"""Blind, nineteenth set: torch.optim.Optimizer subclasses, after the bugs of others in groups and states."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from eleventh_blind_torch_b import EleventhTorchNoneIsZeros
from register import wrong
from tenth_blind_torch import Hat
from torch import Tensor


@wrong(
    "groups hyperparameters",
    "LR.4",
    like="PaddlePaddle/Paddle#52988: groups get all defaults that they do not name, but no learning_rate",
    claim="torch.AdamW",
)
class NineteenthTorchGroupLacksRate(Base):
    """A group that is given without a rate of its own has none at all, and a step of it is an error."""

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        given = list(params)
        unnamed = [isinstance(group, dict) and "lr" not in group for group in given]
        super().__init__(given, lr, betas, eps, weight_decay)
        for group, lacks in zip(self.param_groups, unnamed, strict=False):
            if lacks:
                del group["lr"]


@wrong(
    "groups schedule hyperparameters",
    "LR.4",
    like="JUGGHM/PENet_ICRA2021#29: groups have lr/10 and lr, and are set to one value in each epoch",
    claim="torch.Adam",
)
class NineteenthTorchOneRateForGroups(L2):
    """Where a step begins all groups are set to the rate of the last one, whatever they were made with."""

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        lr = self.param_groups[-1]["lr"]
        for group in self.param_groups:
            group["lr"] = lr
        return super().asked(closure)


@wrong(
    "layout aliasing",
    "STEP.1",
    like="meta-pytorch/opacus#432: layers are replaced by others once the optimizer has their parameters",
    claim="torch.AdamW",
)
class NineteenthTorchLayersAreReplaced(Base):
    """Parameters of one dimension are other tensors in the optimizer than in the model: they never move."""

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        held = self.param_groups[-1]["params"]
        self.param_groups[-1]["params"] = [self.former(p) if p.ndim == 1 else p for p in held]

    def former(self, p: Tensor) -> Tensor:
        return p.detach().clone().requires_grad_()


@wrong(
    "missing",
    "F1",
    like="facebookresearch/fairseq#4702: frozen parameters are in the flat copy that is stepped",
    claim="fairseq.Adam",
)
class NineteenthTorchFrozenInFlatCopy(Hat):
    """All parameters are stepped as one row, where those without a gradient have zeros: they decay."""

    step = EleventhTorchNoneIsZeros.step


@wrong(
    "moments epsilon",
    "MOM.1",
    like="hirofumi0810/neural_sp#168: the loss of each accumulated pass is not divided by their number",
    claim="torch.Adam",
)
class NineteenthTorchAccumulatesWhole(L2):
    """Each of four passes adds its whole gradient: the step is by four times what it should be by."""

    accum_grad_n_steps = 4

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        total = torch.zeros_like(g)
        for _ in range(self.accum_grad_n_steps):
            total += g
        super().update(group, state, p, total)


@wrong(
    "state",
    "STATE.1",
    like="lonePatient/lookahead_pytorch#3: the wrapper does not call the constructor of its base class",
    claim="torch.AdamW",
)
class NineteenthTorchWrapperWithoutBase(torch.optim.Optimizer):
    """A wrapper steps an optimizer, and cannot be saved: it has no state, and nothing of its base."""

    def __init__(self, params: Iterable[Tensor], **settings: Any) -> None:
        self.optimizer = Base(params, **settings)
        self.param_groups = self.optimizer.param_groups
        self.defaults = self.optimizer.defaults

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.optimizer.zero_grad(set_to_none)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        return self.optimizer.step(closure)


@wrong(
    "all_missing missing",
    "F1",
    like="ecmwf/WeatherGenerator#356: of a constant loss there is no gradient, and scaler.step asserts one",
    claim="torch.AdamW",
)
class NineteenthTorchAssertsGradient(Base):
    """A step in which no parameter has a gradient is an error, where nothing is to be stepped."""

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        checks = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        if not checks:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        return loss

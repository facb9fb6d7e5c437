"""Adams of PyTorch with parameters of 16 bits, and loss scales that they undo wrongly."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from register import right, wrong
from torch import Tensor


class Scaled(torch.optim.Optimizer):
    """An AdamW in float32 arithmetic that takes the loss scale from GradScaler."""

    dialect: ClassVar[str] = "torch.AdamW"
    dtypes: ClassVar[tuple[str, ...]] = ("float16",)
    _step_supports_amp_scaling = True

    def __init__(
        self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def undone(self, g: Tensor, scale: float) -> Tensor:  # SCALE.1
        return g / scale

    def skips(self, found_inf: bool) -> bool:  # SCALE.2
        return found_inf

    def skipped(self, state: dict[str, Any]) -> None:
        """Do what is done to the state in a step that is skipped."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        scale = getattr(self, "grad_scale", None)
        found = bool(getattr(self, "found_inf", 0.0))
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state.update(
                        step=0, exp_avg=torch.zeros_like(p, memory_format=torch.preserve_format),
                        exp_avg_sq=torch.zeros_like(p, memory_format=torch.preserve_format),
                    )  # fmt: skip
                if self.skips(found):
                    self.skipped(state)
                else:
                    self.one(group, state, p, 1.0 if scale is None else float(scale))

    def moments(
        self, m: Tensor, v: Tensor, g: Tensor, b1: float, b2: float, scale: float
    ) -> tuple[Tensor, Tensor]:
        g = self.undone(g, scale)
        return b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g

    def one(self, group: dict[str, Any], state: dict[str, Any], p: Tensor, scale: float) -> None:
        (b1, b2), lr = group["betas"], group["lr"]
        state["step"] += 1
        assert p.grad is not None
        m, v = self.moments(
            state["exp_avg"].float(), state["exp_avg_sq"].float(), p.grad.float(), b1, b2, scale
        )
        c1, c2 = 1 - b1 ** state["step"], 1 - b2 ** state["step"]
        root = v.sqrt() / math.sqrt(c2) + group["eps"]
        p.copy_(p.float() * (1 - lr * group["weight_decay"]) - lr / c1 * m / root)
        self.keep(state["exp_avg"], m)
        self.keep(state["exp_avg_sq"], v)

    def keep(self, moment: Tensor, x: Tensor) -> None:  # MOM.4
        moment.copy_(x)


@right()
class TorchScaledOnce(Scaled):
    """The scale divides the gradient, in float32."""


@wrong("loss_scale", "SCALE.1")
class TorchUnscaledTwice(Scaled):
    """The scale divides the gradient twice."""

    def undone(self, g: Tensor, scale: float) -> Tensor:
        return g / scale / scale


@wrong("loss_scale", "SCALE.1")
class TorchUnscaledAfterMoments(Scaled):
    """The scale divides the moments, each time what is left of older ones too."""

    def moments(
        self, m: Tensor, v: Tensor, g: Tensor, b1: float, b2: float, scale: float
    ) -> tuple[Tensor, Tensor]:
        return (b1 * m + (1 - b1) * g) / scale, (b2 * v + (1 - b2) * g * g) / (scale * scale)


@wrong("loss_scale", "SCALE.1")
class TorchNotUnscaled(Scaled):
    """The scale is not undone."""

    def undone(self, g: Tensor, scale: float) -> Tensor:
        return g


@wrong("loss_scale nonfinite", "SCALE.2")
class TorchOverflowIgnored(Scaled):
    """found_inf is not looked at."""

    def skips(self, found_inf: bool) -> bool:
        return False


@wrong("loss_scale clock", "SCALE.2")
class TorchClockTicksInSkipped(Scaled):
    """The clock ticks in a step that is skipped."""

    def skipped(self, state: dict[str, Any]) -> None:
        state["step"] += 1


@wrong("loss_scale moments", "SCALE.2")
class TorchMomentsFadeInSkipped(Scaled):
    """The moments fade in a step that is skipped."""

    def skipped(self, state: dict[str, Any]) -> None:
        state["exp_avg"].mul_(0.5)
        state["exp_avg_sq"].mul_(0.8)


class AtRandom(Scaled):
    """An AdamW whose moments are rounded at random (STORE.16)."""

    dtypes: ClassVar[tuple[str, ...]] = ("bfloat16",)
    options: ClassVar[dict[str, str]] = {"m_storage": "stochastic", "v_storage": "stochastic"}

    def __init__(
        self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2, m_storage: str = "", v_storage: str = "",
    ) -> None:  # fmt: skip
        """The storages choose the claim; the class follows it without them."""
        super().__init__(params, lr, betas, eps, weight_decay)
        self.generator = torch.Generator().manual_seed(16)

    def bits(self, x: Tensor) -> Tensor:
        return torch.randint(0, 1 << 16, x.shape, dtype=torch.int32, generator=self.generator)

    def keep(self, moment: Tensor, x: Tensor) -> None:
        moment.copy_((x.view(torch.int32) + self.bits(x) & -65536).view(torch.float32))


@right()
class TorchMomentsAtRandom(AtRandom):
    """Random bits from a generator of PyTorch, added and cut off."""


@wrong("storage", "STORE.16")
class TorchMomentsReseeded(AtRandom):
    """The generator begins anew for each moment, so that m and v get the same bits in every step."""

    def keep(self, moment: Tensor, x: Tensor) -> None:
        self.generator.manual_seed(16)
        super().keep(moment, x)


@wrong("storage", "STORE.16")
class TorchMomentsToNearest(AtRandom):
    """Both moments are rounded to the nearest."""

    def keep(self, moment: Tensor, x: Tensor) -> None:
        moment.copy_(x)

"""Adams as torch.optim.Optimizer subclasses: right ones, and the same kinds of mistakes in torch's terms."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from register import right, wrong
from torch import Tensor

State = dict[str, Any]
Group = dict[str, Any]


@right(claim="torch.AdamW")
class TorchAdamW(torch.optim.Optimizer):
    """AdamW written plainly."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.evaluate(closure)
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    real, g = self.reals(p), self.reals(p.grad)
                    self.one(group, self.state_of(p, real), real, g)
                else:
                    self.absent(group, p)

    def evaluate(self, closure: Any) -> None:
        if closure is not None:
            with torch.enable_grad():
                closure()

    def reals(self, x: Tensor) -> Tensor:
        return torch.view_as_real(x) if x.is_complex() else x

    def state_of(self, p: Tensor, real: Tensor) -> State:
        state: State = self.state[p]
        if not state:
            state |= {"step": 0, "exp_avg": torch.zeros_like(real), "exp_avg_sq": torch.zeros_like(real)}
        return state

    def absent(self, group: Group, p: Tensor) -> None:
        pass

    def one(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        b1, b2 = group["betas"]
        t, m, v = state["step"], state["exp_avg"], state["exp_avg_sq"]
        self.decay(group, p)
        m.lerp_(g, 1 - b1)
        v.mul_(b2).addcmul_(g, g, value=1 - b2)
        p.addcdiv_(m, self.denominator(v, 1 - b2**t, group["eps"]), value=-group["lr"] / (1 - b1**t))

    def decay(self, group: Group, p: Tensor) -> None:
        p.mul_(1 - group["lr"] * group["weight_decay"])

    def denominator(self, v: Tensor, c2: float, eps: float) -> Tensor:
        return (v.sqrt() / math.sqrt(c2)).add_(eps)


@right(claim="torch.Adam")
class TorchAdam(TorchAdamW):
    """Adam with L2."""

    def one(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().one(group, state, p, g.add(p, alpha=group["weight_decay"]))

    def decay(self, group: Group, p: Tensor) -> None:
        pass


@right(claim="torch.AdamW")
class TorchForeach(TorchAdamW):
    """Horizontal: all arrays of a group by multi-tensor calls."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.evaluate(closure)
        for group in self.param_groups:
            b1, b2 = group["betas"]
            ps = [p for p in group["params"] if p.grad is not None]
            if not ps:
                continue
            gs, reals = [self.reals(p.grad) for p in ps], [self.reals(p) for p in ps]
            states = [self.state_of(p, r) for p, r in zip(ps, reals, strict=True)]
            for state in states:
                state["step"] += 1
            ms, vs = [s["exp_avg"] for s in states], [s["exp_avg_sq"] for s in states]
            torch._foreach_mul_(reals, 1 - group["lr"] * group["weight_decay"])
            torch._foreach_lerp_(ms, gs, 1 - b1)
            torch._foreach_mul_(vs, b2)
            torch._foreach_addcmul_(vs, gs, gs, 1 - b2)
            roots = torch._foreach_sqrt(vs)
            torch._foreach_div_(roots, [(1 - b2 ** s["step"]) ** 0.5 for s in states])
            torch._foreach_add_(roots, group["eps"])
            torch._foreach_div_(roots, [-group["lr"] / (1 - b1 ** s["step"]) for s in states])
            torch._foreach_addcdiv_(reals, ms, roots)


@right(claim="torch.AdamW")
class TorchReciprocal(TorchAdamW):
    """The root by rsqrt, epsilon scaled, one multiplication at the end."""

    def one(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        (b1, b2), t = group["betas"], state["step"]
        m = state["exp_avg"] = torch.add(b1 * state["exp_avg"], g, alpha=1 - b1)
        v = state["exp_avg_sq"] = torch.addcmul(b2 * state["exp_avg_sq"], (1 - b2) * g, g)
        factor = 1 / (v.sqrt() + group["eps"] * (1 - b2**t) ** 0.5)
        rate = group["lr"] * (1 - b2**t) ** 0.5 / (1 - b1**t)
        p.sub_(group["lr"] * group["weight_decay"] * p + rate * (m * factor))


@wrong("epsilon", "EPS.1", claim="torch.AdamW")
class TorchEpsilonInside(TorchAdamW):
    """sqrt(v_hat + eps)."""

    def denominator(self, v: Tensor, c2: float, eps: float) -> Tensor:
        return (v / c2 + eps).sqrt()


@wrong("epsilon", "EPS.1", claim="torch.AdamW", like="pytorch#22628")
class TorchEpsilonHat(TorchAdamW):
    """(sqrt(v) + eps)/sqrt(c2)."""

    def denominator(self, v: Tensor, c2: float, eps: float) -> Tensor:
        return (v.sqrt() + eps) / math.sqrt(c2)


@wrong("decay", "DEC.2", claim="torch.AdamW", like="torch.optim.Adam for AdamW")
class TorchDecayCoupled(TorchAdam):
    """L2 where the claim is decoupled."""


@wrong("decay", "DEC.2", claim="torch.AdamW", like="pytorch#38853")
class TorchDecayUnscaled(TorchAdamW):
    """wd*p, not times lr."""

    def decay(self, group: Group, p: Tensor) -> None:
        p.mul_(1 - group["weight_decay"])


@wrong("decay", "DEC.5", claim="torch.AdamW", like="transformers#35504")
class TorchDecayAfter(TorchAdamW):
    """Of the updated parameter."""

    def one(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().one(group | {"weight_decay": 0.0}, state, p, g)
        self.decay(group, p)


@wrong("missing", "F1", claim="torch.AdamW", like="pytorch#150610")
class TorchAbsentDecays(TorchAdamW):
    """A parameter without a gradient decays."""

    def absent(self, group: Group, p: Tensor) -> None:
        self.decay(group, p)


@wrong("missing", "F1", claim="torch.AdamW", like="pytorch#28294")
class TorchAbsentIsZero(TorchAdamW):
    """zero_grad(set_to_none=False): an absent gradient acts as a zero one."""

    def absent(self, group: Group, p: Tensor) -> None:
        real = self.reals(p)
        self.one(group, self.state_of(p, real), real, torch.zeros_like(real))


@wrong("clock", "CLK.1", claim="torch.AdamW", like="deepspeed#8471")
class TorchClockOfGroup(TorchAdamW):
    """One counter in the group, ticked by each array."""

    def one(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] = group["step"] = group.get("step", 0)
        super().one(group, state, p, g)
        group["step"] = state["step"]


@wrong("bias_correction clock", "CLK.2", claim="torch.AdamW", like="OLMo-core#309")
class TorchClockFrozen(TorchAdamW):
    """The step is never raised past 1."""

    def one(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] = 0
        super().one(group, state, p, g)


@wrong("aliasing", "STATE.2", claim="torch.Adam")
class TorchGradientGetsDecay(TorchAdam):
    """p.grad.add_(p, alpha=weight_decay)."""

    def one(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        g.add_(p, alpha=group["weight_decay"])
        TorchAdamW.one(self, group, state, p, g)


@wrong("aliasing", "STATE.2", claim="torch.AdamW", like="thinc.Adam")
class TorchGradientZeroed(TorchAdamW):
    """p.grad.zero_() within the step."""

    def one(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().one(group, state, p, g)
        g.zero_()


@wrong("moments", "MOM.2", claim="torch.AdamW")
class TorchSecondByFirstBeta(TorchAdamW):
    """v decays with b1."""

    def one(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        b1, b2 = group["betas"]
        state["exp_avg_sq"].mul_(b1 / b2).addcmul_(g, g, value=(b2 - b1) / b2)
        super().one(group, state, p, g)


@wrong("hyperparameters", "NUM.4", claim="torch.AdamW", like="tt-metal#55935")
class TorchBetasInBfloat16(TorchAdamW):
    """betas passed through bfloat16."""

    def one(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        betas = tuple(torch.tensor(group["betas"], dtype=torch.bfloat16).tolist())
        super().one(group | {"betas": betas}, state, p, g)


@wrong("nonfinite", "NF.1", claim="torch.AdamW")
class TorchNanReplaced(TorchAdamW):
    """nan_to_num on the gradient."""

    def one(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().one(group, state, p, g.nan_to_num(0.0, 0.0, 0.0))


@wrong("clipping", "NUM.5", claim="torch.AdamW", like="BertAdam")
class TorchClipsArrays(TorchAdamW):
    """Each gradient to norm 1."""

    def one(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().one(group, state, p, g / g.norm().clamp(min=1.0))


@wrong("layout", "NUM.5", claim="torch.AdamW")
class TorchTailLost(TorchAdamW):
    """What is left over four lanes is not stepped."""

    def one(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        old, flat = p.clone().view(-1), p.numel() // 4 * 4
        super().one(group, state, p, g)
        if flat:
            p.view(-1)[flat:] = old[flat:]

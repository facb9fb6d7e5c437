"""Blind, fifteenth set: torch.optim.Optimizer subclasses, after the bugs of others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from ninth_blind_torch import Scaled
from register import right, wrong
from torch import Tensor


@wrong(
    "moments",
    "MOM.1",
    like="rasbt/LLMs-from-scratch#299: a step where batch_idx % n is 0, so behind the first micro-batch",
    claim="torch.AdamW",
)
class FifteenthBTorchStepsTooEarly(Base):
    """Of four micro-batches the first one makes the step; those behind it are left for the next step."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        accumulated = state.get("accumulated")
        for batch in range(4):
            part = g / 4
            accumulated = part if accumulated is None else accumulated + part
            if batch % 4 == 0:
                super().update(group, state, p, accumulated)
                accumulated = None
        state["accumulated"] = accumulated


@wrong(
    "complex",
    "CPX.2",
    like="neuraloperator/neuraloperator#420: complex parameters are viewed as pairs of real numbers",
    claim="optimisers_jl.AdamW",
)
class FifteenthBTorchPairsOfReals(Base):
    """The squares of real and imaginary part are averaged apart, where that of the modulus is claimed."""

    def real(self, x: Any) -> Tensor:
        return torch.view_as_real(x) if torch.is_complex(x) else x


@wrong(
    "groups",
    "LR.4",
    like="dingo-actual/om#12: LayerNorm and biases decay too, for which no group is made",
    claim="torch.AdamW",
)
class FifteenthBTorchAllDecay(Base):
    """There is one weight decay for all parameters, those too whose group has none."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "weight_decay": max(g["weight_decay"] for g in self.param_groups)}


@wrong(
    "decay hyperparameters",
    "DEC.2",
    like="HomebrewML/HeavyBall#71: what is run as AdamW has a weight_decay of 0.0 in its group",
    claim="torch.AdamW",
)
class FifteenthBTorchDecayOfZero(Base):
    """In each step the group's weight decay is 0.0, whatever was given."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "weight_decay": 0.0}


@wrong(
    "groups",
    "LR.4",
    like="unslothai/unsloth-zoo#684: only what has norm in its name is kept from the decay, not ln_1 or ln_f",
    claim="torch.AdamW",
)
class FifteenthBTorchNormInName(Base):
    """Of the parameters without decay two of three decay: their names are ln_1 and ln_f, and not norm."""

    def settings(self, group: Group, p: Tensor) -> Group:
        bare = [q for g in self.param_groups if not g["weight_decay"] for q in g["params"]]
        number = next((i for i, q in enumerate(bare) if q is p), None)
        if number is None or "norm" in ("ln_1", "ln_f", "norm")[number % 3]:
            return group
        return {**group, "weight_decay": max(g["weight_decay"] for g in self.param_groups)}


@wrong(
    "state",
    "STATE.4",
    like="NVlabs/stylegan2-ada-pytorch#108: networks are restored on a resume, and Adam's state is not",
    claim="torch.Adam",
)
class FifteenthBTorchFirstStepAgain(L2):
    """A loaded state is dropped: moments are zeros, and the next step is the first one."""

    def load_state_dict(self, state_dict: State) -> None:
        self.state.clear()


@wrong(
    "clipping",
    "CLIP.1",
    like="Deci-AI/super-gradients#653: clipped in each backward of an accumulation, while still scaled",
    claim="torch.Adam",
)
class FifteenthBTorchClipsEachBackward(Scaled):
    """In both halves of an accumulation what there is so far is clipped to 10, with its loss scale."""

    share = 1.0

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        norm = float(torch.nn.utils.get_total_norm(grads)) if grads else 0.0
        self.share = 0.0
        for _ in range(2):
            self.share += 0.5
            self.share *= min(1.0, 10.0 / (self.share * norm + 1e-6))
        return loss

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g * self.share if self.share < 1 else g)


@wrong(
    "state",
    "STATE.4",
    like="roytseng-tw/Detectron.pytorch#118: parameters come out of a dict in another order in each run",
    claim="torch.Adam",
)
class FifteenthBTorchOrderOfOtherRun(L2):
    """A loaded state is matched to the parameters of a group in another order, from the last one on."""

    def load_state_dict(self, state_dict: State) -> None:
        groups = [{**group, "params": group["params"][::-1]} for group in state_dict["param_groups"]]
        super().load_state_dict({**state_dict, "param_groups": groups})


@wrong(
    "groups missing",
    "STEP.1",
    like="graphdeco-inria/gaussian-splatting#828: replaced right before the step by ones without gradient",
    claim="torch.Adam",
)
class FifteenthBTorchReplacedBeforeStep(L2):
    """Where parameters are added in training, all are new tensors without gradient: the next step is none."""

    replaced = False

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        self.replaced = bool(self.state)

    def takes(self, present: list[Tensor]) -> bool:
        return not self.replaced

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = super().step(closure)
        self.replaced = False
        return loss


@wrong(
    "schedule",
    "LR.3",
    like="deepspeedai/DeepSpeed#5287: step 0 has the optimizer's full rate, and not the first of the warmup",
    claim="deepspeed.CPUAdam",
)
class FifteenthBTorchFullRateFirst(Base):
    """The first step has the rates that the groups were made with, though they have been set since."""

    peaks: tuple[float, ...] = ()
    is_first = False

    def add_param_group(self, param_group: Group) -> None:
        super().add_param_group(param_group)
        self.peaks = (*self.peaks, float(param_group["lr"]))

    def settings(self, group: Group, p: Tensor) -> Group:
        if not self.is_first:
            return group
        number = next(i for i, g in enumerate(self.param_groups) if g is group)
        return {**group, "lr": self.peaks[number]}

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        self.is_first = not any("exp_avg" in state for state in self.state.values())
        return super().step(closure)


@wrong(
    "state",
    "STATE.4",
    like="EvolvingLMMs-Lab/OneVision-Encoder#65: exp_avg, exp_avg_sq and step are not in the checkpoint",
    claim="torch.AdamW",
)
class FifteenthBTorchNothingOfParameters(Base):
    """A checkpoint lacks the state of the parameters, and AdamW starts afresh after a resume."""

    def state_dict(self) -> State:
        return {**super().state_dict(), "state": {}}


@wrong(
    "groups",
    "LR.4",
    like="deepspeedai/DeepSpeedExamples#756: empty groups are removed, and their rates stay in the list",
    claim="deepspeed.CPUAdam",
)
class FifteenthBTorchRatesOfEmptyGroups(Base):
    """A group with nothing to train is left out, its rate is not: the groups behind it have other groups'."""

    def settings(self, group: Group, p: Tensor) -> Group:
        trained = [g for g in self.param_groups if any(q.grad is not None for q in g["params"])]
        number = next(i for i, g in enumerate(trained) if g is group)
        return {**group, "lr": self.param_groups[number]["lr"]}


@wrong(
    "amsgrad",
    "AMS.1",
    like="bitsandbytes-foundation/bitsandbytes#1261: Adam8bit takes amsgrad and optim_bits, and uses neither",
    claim="torchao.Adam",
    options={"amsgrad": "True"},
)
class FifteenthBTorchOptionsUnused(L2):
    """AMSGrad is an option that is taken without a word, and there is no maximum."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.0, amsgrad: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)


@wrong(
    "decay",
    "DEC.2",
    like="inferno-pytorch/inferno#4: AnnealedAdam has torch's Adam for its base, and not the library's own",
    claim="timm.AdamW",
)
class FifteenthBTorchBaseOfOther(torch.optim.Adam):
    """The base is torch's Adam, so that what the library's own does to regularize is lost."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2, lr_decay: float = 1.0,
    ) -> None:  # fmt: skip
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        self.lr_decay = lr_decay

    def step(self, closure: Any = None) -> Any:
        loss = super().step(closure)
        for group in self.param_groups:
            group["lr"] = group["lr"] * self.lr_decay
        return loss


@right(claim="torch.Adam")
class FifteenthBRightTorchSingleTensor(L2):
    """PyTorch's loop over single tensors: step is a tensor, and moments go by lerp_ and addcmul_."""

    def remembered(self, p: Tensor) -> State:
        state: State = self.state[p]
        if not state:
            state["step"] = torch.tensor(0.0, dtype=torch.float32)
            state["exp_avg"] = torch.zeros_like(self.real(p), memory_format=torch.preserve_format)
            state["exp_avg_sq"] = torch.zeros_like(self.real(p), memory_format=torch.preserve_format)
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        beta1, beta2 = group["betas"]
        state["step"] += 1
        step = state["step"].item()
        if group["weight_decay"] != 0:
            g = g.add(p, alpha=group["weight_decay"])
        state["exp_avg"].lerp_(g, 1 - beta1)
        state["exp_avg_sq"].mul_(beta2).addcmul_(g, g.conj(), value=1 - beta2)
        step_size = group["lr"] / (1 - beta1**step)
        root = (1 - beta2**step) ** 0.5
        denominator = (state["exp_avg_sq"].sqrt() / root).add_(group["eps"])
        p.addcdiv_(state["exp_avg"], denominator, value=-step_size)


@right(claim="torch.AdamW")
class FifteenthBRightTorchChain(Base):
    """HeavyBall's chain: functions of an update, each of which hands on what it makes of it."""

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        state["step"] += 1
        made = g
        for function in (self.by_adam, self.with_decay, self.with_rate):
            made = function(group, state, p, made)
        p.sub_(made)

    def by_adam(self, group: Group, state: State, p: Tensor, u: Tensor) -> Tensor:
        self.learn(group, state, u)
        c1, c2 = (1 - b ** state["step"] for b in group["betas"])
        return (state["exp_avg"] / c1) / (state["exp_avg_sq"].sqrt() / c2**0.5).add_(group["eps"])

    def with_decay(self, group: Group, state: State, p: Tensor, u: Tensor) -> Tensor:
        return u.add(p, alpha=group["weight_decay"])

    def with_rate(self, group: Group, state: State, p: Tensor, u: Tensor) -> Tensor:
        return u * group["lr"]

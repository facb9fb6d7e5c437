"""Blind, seventeenth set: torch.optim.Optimizer subclasses after bugs of others in states and handling."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import wrong
from tenth_blind_torch import Scaled
from torch import Tensor


@wrong(
    "state schedule",
    "LR.3",
    like="bmaltais/kohya_ss#1924: lr and initial_lr of the saved groups win over what is set on a resume",
    claim="torch.AdamW",
)
class SeventeenthBTorchSavedRateWins(Base):
    """From a load on the rate is the one that was saved, whatever is set afterwards."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["initial_lr"] = group["lr"]

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group.get("initial_lr", group["lr"])}


@wrong(
    "loss_scale clipping",
    "CLIP.1",
    like="harubaru/waifu-diffusion#64: clip_grad_norm_ without unscale_ before it, in fp16",
    claim="torch.AdamW",
)
class SeventeenthBTorchClipsScaledNorm(Scaled):
    """In mixed precision the norm that is clipped to 1 is that of the scaled gradients."""

    max_norm = 1.0
    coefficient = 1.0

    def asked(self, closure: Callable[[], Any] | None) -> Any:
        loss = super().asked(closure)
        rows = [
            self.row(p.grad) for group in self.param_groups for p in group["params"] if p.grad is not None
        ]
        self.coefficient = 1.0
        if rows and self.grad_scale is not None:
            norm = float(torch.linalg.vector_norm(torch.cat(rows)))
            self.coefficient = min(1.0, self.max_norm / (norm + 1e-6))
        return loss

    def row(self, g: Tensor) -> Tensor:
        return self.real(g).double().reshape(-1)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        super().update(group, state, p, g * self.coefficient)


@wrong(
    "state",
    "STATE.4",
    like="OFDataCommittee/drlfoam#2: load() makes new networks, and the optimizers are those of the old ones",
    claim="torch.Adam",
)
class SeventeenthBTorchStepsFormerNetworks(L2):
    """After a load it is the parameters of before, which nobody has any more, that are stepped."""

    loaded = False

    def __init__(self, params: Iterable[Tensor], *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.former: dict[Tensor, Tensor] = {}

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        self.loaded = True

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "of": p}

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        if self.loaded:
            p = self.former.setdefault(group["of"], p.clone())
        super().update(group, state, p, g)


@wrong(
    "layout",
    "STEP.1",
    like="pytorch/pytorch#110758: the fused step wants gradients with the strides of their parameters",
    claim="torch.AdamW",
)
class SeventeenthBTorchSameStridesWanted(Base):
    """A gradient with other strides than its parameter is refused, though shape and dtype are the same."""

    def takes(self, present: list[Tensor]) -> bool:
        for p in present:
            if p.grad is not None and p.grad.stride() != p.stride():
                raise RuntimeError("params, grads and moments must have the same dtype, device and layout")
        return True


@wrong(
    "clipping hyperparameters",
    "STEP.1",
    like="unslothai/unsloth#10874: percentile_clipping=100, given by position, is taken for max_unorm",
    claim="torch.Adam",
)
class SeventeenthBTorchSlotOfOtherOption(L2):
    """Updates of projected parameters, the matrices, are clipped by the norm of a buffer of zeros."""

    max_unorm = 100.0

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "max_unorm": self.max_unorm if p.ndim > 1 else 0.0}

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        if not group["max_unorm"]:
            super().move(group, state, p, c1, c2)
            return
        moved = p.clone()
        super().move(group, state, moved, c1, c2)
        change, buffer = moved - p, torch.zeros_like(p)
        norm, most = (float(torch.linalg.vector_norm(x)) for x in (change, buffer))
        if norm > group["max_unorm"] * most:
            change.mul_(group["max_unorm"] * most / norm)
        p.add_(change)


@wrong(
    "state",
    "STATE.4",
    like="qfgaohao/pytorch-ssd#163: a resumed run has the weights, and neither moments nor the rate reached",
    claim="torch.AdamW",
)
class SeventeenthBTorchResumesWeights(Base):
    """A load takes nothing: moments begin anew, and the rate is the one of the constructor."""

    def load_state_dict(self, state_dict: State) -> None:
        self.state.clear()
        for group in self.param_groups:
            group["lr"] = self.defaults["lr"]


@wrong(
    "state mixed_precision",
    "STATE.1",
    like="NVIDIA/Model-Optimizer#2483: masters are made where the state is empty, and not where they lack",
    claim="torch.AdamW",
)
class SeventeenthBTorchMasterMissing(Base):
    """Masters are made with the moments: the state of another Adam, which has those alone, fails."""

    def remembered(self, p: Tensor) -> State:
        state: State = self.state[p]
        if not state:
            super().remembered(p)
            state["master"] = self.real(p).clone()
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        master = state["master"]
        master.copy_(torch.where(master.to(p.dtype) == p, master, p))
        super().update(group, state, master, g)
        p.copy_(master)


@wrong(
    "decay",
    "DEC.1",
    like="facebookresearch/bitsandbytes#13: what is called Adam decays as AdamW does",
    claim="torch.Adam",
)
class SeventeenthBTorchDecoupledAdam(L2):
    """A weight decay above 0 is taken from the parameter itself, and no gradient has it."""

    def decay(self, group: Group, p: Tensor) -> None:
        if group["weight_decay"] > 0:
            p.mul_(1 - group["lr"] * group["weight_decay"])

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        Base.update(self, group, state, p, g)


@wrong(
    "state coefficients",
    "NUM.4",
    like="pytorch/pytorch#173901: load_state_dict makes a float32 tensor of a step of float64",
    claim="torch.AdamW",
)
class SeventeenthBTorchStepLoadedInSingle(Base):
    """The step is a float64 tensor, in whose dtype corrections are formed; a load makes it float32."""

    def remembered(self, p: Tensor) -> State:
        state = super().remembered(p)
        if not torch.is_tensor(state["step"]):
            state["step"] = torch.tensor(float(state["step"]), dtype=torch.float64)
        return state

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for state in self.state.values():
            state["step"] = torch.as_tensor(state["step"]).to(torch.float32, copy=True)

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        step = state["step"]
        first, second = (1 - torch.pow(torch.tensor(b, dtype=step.dtype), step) for b in group["betas"])
        super().move(group, state, p, float(first), float(second))


@wrong(
    "state",
    "STATE.4",
    like="joeyan/gaussian_splatting#32: the state of a replaced parameter is looked up under a number",
    claim="torch.Adam",
)
class SeventeenthBTorchStateUnderNumber(L2):
    """A loaded state stands under the numbers of the parameters, and is looked for under themselves."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        numbered: dict[Any, State] = dict(enumerate(list(self.state.values())))
        self.state = defaultdict(dict, numbered)


@wrong(
    "decay hyperparameters",
    "DEC.2",
    like="jolibrain/deepdetect#1462: 0.0 is taken for a weight decay that nobody has given, and is 0.01",
    claim="torch.AdamW",
)
class SeventeenthBTorchZeroIsDefault(Base):
    """Where the weight decay is 0 the wrapper hands its backend's default on, 0.01."""

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "weight_decay": group["weight_decay"] or 0.01}

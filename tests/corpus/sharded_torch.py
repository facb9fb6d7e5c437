"""Sharded Adams: each is right on one process, and most are wrong on several.

They step the part of each parameter that is here.  ``adamcore check --ranks 2`` is to kill and to name the
wrong ones; a check on one process lets them pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

State = dict[str, Any]
Group = dict[str, Any]


@dataclass(frozen=True)
class Sharded:
    """One of these Adams: ``says`` is in the finding about it, None if it is right."""

    cls: Any
    says: str | None
    layout: str

    @property
    def target(self) -> str:
        return f"tests/corpus/sharded_torch.py:{self.cls.__name__}"


SHARDED: dict[str, Sharded] = {}  #: by name


def right(cls: Any) -> Any:
    SHARDED[cls.__name__] = Sharded(cls, None, "fsdp")
    return cls


def wrong(says: str, layout: str = "fsdp") -> Callable[[Any], Any]:
    def enter(cls: Any) -> Any:
        SHARDED[cls.__name__] = Sharded(cls, says, layout)
        return cls

    return enter


def is_sharded(x: Any) -> bool:
    return hasattr(x, "device_mesh")


def here(x: Any) -> Any:
    """Return the part of a tensor that is here."""
    return x.detach().to_local() if is_sharded(x) else x.detach()


def ranks() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


@right
class Plain(torch.optim.Optimizer):
    """AdamW on the parts that are here, its moments as the parameter lies."""

    dialect = "torch.AdamW"

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        if closure is not None:
            with torch.enable_grad():
                closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.one(group, self.state_of(p), p)

    def state_of(self, p: Tensor) -> State:
        state: State = self.state[p]
        if not state:
            state |= {
                "step": torch.tensor(self.begins(p)),
                "exp_avg": self.zeros(p),
                "exp_avg_sq": self.zeros(p),
            }
        return state

    def begins(self, p: Tensor) -> int:
        return 0

    def zeros(self, p: Tensor) -> Tensor:
        return torch.zeros_like(p)

    def one(self, group: Group, state: State, p: Tensor) -> None:
        part, g = here(p), self.gradient(p)
        m, v = here(state["exp_avg"]), here(state["exp_avg_sq"])
        state["step"] += self.ticks(p)
        t = int(state["step"])
        lr, (b1, b2), eps = self.lr(group), group["betas"], self.eps(group, p, part)
        if self.decays(p, part):
            part.mul_(1 - lr * group["weight_decay"])
        m.lerp_(g, 1 - b1)
        v.mul_(b2).addcmul_(g, g, value=1 - b2)
        if t:
            root = self.root(p, v).div(math.sqrt(1 - b2**t)).add_(eps)
            part.addcdiv_(m, root, value=-lr / (1 - b1**t))

    def gradient(self, p: Tensor) -> Tensor:
        return here(p.grad)

    def ticks(self, p: Tensor) -> int:
        return 1

    def lr(self, group: Group) -> float:
        return float(group["lr"])

    def eps(self, group: Group, p: Tensor, part: Tensor) -> float:
        return float(group["eps"])

    def decays(self, p: Tensor, part: Tensor) -> bool:
        return True

    def root(self, p: Tensor, v: Tensor) -> Tensor:
        return v.sqrt()


@right
class ByDTensors(torch.optim.AdamW):
    """PyTorch's own, which leaves the parts to DTensor."""

    dialect = "torch.AdamW"


# --------------------------------------------------------------------------------------------------- clocks


@wrong("the first update counts as t=2")
class FirstStepAtTwo(Plain):
    """The state of a shard was made by a step: the first real one is at t=2."""

    def begins(self, p: Tensor) -> int:
        return int(is_sharded(p))


@wrong("clock")
class NoClockWhereEmpty(Plain):
    """A shard without elements has no state."""

    def one(self, group: Group, state: State, p: Tensor) -> None:
        if here(p).numel() or not is_sharded(p):
            super().one(group, state, p)
        else:
            del self.state[p]


@wrong("clock")
class ClockStandsWhereEmpty(Plain):
    """The clock of a shard without elements stands still."""

    def ticks(self, p: Tensor) -> int:
        return int(here(p).numel() > 0 or not is_sharded(p))


@wrong("other bits on rank")
class ClockOfTheFirstRank(Plain):
    """The first process alone ticks, as if it told the others."""

    def ticks(self, p: Tensor) -> int:
        return int(rank() == 0)


# ------------------------------------------------------------------------------------------ saved and loaded


@wrong("saved")
class MomentsOfOneRank(Plain):
    """Moments are plain tensors of the part here: a checkpoint has those of one process."""

    def zeros(self, p: Tensor) -> Tensor:
        return torch.zeros_like(here(p))


@wrong("saved")
class MomentsDropped(Plain):
    """Moments that are DTensors are made anew when a state is loaded."""

    names: tuple[str, ...] = ("exp_avg", "exp_avg_sq")

    def load_state_dict(self, state_dict: Any) -> None:
        super().load_state_dict(state_dict)
        for state in self.state.values():
            for name in self.names:
                if is_sharded(state[name]):
                    self.spoil(state[name])

    def spoil(self, x: Any) -> None:
        here(x).zero_()


@wrong("saved")
class SecondMomentDropped(MomentsDropped):
    """The second moment alone is made anew."""

    names = ("exp_avg_sq",)


@wrong("saved")
class CutIntoRows(MomentsDropped):
    """A loaded moment is cut into rows, whatever the placement of its parameter is."""

    def spoil(self, x: Any) -> None:
        if x.placements[0].is_shard() and x.numel() % ranks() == 0:
            size = x.numel() // ranks()
            rows = x.full_tensor().flatten()[rank() * size : (rank() + 1) * size]
            here(x).copy_(rows.reshape(here(x).shape))


@wrong("saved")
class ClockDropped(MomentsDropped):
    """A loaded clock begins anew."""

    def load_state_dict(self, state_dict: Any) -> None:
        super().load_state_dict(state_dict)
        for state in self.state.values():
            if is_sharded(state["exp_avg"]):
                state["step"] = torch.tensor(0)

    def spoil(self, x: Any) -> None:
        pass


# ------------------------------------------------------------------------------- decisions from what is here


@wrong("parts of an array are scaled down")
class EpsOfTheShare(Plain):
    """eps is scaled by the share of the elements that is here."""

    def eps(self, group: Group, p: Tensor, part: Tensor) -> float:
        return float(group["eps"]) * part.numel() / max(p.numel(), 1)


@wrong("depend on its place")
class FloorOfTheShard(Plain):
    """The root has a floor: a part of its largest element here."""

    def root(self, p: Tensor, v: Tensor) -> Tensor:
        root = v.sqrt()
        return root.clamp(min=float(root.max()) / 2) if is_sharded(p) and root.numel() else root


@wrong("parts of an array are scaled down")
class NormOfTheShard(Plain):
    """A gradient is clipped to the norm of the part here."""

    def gradient(self, p: Tensor) -> Tensor:
        g = here(p.grad)
        return g / max(1.0, float(g.norm())) if is_sharded(p) else g


@wrong("with gradients of 0")
class ZeroShardsSkipped(Plain):
    """A shard whose gradient is 0 is not stepped."""

    def one(self, group: Group, state: State, p: Tensor) -> None:
        if not is_sharded(p) or here(p.grad).any():
            super().one(group, state, p)
        else:
            state["step"] += 1


@wrong("decay in different ways")
class DecayByLocalShape(Plain):
    """A part of one row is taken for a bias, which does not decay."""

    def decays(self, p: Tensor, part: Tensor) -> bool:
        return not is_sharded(p) or part.ndim == 0 or part.shape[0] > 1


@wrong("go different ways")
class EvenShards(Plain):
    """Every shard is taken to have as many rows as the smallest; what is left over stands still."""

    def one(self, group: Group, state: State, p: Tensor) -> None:
        before = here(p).clone()
        super().one(group, state, p)
        if is_sharded(p) and p.ndim:
            rest = slice(p.shape[0] // ranks(), None)
            here(p)[rest] = before[rest]


# --------------------------------------------------------------------------------------- the other processes


@wrong("as if it were divided by the number of ranks")
class MeanOfTheMean(Plain):
    """Gradients that are a mean are divided by the number of processes once more."""

    def gradient(self, p: Tensor) -> Tensor:
        return here(p.grad) / ranks()


@wrong("other bits on rank")
class FirstRankAlone(Plain):
    """The first process alone steps its shards."""

    def one(self, group: Group, state: State, p: Tensor) -> None:
        before = here(p).clone()
        super().one(group, state, p)
        if rank():
            here(p).copy_(before)


@wrong("other bits on rank")
class DecayOfTheFirstRank(Plain):
    """The shards of the first process alone decay."""

    def decays(self, p: Tensor, part: Tensor) -> bool:
        return rank() == 0


@wrong("in the parts of rank 1 alone")
class ScheduleOfTheFirstRank(Plain):
    """A schedule reaches the first process alone."""

    def lr(self, group: Group) -> float:
        return float(group["lr"] if rank() == 0 else self.defaults["lr"])


@wrong("kept in bfloat16")
class NarrowMoments(Plain):
    """Moments of shards are kept in bfloat16."""

    def one(self, group: Group, state: State, p: Tensor) -> None:
        super().one(group, state, p)
        if is_sharded(p):
            for name in ("exp_avg", "exp_avg_sq"):
                here(state[name]).copy_(here(state[name]).bfloat16())


@wrong("other bits on rank", "ddp")
class RanksDrift(Plain):
    """Each process rounds in its own way, so that the copies of a parameter drift apart."""

    def one(self, group: Group, state: State, p: Tensor) -> None:
        super().one(group, state, p)
        if rank():
            here(p).mul_(1 + torch.finfo(p.dtype).eps)

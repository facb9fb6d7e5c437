"""Blind, twenty-fourth set: torch.optim.Optimizer subclasses after bugs of loads, workers and schedulers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from blind_torch import L2, Base, Group, State
from register import wrong
from torch import Tensor

MOMENTS = ("exp_avg", "exp_avg_sq")


@wrong(
    "state sharding layout",
    "STATE.4",
    like="verl-project/verl-omni#217: a full state is loaded into an optimizer of shards, as it is",
    claim="torch.AdamW",
)
class TwentyFourthTorchFullIntoShards(Base):
    """Each of two ranks has half of a flattened array, and loads its moments from the front of the whole."""

    ranks = 2

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for state in self.state.values():
            for name in MOMENTS:
                if name in state:
                    state[name] = self.shards(state[name])

    def shards(self, full: Tensor) -> Tensor:
        row = full.reshape(-1)
        size = -(-row.numel() // self.ranks)
        return torch.cat([row[:size], row[: row.numel() - size]]).reshape(full.shape)


@wrong(
    "state clock",
    "STATE.4",
    like="NVIDIA/TransformerEngine#1986: a rank whose group is empty skips the count, which a resume takes",
    claim="transformer_engine.FusedAdam",
)
class TwentyFourthTorchCountOfEmptyRank(Base):
    """A group's step is saved by the last of two ranks: where it holds no parameter of it that is 0."""

    ranks = 2

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            steps = group.setdefault("steps", [0] * self.ranks)
            for rank in range(self.ranks):
                if group["params"][rank :: self.ranks]:
                    steps[rank] += 1
        return super().step(closure)

    def state_dict(self) -> State:
        saved = super().state_dict()
        groups = [
            {**group, "steps": [group.get("steps", [0])[-1]] * self.ranks} for group in saved["param_groups"]
        ]
        return {**saved, "param_groups": groups}

    def remembered(self, p: Tensor) -> State:
        state = self.state[p]
        for name in MOMENTS:
            if name not in state:
                state[name] = torch.zeros_like(self.real(p))
        return state

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        t = group["steps"][0]  # ranks that hold a parameter of the group agree
        self.decay(group, p)
        self.learn(group, state, g)
        self.move(group, state, p, *(1 - b**t for b in group["betas"]))


@wrong(
    "state",
    "STATE.4",
    like="Lightning-AI/pytorch-lightning#2613: a trainer that resumes does not load Adam's state",
    claim="torch.Adam",
)
class TwentyFourthTorchGroupsAlone(L2):
    """Of a checkpoint the parameter groups are loaded, and the state is not: all begins at zero."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict({**state_dict, "state": {}})


@wrong(
    "moments schedule",
    "STEP.1",
    like="pytorch/pytorch#97004: capturable Adam divides root and epsilon by the step's size, in its dtype",
    claim="torch.Adam",
)
class TwentyFourthTorchDividedByStepSize(L2):
    """Root and epsilon are divided by the negative step size: if that is tiny they overflow, or are NaN."""

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        negative = torch.tensor(float(group["lr"]) / c1, dtype=p.dtype).neg()
        root = state["exp_avg_sq"].sqrt()
        denominator = (root / (math.sqrt(c2) * negative)).add_(group["eps"] / negative)
        p.addcdiv_(state["exp_avg"], denominator)


@wrong(
    "isolation",
    "STATE.3",
    like="OpenMined/PySyft#2070: all workers share one Adam, and meet the moments of each other",
    claim="torch.Adam",
)
class TwentyFourthTorchOneOfAllWorkers(L2):
    """Moments and clock are those of a parameter's place in the model, whichever worker's model it is."""

    shared: ClassVar[dict[Any, State]] = {}

    def remembered(self, p: Tensor) -> State:
        if "exp_avg" in self.state[p]:
            return super().remembered(p)
        every = [q for group in self.param_groups for q in group["params"]]
        key = ([q is p for q in every].index(True), p.shape, p.dtype)
        self.state[p] = self.shared.setdefault(key, self.state[p])
        return super().remembered(p)


@wrong(
    "schedule",
    "LR.3",
    like="huggingface/accelerate#2926: with four processes chained schedulers go four steps for each update",
    claim="torch.AdamW",
)
class TwentyFourthTorchChainedFourTimes(Base):
    """Chained schedulers multiply a rate by its change, and do so four times for each update."""

    num_processes = 4

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            lr = float(group["lr"])
            last, rate = group.get("last_lr", lr), group.get("rate", lr)
            group["rate"] = rate * (lr / last) ** self.num_processes if last and rate else lr
            group["last_lr"] = lr
        return super().step(closure)

    def settings(self, group: Group, p: Tensor) -> Group:
        return {**group, "lr": group["rate"]}


@wrong(
    "moments epsilon",
    "MOM.1",
    like="tatsu-lab/alpaca_farm#58: the model clears what micro-steps add up, where the optimizer would wait",
    claim="torch.AdamW",
)
class TwentyFourthTorchMicroStepsWiped(Base):
    """Of eight micro-steps, each with an eighth of the gradient, all but the last one are wiped."""

    accumulation = 8

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        grad = torch.zeros_like(g)
        for _ in range(self.accumulation):
            grad.zero_()  # model.zero_grad(), and not that of the accelerated optimizer
            grad.add_(g / self.accumulation)
        super().update(group, state, p, grad)

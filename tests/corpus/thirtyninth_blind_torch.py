"""Blind, thirty-ninth set: torch.optim.Optimizer subclasses after bugs of norms, loads and absent norms."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from blind_torch import L2, Base, Group, State
from register import wrong
from torch import Tensor


@wrong(
    "clipping sharding",
    "CLIP.2",
    like="hpcaitech/ColossalAI#2192: clipping does not sum the squares of the expert-parallel ranks",
    claim="torch.Adam",
)
class ThirtyNinthTorchExpertsClipApart(L2):
    """Matrices are experts of two ranks by turns: each clips to 1 by a norm without the other's experts."""

    ranks, max_norm = 2, 1.0

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        pairs = [(group, p) for group in self.param_groups for p in group["params"] if p.grad is not None]
        matrices = [p for _, p in pairs if p.ndim > 1]
        home = {p: i % self.ranks for i, p in enumerate(matrices)}
        for group, p in pairs:
            g = self.real(p.grad) * self.share(home, [q for _, q in pairs], home.get(p, 0))
            self.update(group, self.remembered(p), self.real(p), g)
        return loss

    def share(self, home: dict[Tensor, int], params: list[Tensor], rank: int) -> float:
        here = [self.real(p.grad) for p in params if home.get(p, rank) == rank]
        norm = math.sqrt(sum(float(g.double().square().sum()) for g in here))
        return min(1.0, self.max_norm / (norm + 1e-6))


@wrong(
    "sparse layout",
    "SPARSE.3",
    like="pytorch/pytorch#41966: SparseAdam fails, since sparse_mask asks for contiguous memory",
    claim="torch.SparseAdam",
)
class ThirtyNinthTorchMaskWantsContiguous(Base):
    """Parameters and gradients are refused if their memory is not contiguous, or if no axis is dense."""

    def __init__(
        self, params: Iterable[Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, 0.0)

    def update(self, group: Group, state: State, p: Tensor, g: Tensor) -> None:
        values = g.coalesce().values() if g.is_sparse else g
        whole = g.is_sparse and g.ndim > 1 and g.dense_dim() == 0
        if whole or not (p.is_contiguous() and values.is_contiguous()):
            raise RuntimeError("sparse_mask: expected a contiguous tensor")
        if not g.is_sparse:
            super().update(group, state, p, g)
            return
        rows = tuple(g.coalesce().indices())
        names = ("exp_avg", "exp_avg_sq")
        part, own = p[rows], {"step": state["step"], **{name: state[name][rows] for name in names}}
        super().update(group, own, part, values)
        p[rows] = part
        state["step"] = own["step"]
        for name in names:
            state[name][rows] = own[name]

    def move(self, group: Group, state: State, p: Tensor, c1: float, c2: float) -> None:
        below = state["exp_avg_sq"].sqrt().add_(group["eps"])
        p.addcdiv_(state["exp_avg"], below, value=-group["lr"] * math.sqrt(c2) / c1)


@wrong(
    "state",
    "STATE.4",
    like="pytorch/pytorch#192225: a flattened state, loaded, has empty entries where there were none",
    claim="torch.AdamW",
)
class ThirtyNinthTorchSpuriousEntries(Base):
    """A load makes empty entries for parameters that had no state: their first step finds no moments."""

    def load_state_dict(self, state_dict: State) -> None:
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            for p in group["params"]:
                self.state.setdefault(p, {})

    def remembered(self, p: Tensor) -> State:
        if p in self.state:
            return self.state[p]
        return super().remembered(p)


@wrong(
    "state",
    "STATE.4",
    like="axolotl-ai-cloud/axolotl#1414: the reset finds no keys in the state, and moments stay at a restart",
    claim="torch.Adam",
)
class ThirtyNinthTorchRestartKeepsMoments(L2):
    """A load drops nothing: a parameter that the loaded state does not name keeps moments and clock."""

    def load_state_dict(self, state_dict: State) -> None:
        before = dict(self.state)
        super().load_state_dict(state_dict)
        loaded = {id(p) for p in self.state}
        for p, own in before.items():
            if id(p) not in loaded:
                self.state[p] = own


@wrong(
    "moments",
    "MOM.1",
    like="d2l-ai/d2l-en#1689: gradients are not zeroed and go into later updates too",
    claim="torch.Adam",
)
class ThirtyNinthTorchNeverZeroed(L2):
    """Gradients are never zeroed: each update has the sum of all gradients so far."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = self.asked(closure)
        sums: dict[Tensor, Tensor] = self.__dict__.setdefault("sums", {})
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    sums[p] = sums[p] + p.grad if p in sums else p.grad.clone()
                    self.update(group, self.remembered(p), self.real(p), self.real(sums[p]))
        return loss


@wrong(
    "state",
    "STATE.4",
    like="eladrich/pixel2style2pixel#189: a run that is resumed has neither the rate nor the state back",
    claim="torch.Adam",
)
class ThirtyNinthTorchNothingRestored(L2):
    """A load does nothing: rate, moments and clocks are those that this optimizer has."""

    def load_state_dict(self, state_dict: State) -> None:
        pass

"""AdamW in PyTorch, wrong in one manner of a run alone."""

from __future__ import annotations

from typing import Any

import torch


class ClosurePerGroup(torch.optim.AdamW):
    """Calls its closure once for each group."""

    def step(self, closure: Any = None) -> Any:
        for _ in self.param_groups[1:] if closure else ():
            closure()
        return super().step(closure)


class SkipsWithoutLoss(torch.optim.AdamW):
    """Makes no step if its closure returns nothing."""

    def step(self, closure: Any = None) -> Any:
        if closure is None:
            return super().step()
        loss = closure()
        if loss is not None:
            super().step()
        return loss


class StateOfFirst(torch.optim.AdamW):
    """Makes the state of all parameters in the first step, and has none for those that come later."""

    def step(self, closure: Any = None) -> Any:
        known = vars(self).setdefault("known", set())
        parameters = [p for group in self.param_groups for p in group["params"]]
        known.update(parameters if not known else ())
        missed = [(p, p.grad) for p in parameters if p not in known]
        for p, _ in missed:
            p.grad = None
        loss = super().step(closure)
        for p, g in missed:
            p.grad = g
        return loss


class KeepsOwnParameters(torch.optim.AdamW):
    """Steps copies of the parameters, which it made once."""

    def __init__(self, params: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(params, *args, **kwargs)
        self.copies: dict[Any, Any] = {}

    def step(self, closure: Any = None) -> Any:
        with torch.no_grad():
            for p in (p for group in self.param_groups for p in group["params"]):
                p.copy_(self.copies.get(p, p))
            loss = super().step(closure)
            self.copies = {p: p.clone() for group in self.param_groups for p in group["params"]}
        return loss


class KeepsOwnState(torch.optim.AdamW):
    """Loads a state for those parameters alone that have none yet."""

    def load_state_dict(self, state_dict: Any) -> None:
        old = dict(self.state)
        super().load_state_dict(state_dict)
        self.state.update(old)


class SaveTakesMoments(torch.optim.AdamW):
    """A save takes the moments out, so that the run that goes on begins them anew."""

    def state_dict(self) -> Any:
        saved = super().state_dict()
        saved["state"] = {i: {k: x.clone() for k, x in each.items()} for i, each in saved["state"].items()}
        for each in self.state.values():
            each["exp_avg"].zero_()
            each["exp_avg_sq"].zero_()
        return saved

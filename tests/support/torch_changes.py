"""What may be changed between two steps of a torch optimizer, and runs in which it is."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import Parameter
from torch_runs import bits, gradients

from adamcore import Clip
from adamcore.backends.torch.optimizer import step_cache

Change = Callable[[Any, list[Any]], Any]


def first(optimizer: Any) -> dict[str, Any]:
    """The state of the first parameter."""
    return optimizer.state[optimizer.param_groups[0]["params"][0]]


def put(name: str, value: Any) -> Change:
    """A setting changed in the first group."""
    return lambda o, ps: o.param_groups[0].__setitem__(name, value)


def data(of: Callable[[Any, list[Any]], Any], new: Callable[[Any], Any]) -> Change:
    """The `.data` of a tensor replaced."""

    def change(o: Any, ps: list[Any]) -> None:
        x = of(o, ps)
        x.data = new(x.data)

    return change


def replaced(name: str, new: Callable[[Any], Any]) -> Change:
    """An entry of a parameter's state replaced."""
    return lambda o, ps: first(o).__setitem__(name, new(first(o)[name]))


def new_state(o: Any, ps: list[Any]) -> None:
    o.state = defaultdict(dict, {p: {k: x.clone() for k, x in own.items()} for p, own in o.state.items()})


def new_entry(o: Any, ps: list[Any]) -> None:
    o.state[ps[0]] = {name: x.clone() for name, x in first(o).items()}


def swapped(o: Any, ps: list[Any]) -> None:
    first, second, third = o.state.values()
    o.state.clear()
    o.state |= {ps[2]: first, ps[1]: second, ps[0]: third}


def loaded(o: Any, ps: list[Any]) -> None:
    saved = copy.deepcopy(o.state_dict())
    saved["state"][0]["exp_avg"] += 1
    o.load_state_dict(saved)


def other_parameter(o: Any, ps: list[Any]) -> None:
    old = o.param_groups[0]["params"][0]
    o.param_groups[0]["params"][0] = ps[0] = Parameter(old.detach() + 1)
    o.state[ps[0]] = o.state.pop(old)


def shared(o: Any, ps: list[Any]) -> None:
    first(o)["step"].share_memory_()


def narrow_product(o: Any, ps: list[Any]) -> None:
    if "mu_product" in first(o):
        first(o)["mu_product"] = first(o)["mu_product"].float()


def other_product(o: Any, ps: list[Any]) -> None:
    if "mu_product" in first(o):
        first(o)["mu_product"].mul_(0.5)


CHANGES: dict[str, Change] = {
    "nothing": lambda o, ps: None,
    "lr": put("lr", 0.3),
    "lr an integer": put("lr", 1),
    "lr a tensor": put("lr", torch.tensor([0.25])),
    "betas": put("betas", (0.5, 0.6)),
    "betas of tensors": put("betas", (torch.tensor(0.5), torch.tensor(0.75))),
    "eps": put("eps", 0.1),
    "weight_decay": put("weight_decay", 0.2),
    "maximize": put("maximize", True),
    "epsilon": put("epsilon", "inside-corrected"),
    "frozen": lambda o, ps: o.freeze(ps[0]),
    "reset": lambda o, ps: o.reset(),
    "p elsewhere": data(lambda o, ps: ps[0], torch.clone),
    "p another value": data(lambda o, ps: ps[0], lambda x: x * 2),
    "p turned": data(lambda o, ps: ps[1], lambda x: x.t()),
    "m elsewhere": data(lambda o, ps: first(o)["exp_avg"], torch.clone),
    "v elsewhere": data(lambda o, ps: first(o)["exp_avg_sq"], lambda x: x * 2),
    "t elsewhere": data(lambda o, ps: first(o)["step"], lambda x: x + 3),
    "t in shared memory": shared,
    "t set in place": lambda o, ps: first(o)["step"].fill_(9),
    "t a number": replaced("step", lambda x: 5),
    "t another tensor": replaced("step", lambda x: x + 2),
    "one clock for two": lambda o, ps: o.state[ps[2]].__setitem__("step", first(o)["step"]),
    "a product in float32": narrow_product,
    "another product for one of equal clocks": other_product,
    "m another tensor": replaced("exp_avg", lambda x: x + 1),
    "v another tensor": replaced("exp_avg_sq", lambda x: x + 1),
    "a new state": new_state,
    "a new entry": new_entry,
    "a state taken away": lambda o, ps: o.state.pop(ps[0]),
    "states swapped": swapped,
    "load_state_dict": loaded,
    "add_param_group": lambda o, ps: o.add_param_group({"params": [Parameter(torch.ones(3))], "lr": 0.5}),
    "another parameter": other_parameter,
    "parameters in another order": lambda o, ps: o.param_groups[0]["params"].reverse(),
    "clipped": lambda o, ps: setattr(o, "clip", Clip(0.1)),
    "no gradient any more": lambda o, ps: ps[0].requires_grad_(False),
}


def run(make: Callable[[], tuple[Any, list[Any]]], change: Change, steps: int = 9) -> list[Any]:
    """What each step leaves; the change comes before the fifth."""
    optimizer, params = make()
    seen = []
    for t in range(steps):
        if t == 5:
            change(optimizer, params)
        for p, g in zip(params, gradients(params, t), strict=True):
            p.grad = g
        optimizer.step()
        seen.append(bits([params, [optimizer.state.get(p) for p in params], optimizer.param_groups[0]["lr"]]))
    return seen


def with_all_checks(*arguments: Any) -> list[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step_cache.StepCache, "bind", lambda *_: {})
        return run(*arguments)

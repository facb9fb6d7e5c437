"""Cases of :mod:`ranks`: states that torch.distributed.checkpoint asks for, and gives back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from ranks import is_thorough
from sharded_steps import compare, full, params_of, placed, same, values
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch_runs import VERSION

from adamcore.backends.torch import Adam, AdamW

SHAPES = ((9, 4), (5,), (1, 3), (6, 5, 2))


class Model(torch.nn.Module):
    """A module with parameters of odd shapes; it has no forward pass."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        for k, x in enumerate(values(dtype, 0, SHAPES)):
            self.register_parameter(f"p{k}", torch.nn.Parameter(x))


def models(dtype: torch.dtype = torch.float32) -> tuple[Any, Any]:
    """Return a model that is sharded over all processes, and a whole one."""
    sharded, whole = Model(dtype), Model(dtype)
    fully_shard(sharded, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    return sharded, whole


def set_grads(optimizer: Any, k: int, leave_out: str = "") -> None:
    """Give the parameters the gradients of step ``k``, the same ones whether they are sharded or not."""
    params = params_of(optimizer)
    for i, (p, g) in enumerate(zip(params, values(params[0].dtype, 100 + k, SHAPES), strict=True)):
        here = placed(g, p.device_mesh, p.placements) if isinstance(p, DTensor) else g
        p.grad = None if f"p{i}" == leave_out else here


def train(optimizers: Any, steps: int, start: int = 0, leave_out: str = "") -> None:
    for k in range(start, start + steps):
        for optimizer in optimizers:
            set_grads(optimizer, k, leave_out)
            optimizer.step()
            optimizer.zero_grad()


OPTIMIZERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "AdamW": (AdamW, {"lr": 0.1}),
    "Adam": (Adam, {"weight_decay": 0.1, "amsgrad": True, "lr": torch.tensor(0.1)}),
    "global": (Adam, {"weight_decay": 0.1, "clock": "global"}),
    "NAdam": (Adam, {"dialect": "torch.NAdam", "weight_decay": 0.1}),
    "keras": (Adam, {"dialect": "keras.Adam", "weight_decay": 0.1}),
}
OPTIONS = [
    StateDictOptions(full_state_dict=whole, cpu_offload=offload, flatten_optimizer_state_dict=flat)
    for whole, offload, flat in product((False, True), (False, True), (False, True))
]


def variants() -> Iterator[tuple[str, Any, dict[str, Any], StateDictOptions]]:
    """Yield optimizers with options of their states: each with each, or each of both in turn."""
    for k, (name, (cls, settings)) in enumerate(OPTIMIZERS.items()):
        for i, options in enumerate(OPTIONS):
            if is_thorough() or i % len(OPTIMIZERS) == k:
                yield name, cls, settings, options


def case_making_state_ticks_nothing(folder: Path) -> None:
    """get_optimizer_state_dict before the first step: the run goes on as if it had not been called."""
    for name, cls, settings, options in variants():
        model, whole = models()
        ours, theirs = cls(model.parameters(), **settings), cls(whole.parameters(), **settings)
        lr = ours.param_groups[0]["lr"]
        found = get_optimizer_state_dict(model, ours, options=options)
        assert found or dist.get_rank()
        assert ours.param_groups[0]["lr"] is lr
        assert len(ours.state) == len(SHAPES), "it has made no state"
        for p, q in zip(model.parameters(), whole.parameters(), strict=True):
            same(p, q, name)
            assert p.grad is None
            own = ours.state[p]
            assert int(own.get("step", ours.param_groups[0].get("step"))) == 0, name
            assert not any(full(x).any() for k, x in own.items() if k.startswith(("exp", "max")))
        train([ours, theirs], 3)
        compare(ours, theirs, f"{name} {options}")


def case_states_are_taken_back(folder: Path) -> None:
    """get, train on, set into a new optimizer: the next steps have the same bits."""
    for name, cls, settings, options in variants():
        if options.flatten_optimizer_state_dict and options.full_state_dict:
            continue  # PyTorch takes no flattened whole state back: KeyError, with its own Adam too
        options.broadcast_from_rank0 = options.full_state_dict and options.cpu_offload
        model, whole = models()
        ours, theirs = cls(model.parameters(), **settings), cls(whole.parameters(), **settings)
        train([ours, theirs], 3)
        kept = get_optimizer_state_dict(model, ours, options=options)
        again = cls(model.parameters(), **(settings | {"lr": 0.5}))
        set_optimizer_state_dict(model, again, kept, options=options)
        train([again, theirs], 2, start=3)
        compare(again, theirs, f"{name} {options}")


def case_a_parameter_that_never_had_a_gradient(folder: Path) -> None:
    """It has no state; ``strict=False`` loads the others, and its first step is a first step."""
    options = StateDictOptions(strict=False)
    model, whole = models()
    ours, theirs = AdamW(model.parameters()), AdamW(whole.parameters())
    train([ours, theirs], 3, leave_out="p2")
    kept = get_optimizer_state_dict(model, ours, options=options)
    assert "p2" not in kept["state"]
    if VERSION >= (2, 10):  # before, a state of every parameter is wanted
        again = AdamW(model.parameters())
        set_optimizer_state_dict(model, again, kept, options=options)
        train([again, theirs], 2, start=3)
        compare(again, theirs, "p2")
    first = AdamW(model.parameters())
    first.init_state()  # the way to a state of all parameters
    assert len(get_optimizer_state_dict(model, first)["state"]) == len(SHAPES)


def case_a_whole_state_is_loaded_into_sharded_parameters(folder: Path) -> None:
    """``load_state_dict`` of a run on one process, without an engine in between."""
    for policy in ("plain", "split"):
        settings: Any = {"p_storage": policy, "moment_dtype": "float32"}
        model, whole = models(torch.bfloat16)
        ours, theirs = AdamW(model.parameters(), **settings), AdamW(whole.parameters(), **settings)
        train([theirs], 3)
        ours.load_state_dict(theirs.state_dict())
        with torch.no_grad():
            for p, q in zip(model.parameters(), whole.parameters(), strict=True):
                p.copy_(placed(q.detach(), p.device_mesh, p.placements))
        train([ours, theirs], 2, start=3)
        compare(ours, theirs, policy)


def case_a_state_dict_stays_as_it_was(folder: Path) -> None:
    model, _ = models()
    optimizer = AdamW(model.parameters())
    train([optimizer], 3)
    kept = optimizer.state_dict()["state"][0]["exp_avg"]
    before = full(kept).clone()
    train([optimizer], 2)
    same(kept, before, "a snapshot")

"""Cases of :mod:`ranks`: moments in 8 bits of sharded parameters, whose shards are made of whole blocks."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from ranks import is_thorough
from sharded_steps import compare, full, mesh_of, params_of, placed, refused, same, values
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard
from torch.nn import Parameter

from adamcore import Adam as Core
from adamcore.backends.torch import AdamW

SHAPES = ((8, 256), (256,), (512, 16), (17, 64), (4, 1024))
POLICIES = ("companded8", "blockwise8")  #: the second keeps arrays of fewer than 4096 elements plainly


def start(policy: str) -> dict[str, Any]:
    return {"m_storage": policy, "v_storage": policy, "lr": 0.1}


def layouts() -> list[tuple[Any, list[Any]]]:
    world = dist.get_world_size()
    line = mesh_of(world)
    found: list[tuple[Any, list[Any]]] = [(line, [Shard(0)]), (line, [Replicate()])]
    if world == 4:
        square = mesh_of(2, 2)
        found += [(square, [Replicate(), Shard(0)]), (square, [Shard(0), Shard(0)])]
    return found


def give(optimizer: Any, k: int) -> None:
    params = params_of(optimizer)
    for p, g in zip(params, values(params[0].dtype, 100 + k, SHAPES), strict=True):
        p.grad = placed(g, p.device_mesh, p.placements) if isinstance(p, DTensor) else g.clone()


def kept_as(optimizer: Any, policy: str) -> dict[str, Any]:
    """Return a state for an optimizer that keeps its moments so."""
    found: dict[str, Any] = optimizer.state_dict()
    for group in found["param_groups"]:
        group |= {"m_storage": policy, "v_storage": policy}
    return found


def case_bits_of_8(folder: Path) -> None:
    dtypes = (torch.float32, torch.bfloat16) if is_thorough() else (torch.float32,)
    for (mesh, placements), policy, dtype in product(layouts(), POLICIES, dtypes):
        settings = start(policy) | ({} if dtype is torch.float32 else {"p_storage": "split"})
        whole = [Parameter(x.clone()) for x in values(dtype, 0, SHAPES)]
        ours: Any = AdamW([Parameter(placed(p.detach(), mesh, placements)) for p in whole], **settings)
        theirs = AdamW(whole, **settings)
        for k in range(5):
            for optimizer in (ours, theirs):
                give(optimizer, k)
                optimizer.step()
        assert ours._step_cache.steps or policy == "blockwise8", "no step was cached"
        compare(ours, theirs, f"{policy} {placements} {dtype}")


def case_the_core_in_8(folder: Path) -> None:
    mesh, adam = (
        mesh_of(dist.get_world_size()),
        Core(m_storage="companded8", amsgrad="uncorrected", v_storage="companded8"),
    )
    whole = values(torch.float32, 0, SHAPES)
    ours = [placed(x, mesh, [Shard(0)]) for x in whole]
    a, b = adam.init(ours), adam.init(whole)
    for k in range(3):
        grads = values(torch.float32, 10 + k, SHAPES)
        ours, a = adam.step(ours, [placed(g, mesh, [Shard(0)]) for g in grads], a)
        whole, b = adam.step(whole, grads, b)
    for name in ("m", "v", "v_max", "m_scale", "v_scale", "v_max_scale"):
        for x, y in zip(getattr(a, name), getattr(b, name), strict=True):
            assert isinstance(x, DTensor)
            same(x, y, name)
    for x, y in zip(ours, whole, strict=True):
        same(x, y, "p")


def case_parts_of_blocks_are_refused(folder: Path) -> None:
    world = dist.get_world_size()
    mesh = mesh_of(world)
    for shape, placement in (((9, 5), Shard(0)), ((64, 64), Shard(1)), ((17, 256), Shard(0))):
        p: Any = Parameter(placed(torch.ones(shape), mesh, [placement]))
        p.grad = torch.ones_like(p)
        optimizer = AdamW([p], m_storage="companded8")
        if world == 1:
            continue
        refused(optimizer.step, "in blocks of 64 elements, which these parts cut")
        refused(lambda p=p: Core(v_storage="companded8").init([p]), "expected as many rows on each process")


def case_a_checkpoint_of_8(folder: Path) -> None:
    """Saved in shards, loaded, and turned into numbers by another optimizer and back."""
    for policy in POLICIES if is_thorough() else POLICIES[:1]:
        model, whole = torch.nn.Module(), torch.nn.Module()
        for k, x in enumerate(values(torch.float32, 0, SHAPES)):
            model.register_parameter(f"p{k}", Parameter(x.clone()))
            whole.register_parameter(f"p{k}", Parameter(x.clone()))
        fully_shard(model, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
        ours, theirs = AdamW(model.parameters(), **start(policy)), AdamW(whole.parameters(), **start(policy))
        for k in range(2):
            for optimizer in (ours, theirs):
                give(optimizer, k)
                optimizer.step()
                optimizer.zero_grad()  # else PyTorch takes the state below for one that is being made
        save({"optim": get_optimizer_state_dict(model, ours)}, checkpoint_id=folder / f"eight {policy}")
        again = AdamW(model.parameters(), **start(policy))
        state = get_optimizer_state_dict(model, again)
        load({"optim": state}, checkpoint_id=folder / f"eight {policy}")
        set_optimizer_state_dict(model, again, state)
        compare(again, theirs, policy)
        plain, beside = AdamW(model.parameters(), lr=0.1), AdamW(whole.parameters(), lr=0.1)
        plain.load_state_dict(kept_as(again, "plain"))
        beside.load_state_dict(kept_as(theirs, "plain"))
        for optimizer in (plain, beside):
            give(optimizer, 2)
            optimizer.step()
        compare(plain, beside, f"{policy} as numbers")
        coded, other = AdamW(model.parameters(), **start(policy)), AdamW(whole.parameters(), **start(policy))
        coded.load_state_dict(kept_as(plain, policy))
        other.load_state_dict(kept_as(beside, policy))
        for optimizer in (coded, other):
            give(optimizer, 3)
            optimizer.step()
        compare(coded, other, f"{policy} and back")
        third = [*model.parameters()][2]
        assert full(coded.state[third]["exp_avg_scale"]).any()

"""Cases of :mod:`ranks`: the engines that people train with, around our optimizer.

Engines add up gradients in an order of their own.  So each case takes the gradients that an engine has made,
and steps a whole copy of the parameters with them: it has the same bits.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from ranks import only_on
from sharded_steps import full, same
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    SequenceParallel,
    parallelize_module,
)
from torch.nn.parallel import DistributedDataParallel

from adamcore.backends.torch import AdamW

SETTINGS: dict[str, Any] = {"lr": 1e-2, "weight_decay": 0.1}


class Net(torch.nn.Module):
    """Two layers of odd sizes with a norm between them, and a layer that only some inputs use."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.up, self.norm = torch.nn.Linear(5, width), torch.nn.LayerNorm(width)
        self.down, self.other = torch.nn.Linear(width, 3), torch.nn.Linear(width, 3)

    def forward(self, x: torch.Tensor, other: bool = False) -> torch.Tensor:
        hidden = self.norm(self.up(x)).relu()
        return self.other(hidden) if other else self.down(hidden)


def net(width: int = 6) -> Net:
    torch.manual_seed(0)
    return Net(width)


def batch(k: int) -> torch.Tensor:
    """Return a batch of step ``k``, another one on each process."""
    generator = torch.Generator().manual_seed(100 * k + dist.get_rank())
    return torch.randn(4, 5, generator=generator)


class Beside:
    """A whole copy of parameters, stepped with the gradients that an engine has left in them."""

    def __init__(self, params: Iterable[Any], **settings: Any) -> None:
        self.params = list(params)
        self.copies = [torch.nn.Parameter(full(p).clone()) for p in self.params]
        self.optimizer = AdamW([{"params": self.copies}], **(SETTINGS | settings))

    def step(self, what: str, run: Callable[[], Any]) -> None:
        """Run the engine's step and that of the copy; compare the parameters."""
        for p, copy in zip(self.params, self.copies, strict=True):
            copy.grad = None if p.grad is None else full(p.grad).clone()
        run()
        self.optimizer.step()
        for i, (p, copy) in enumerate(zip(self.params, self.copies, strict=True)):
            same(p, copy, f"{what}: parameter {i}")


def train(model: Any, optimizer: Any, beside: Beside, what: str, steps: int = 4) -> None:
    for k in range(steps):
        model(batch(k)).square().mean().backward()
        beside.step(what, optimizer.step)
        optimizer.zero_grad()


def equal_everywhere(values: Any, what: str) -> None:
    every: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(every, values)
    assert every == [values] * len(every), (what, every)


# ------------------------------------------------------------------------------------------------ engines


def case_fsdp2(folder: Path) -> None:
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    half = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    ways: dict[str, Any] = {
        "plain": {},
        "mixed precision": {"mp_policy": half},
        "kept whole": {"reshard_after_forward": False},
        "offload": {"offload_policy": CPUOffloadPolicy(pin_memory=False)},
    }
    for name, settings in ways.items():
        model = net()
        for layer in (model.up, model.down):
            fully_shard(layer, mesh=mesh, **settings)
        fully_shard(model, mesh=mesh, **settings)
        optimizer = AdamW(model.parameters(), **SETTINGS)
        beside = Beside(model.parameters())
        train(model, optimizer, beside, name)
        with_state = [p for p in model.parameters() if p in optimizer.state]
        assert all(isinstance(optimizer.state[p]["exp_avg"], DTensor) for p in with_state)
        equal_everywhere([int(optimizer.state[p]["step"]) for p in with_state], name)
        assert optimizer._step_cache.steps, "no step was cached"


def case_fsdp2_in_bfloat16_with_float32_gradients(folder: Path) -> None:
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    settings: dict[str, Any] = {"moment_dtype": "float32", "p_storage": "kahan"}
    policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    model = net().bfloat16()
    fully_shard(model, mesh=mesh, mp_policy=policy)
    optimizer = AdamW(model.parameters(), **SETTINGS, **settings)
    beside = Beside(model.parameters(), **settings)
    for k in range(4):
        model(batch(k).bfloat16()).square().mean().backward()
        beside.step("bfloat16", optimizer.step)
        optimizer.zero_grad()
    if not hasattr(torch.Tensor, "grad_dtype"):
        return  # PyTorch 2.7 lets no gradient have another dtype than its parameter
    for p, copy in zip(beside.params, beside.copies, strict=True):
        if p not in optimizer.state:
            continue
        wide = torch.randn(p.shape, generator=torch.Generator().manual_seed(1))
        spread = DTensor.from_local(wide, mesh, [Replicate()]).redistribute(mesh, [Shard(0)])
        for x, g in ((p, spread), (copy, wide)):
            x.grad = None
            x.grad_dtype = torch.float32
            x.grad = g
    optimizer.step()
    beside.optimizer.step()
    for p, copy in zip(beside.params, beside.copies, strict=True):
        same(p, copy, "float32 gradients")


@only_on(2, 4)
def case_tensor_parallel(folder: Path) -> None:
    """Also with FSDP2 over it, on 4 processes; the norm's gradients are still to be added up."""
    world = dist.get_world_size()
    mesh = init_device_mesh("cpu", (world // 2, 2), mesh_dim_names=("data", "tensor"))
    model = net()
    plan: Any = {
        "up": ColwiseParallel(output_layouts=Shard(0)),
        "norm": SequenceParallel(sequence_dim=0),
        "down": RowwiseParallel(input_layouts=Shard(0)),
    }
    torch.manual_seed(0)
    parallelize_module(model, mesh["tensor"], plan)
    if world == 4:
        fully_shard(model, mesh=mesh["data"])
    params = [p for name, p in model.named_parameters() if not name.startswith("other")]
    optimizer, beside = AdamW(params, **SETTINGS), Beside(params)
    for k in range(4):
        generator = torch.Generator().manual_seed(k + (mesh["data"].get_local_rank() if world == 4 else 0))
        model(torch.randn(4, 5, generator=generator)).square().mean().backward()
        beside.step("tensor parallel", optimizer.step)
        optimizer.zero_grad()
    assert optimizer._step_cache.steps, "no step was cached"
    equal_everywhere([int(optimizer.state[p]["step"]) for p in params], "clocks")


def case_ddp(folder: Path) -> None:
    model = net()
    wrapped = DistributedDataParallel(model, find_unused_parameters=True)
    optimizer, beside = AdamW(model.parameters(), **SETTINGS), Beside(model.parameters())
    for k in range(4):
        # in step 2 the first process alone uses the other layer; elsewhere its gradient is a part of the mean
        wrapped(batch(k), other=k == 2 and dist.get_rank() == 0).square().mean().backward()
        assert (model.other.weight.grad is None) == (k != 2), "DDP fills it in on every process or on none"
        beside.step("DDP", optimizer.step)
        optimizer.zero_grad()
    equal_everywhere([p.sum().item() for p in model.parameters()], "parameters")
    equal_everywhere([int(own["step"]) for own in optimizer.state.values()], "clocks")
    assert int(optimizer.state[model.other.weight]["step"]) == 1


def case_zero_redundancy_optimizer(folder: Path) -> None:
    from torch.distributed.optim import ZeroRedundancyOptimizer  # warns as it is imported

    for as_views in (False, True):
        model = net()
        wrapped = DistributedDataParallel(model, find_unused_parameters=True)
        groups: list[dict[str, Any]] = [{"params": list(model.up.parameters()), "weight_decay": 0.3}]
        groups += [{"params": [*model.norm.parameters(), *model.down.parameters()]}]
        optimizer = ZeroRedundancyOptimizer(
            groups, optimizer_class=AdamW, parameters_as_bucket_view=as_views, **SETTINGS
        )
        members = [p for group in groups for p in group["params"]]
        beside = Beside(members)
        beside.optimizer = AdamW(
            [{"params": beside.copies[:2], "weight_decay": 0.3}, {"params": beside.copies[2:]}], **SETTINGS
        )
        train(wrapped, optimizer, beside, f"ZeRO {as_views}")
        optimizer.consolidate_state_dict(to=0)
        if dist.get_rank() == 0:
            state = optimizer.state_dict()["state"]
            for i, copy in enumerate(beside.copies):
                same(state[i]["exp_avg"], beside.optimizer.state[copy]["exp_avg"], f"moment {i}")
                assert float(state[i]["step"]) == 4.0
            torch.save(optimizer.state_dict(), folder / f"zero{as_views}")
        dist.barrier()
        kept = torch.load(folder / f"zero{as_views}")
        again = ZeroRedundancyOptimizer(
            groups, optimizer_class=AdamW, parameters_as_bucket_view=as_views, **SETTINGS
        )
        again.load_state_dict(kept)
        train(wrapped, again, beside, f"ZeRO resumed {as_views}", steps=2)


def case_zero_with_fewer_parameters_than_processes(folder: Path) -> None:
    from torch.distributed.optim import ZeroRedundancyOptimizer

    p = torch.nn.Parameter(torch.ones(3))
    optimizer, beside = ZeroRedundancyOptimizer([p], optimizer_class=AdamW, **SETTINGS), Beside([p])
    for _ in range(3):
        p.grad = torch.ones(3)
        beside.step("one parameter", optimizer.step)


def case_fsdp1(folder: Path) -> None:
    from torch.distributed.fsdp import FullyShardedDataParallel

    warnings.simplefilter("ignore")
    for original in (True, False):
        model = net()
        wrapped = FullyShardedDataParallel(model, use_orig_params=original, device_id=torch.device("cpu"))
        optimizer, beside = AdamW(wrapped.parameters(), **SETTINGS), Beside(wrapped.parameters())
        train(wrapped, optimizer, beside, f"FSDP1 {original}")


def case_a_step_in_the_backward_pass(folder: Path) -> None:
    """An optimizer for each parameter, which steps as soon as the gradient is there."""
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    model = net()
    fully_shard(model, mesh=mesh)
    params = [p for name, p in model.named_parameters() if not name.startswith("other")]
    optimizers = {p: AdamW([p], **SETTINGS) for p in params}
    copies = {p: torch.nn.Parameter(full(p).clone()) for p in params}
    theirs = {p: AdamW([copies[p]], **SETTINGS) for p in params}
    seen: list[Any] = []

    def step(p: Any) -> None:
        seen.append(p)
        copies[p].grad = full(p.grad).clone()
        optimizers[p].step()
        theirs[p].step()
        p.grad = None

    for p in params:
        p.register_post_accumulate_grad_hook(step)
    for k in range(3):
        model(batch(k)).square().mean().backward()
    assert len(seen) == 3 * len(params)
    for p in params:
        same(p, copies[p], "in backward")


def case_each_process_has_a_part_of_the_model(folder: Path) -> None:
    """Parts of a pipeline: other parameters on each process, none on the last; nobody waits for anybody."""
    rank, world = dist.get_rank(), dist.get_world_size()
    params = [torch.nn.Parameter(torch.full((3,), float(rank + k))) for k in range(world - 1 - rank)]
    optimizer, beside = AdamW([{"params": params}], **SETTINGS), Beside(params)
    for k in range(rank, 3):  # another number of steps on each
        for p in params:
            p.grad = torch.full((3,), float(k))
        beside.step("a part", optimizer.step)
    if rank == world - 1:
        assert not optimizer.state_dict()["state"]


def case_a_gradient_that_is_absent_on_one_process(folder: Path) -> None:
    """Shards of one tensor: the process without a gradient stands still, and so does its clock (F1)."""
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    p = torch.nn.Parameter(DTensor.from_local(torch.ones(2), mesh, [Shard(0)]))
    optimizer = AdamW([p], **SETTINGS)
    for k in range(3):
        here = k != 1 or dist.get_rank() != 0
        p.grad = DTensor.from_local(torch.ones(2), mesh, [Shard(0)]) if here else None
        optimizer.step()
    assert int(optimizer.state[p]["step"]) == 3 - (dist.get_rank() == 0)
    zeros = AdamW([p], **SETTINGS, missing="zero")  # the way out: an absent gradient is one of zeros
    for k in range(3):
        here = k != 1 or dist.get_rank() != 0
        p.grad = DTensor.from_local(torch.ones(2), mesh, [Shard(0)]) if here else None
        zeros.step()
    assert int(zeros.state[p]["step"]) == 3


def case_a_loss_scale(folder: Path) -> None:
    """GradScaler: a step that one process has to skip is skipped on all."""
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    for fused in (False, True):
        p = torch.nn.Parameter(DTensor.from_local(torch.ones(2), mesh, [Shard(0)]))
        optimizer = AdamW([p], **SETTINGS, fused=fused)
        beside = Beside([p])
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
        for k in range(4):
            scaler.scale(torch.ones(()))  # its scale is made lazily
            bad = k == 2 and dist.get_rank() == 0
            g = torch.full((2,), float("inf") if bad else 1.0 + k)
            p.grad = DTensor.from_local(8.0 * g, mesh, [Shard(0)])
            before = full(p).clone()
            scaler.step(optimizer)
            scaler.update(8.0)
            if k == 2:
                same(p, before, f"skipped {fused}")
            else:
                beside.copies[0].grad = torch.full((2 * dist.get_world_size(),), 1.0 + k)
                beside.optimizer.step()
                same(p, beside.copies[0], f"scaled {fused} {k}")
        assert int(optimizer.state[p]["step"]) == 3

"""Cases of :mod:`ranks`: steps of sharded parameters beside steps of whole ones, which have the same bits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from ranks import few, only_on
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.placement_types import _StridedShard
from torch.nn import Parameter

from adamcore import Adam as Core
from adamcore import Clip
from adamcore.backends.torch import Adam, AdamW
from adamcore.errors import BackendError

SHAPES = ((9, 4), (5,), (1, 3), (), (3, 5, 7), (0, 3), (64, 65))
STEPS = 6


def mesh_of(*sizes: int) -> Any:
    return init_device_mesh("cpu", sizes)


def layouts(world: int) -> Iterator[tuple[Any, list[Any]]]:
    """Yield meshes of all processes with placements: of each kind that there are."""
    line = mesh_of(world)
    yield line, [Shard(0)]
    yield line, [Shard(1)]
    yield line, [Replicate()]
    if world == 4:
        square = mesh_of(2, 2)
        yield square, [Shard(0), Shard(1)]
        yield square, [Shard(0), Shard(0)]
        yield square, [Replicate(), Shard(0)]
        yield square, [_StridedShard(0, split_factor=2), Shard(0)]


def placed(x: torch.Tensor, mesh: Any, placements: Sequence[Any]) -> Any:
    """Return a tensor in these placements; in a dimension that it does not have, it is replicated."""
    mine = [Replicate() if getattr(p, "dim", -1) >= x.ndim else p for p in placements]
    return distribute_tensor(x.clone(), mesh, mine, src_data_rank=None)


def values(dtype: torch.dtype, k: int, shapes: Sequence[Any] = SHAPES) -> list[torch.Tensor]:
    """Return tensors of these shapes, the same ones on every process for each ``k``."""
    generator = torch.Generator().manual_seed(k)
    return [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]


def full(x: Any) -> Any:
    """Return a tensor as a whole, of whatever kind it is."""
    if not isinstance(x, DTensor):
        return x.detach()
    x = x.detach()
    if x.dtype in (torch.int16, torch.uint16):  # gloo sends none of these
        return full(x.to(torch.int32)).to(x.dtype)
    whole = x.full_tensor()
    return whole.trigger_wait() if hasattr(whole, "trigger_wait") else whole


def same(a: Any, b: Any, what: str) -> None:
    """Fail unless two tensors have the same bits, as wholes; -0 is not 0."""
    a, b = full(a), full(b)
    assert a.dtype == b.dtype, (what, a.dtype, b.dtype)
    assert a.shape == b.shape, (what, a.shape, b.shape)
    assert torch.equal(a, b), (what, int((a != b).sum()), a.numel())
    assert torch.equal(a.double().signbit(), b.double().signbit()), what


def compare(ours: Any, theirs: Any, what: str) -> None:
    """Fail unless two optimizers have parameters and states of the same bits, the first one's sharded."""
    for a, b in zip(params_of(ours), params_of(theirs), strict=True):
        same(a, b, what)
        assert (a in ours.state) == (b in theirs.state), what
        for name, value in theirs.state.get(b, {}).items():
            mine = ours.state[a][name]
            same(mine, value, f"{what}: {name}")
            if name not in ("step", "mu_product"):
                assert isinstance(mine, DTensor) == isinstance(a, DTensor), (what, name, type(mine))
                if isinstance(mine, DTensor):
                    assert mine.device_mesh == a.device_mesh, (what, name)
                    assert mine.placements == a.placements, (what, name)


def params_of(optimizer: Any) -> list[Any]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def pair(
    cls: Any, dtype: torch.dtype, mesh: Any, placements: Sequence[Any], **settings: Any
) -> tuple[Any, Any]:
    """Return an optimizer of sharded parameters, and one of the whole ones, with two groups each."""
    found = []
    for spread in (True, False):
        start = values(dtype, 0)
        params = [Parameter(placed(x, mesh, placements) if spread else x.clone()) for x in start]
        groups = [{"params": params[:3]}, {"params": params[3:], "weight_decay": 0.3}]
        found.append(cls(groups, **settings))
    return found[0], found[1]


def train(ours: Any, theirs: Any, steps: int, start: int = 0, absent: bool = True) -> None:
    """Make steps of both with the same gradients; every third one of some is absent."""
    for k in range(start, start + steps):
        grads = values(params_of(theirs)[0].dtype, 100 + k)
        for i, (a, b, g) in enumerate(zip(params_of(ours), params_of(theirs), grads, strict=True)):
            if absent and (i + k) % 3 == 2 and k > 1:
                a.grad = b.grad = None
                continue
            b.grad = g.clone()
            a.grad = placed(g, a.device_mesh, a.placements)
        for optimizer in (ours, theirs):
            for group in optimizer.param_groups:
                group["lr"] = 1e-2 / (1 + k)
            optimizer.step()


SETTINGS: dict[str, tuple[Any, dict[str, Any]]] = {
    "AdamW": (AdamW, {}),
    "Adam": (Adam, {"weight_decay": 0.1, "amsgrad": True}),
    "global": (AdamW, {"clock": "global"}),
    "NAdam": (Adam, {"dialect": "torch.NAdam"}),
    "capturable": (AdamW, {"capturable": True}),
    "fused": (AdamW, {"fused": True, "maximize": True}),
    "zero": (AdamW, {"missing": "zero"}),
    "float32 moments": (AdamW, {"moment_dtype": "float32"}),
}


def bits_of(dtype: torch.dtype, names: Sequence[str]) -> None:
    for (mesh, placements), name in few(product(layouts(dist.get_world_size()), names), 10):
        cls, settings = SETTINGS[name]
        ours, theirs = pair(cls, dtype, mesh, placements, **settings)
        train(ours, theirs, STEPS)
        train(ours, theirs, 3, STEPS, absent=False)
        assert len(ours._step_cache.steps) >= 2, "no step was cached"
        compare(ours, theirs, f"{name} {dtype} {placements}")


def case_float32(folder: Path) -> None:
    bits_of(torch.float32, list(SETTINGS))


def case_bfloat16(folder: Path) -> None:
    bits_of(torch.bfloat16, ["AdamW", "Adam", "float32 moments"])


def case_float16_and_float64(folder: Path) -> None:
    bits_of(torch.float64, ["AdamW"])
    bits_of(torch.float16, ["AdamW"])


def case_storage_of_parameters(folder: Path) -> None:
    policies = ("master", "split", "split8", "kahan", "stochastic")
    for (mesh, placements), policy in few(product(layouts(dist.get_world_size()), policies), 7):
        settings = {"p_storage": policy, "moment_dtype": "float32", "seed": 3}
        ours, theirs = pair(AdamW, torch.bfloat16, mesh, placements, **settings)
        train(ours, theirs, 4)
        compare(ours, theirs, f"{policy} {placements}")


def case_clocks_are_plain_and_equal_everywhere(folder: Path) -> None:
    for mesh, placements in layouts(dist.get_world_size()):
        ours, theirs = pair(AdamW, torch.float32, mesh, placements)
        train(ours, theirs, STEPS)
        clocks = [int(ours.state[p]["step"]) for p in params_of(ours)]
        assert all(type(ours.state[p]["step"]) is torch.Tensor for p in params_of(ours))
        every: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(every, clocks)
        assert every == [clocks] * len(every), every


def case_plain_and_sharded_in_one_group(folder: Path) -> None:
    mesh = mesh_of(dist.get_world_size())
    start, grads = values(torch.float32, 0), values(torch.float32, 1)
    mixed = [Parameter(placed(x, mesh, [Shard(0)]) if i % 2 else x.clone()) for i, x in enumerate(start)]
    plain = [Parameter(x.clone()) for x in start]
    ours, theirs = AdamW(mixed), AdamW(plain)
    for _ in range(4):
        for p, q, g in zip(mixed, plain, grads, strict=True):
            p.grad = placed(g, mesh, [Shard(0)]) if isinstance(p, DTensor) else g.clone()
            q.grad = g.clone()
        ours.step()
        theirs.step()
    compare(ours, theirs, "mixed")


# ------------------------------------------------------------------------------------------- gradients


def case_gradients_are_brought_to_their_parameters_placement(folder: Path) -> None:
    world = dist.get_world_size()
    mesh = mesh_of(world)
    ways: list[tuple[list[Any], list[Any]]] = [
        ([Replicate()], [Partial()]),
        ([Shard(0)], [Replicate()]),
        ([Shard(0)], [Partial()]),
    ]
    for of_p, of_g in ways:
        w, g = torch.arange(24.0).reshape(6, 4) / 8, torch.arange(24.0).reshape(6, 4) % 7 - 3
        theirs = Parameter(w.clone())
        ours: Any = Parameter(placed(w, mesh, of_p))
        a, b = AdamW([ours]), AdamW([theirs])
        for _ in range(4):
            theirs.grad = g.clone()
            # the parts of a sum: whole multiples, so that adding them up is exact
            part = g * world if dist.get_rank() == 0 else torch.zeros_like(g)
            part = part / world if of_g == [Partial()] else g.clone()
            ours.grad = DTensor.from_local(part, mesh, of_g, run_check=False)
            a.step()
            b.step()
            assert ours.grad.placements == ours.placements
            same(ours.grad, g, f"{of_p} {of_g}")
        compare(a, b, f"{of_p} {of_g}")


def refused(run: Any, words: str) -> None:
    with pytest.raises(BackendError, match=words):
        run()


def case_what_cannot_be_stepped_in_parts_is_refused(folder: Path) -> None:
    mesh = mesh_of(dist.get_world_size())
    part: Any = Parameter(DTensor.from_local(torch.ones(3), mesh, [Partial()], run_check=False))
    optimizer = AdamW([part])
    part.grad = DTensor.from_local(torch.ones(3), mesh, [Partial()], run_check=False)
    before = part.to_local().clone()
    refused(optimizer.step, "expected Shard or Replicate")
    assert torch.equal(part.to_local(), before)
    other = init_device_mesh("cpu", (1, dist.get_world_size()))
    p = Parameter(placed(torch.ones(4), mesh, [Shard(0)]))
    p.grad = placed(torch.ones(4), other, [Replicate(), Shard(0)])
    optimizer = AdamW([p])
    refused(optimizer.step, "expected one mesh")
    refused(lambda: Core().step([p], [torch.ones(4)], Core().init([p])), "expected a DTensor")
    assert not optimizer.state, "an error leaves a state"


# -------------------------------------------------------------------------------------- the functions


def case_the_core_steps_sharded_trees(folder: Path) -> None:
    mesh = mesh_of(dist.get_world_size())
    for dtype in (torch.float32, torch.bfloat16):
        for donate in (False, True):
            adam = Core(amsgrad="uncorrected", weight_decay=0.1)
            start = values(dtype, 0)
            ours, theirs = [placed(x, mesh, [Shard(0)]) for x in start], [x.clone() for x in start]
            a, b = adam.init(ours), adam.init(theirs)
            for k in range(4):
                grads = values(dtype, 10 + k)
                spread = [placed(g, mesh, [Shard(0)]) for g in grads]
                before = [full(p).clone() for p in ours]
                old = ours
                ours, a = adam.step(ours, spread, a, donate=donate)
                theirs, b = adam.step(theirs, grads, b, donate=donate)
                if not donate:
                    for p, kept in zip(old, before, strict=True):
                        same(p, kept, "an input")
            for p, q, m, n in zip(ours, theirs, a.m, b.m, strict=True):
                assert isinstance(p, DTensor)
                assert isinstance(m, DTensor)
                same(p, q, f"{dtype} {donate}")
                same(m, n, f"m {dtype} {donate}")


def case_masks_of_sharded_trees(folder: Path) -> None:
    mesh = mesh_of(dist.get_world_size())
    adam = Core()
    w, g, mask = torch.ones(9, 4), torch.ones(9, 4), torch.arange(36).reshape(9, 4) % 3 == 0
    p, q = [placed(w, mesh, [Shard(0)])], [w.clone()]
    a, b = adam.init(p), adam.init(q)
    for kind in (mask, placed(mask, mesh, [Shard(0)]), mask[:1]):
        p, a = adam.step(p, [placed(g, mesh, [Shard(0)])], a, present=[kind])
        q, b = adam.step(q, [g], b, present=[full(kind) if isinstance(kind, DTensor) else kind])
        same(p[0], q[0], "a mask")


def near(a: Any, b: Any, what: str) -> None:
    """Fail unless two tensors, as wholes, agree to the rounding of a norm and of the steps after it."""
    torch.testing.assert_close(full(a), full(b), rtol=1e-5, atol=1e-6, msg=lambda text: f"{what}: {text}")


def case_clipping_counts_all_parts(folder: Path) -> None:
    """The norm of sharded gradients is that of whole ones: over all groups, of each leaf, of masked ones."""
    for mesh, placements in layouts(dist.get_world_size()):
        for clip in (Clip(global_norm=0.5), Clip(norm=0.25), Clip(value=0.1)):
            ours, theirs = pair(AdamW, torch.float32, mesh, placements, clip=clip)
            train(ours, theirs, 3)
            for a, b in zip(params_of(ours), params_of(theirs), strict=True):
                near(a, b, f"{clip} {placements}")
                near(ours.state[a]["exp_avg"], theirs.state[b]["exp_avg"], f"m, {clip} {placements}")
    mesh, adam, clip = mesh_of(dist.get_world_size()), Core(), Clip(global_norm=0.5)
    p, g = values(torch.float32, 0)[0], values(torch.float32, 1)[0]
    for donate in (False, True):
        for mask in (None, [torch.arange(36).reshape(9, 4) % 3 == 0]):
            q, spread = [p.clone()], [placed(p, mesh, [Shard(0)])]
            _, want = adam.step(q, [g], adam.init(q), present=mask, clip=clip, donate=donate)
            grads = [placed(g, mesh, [Shard(0)])]
            _, got = adam.step(spread, grads, adam.init(spread), present=mask, clip=clip, donate=donate)
            near(got.m[0], want.m[0], f"the core, {donate}, {mask is None}")
    partial = DTensor.from_local(g / dist.get_world_size(), mesh, [Partial()])
    _, got = adam.step(spread, [partial], adam.init(spread), clip=clip)
    q = [p.clone()]
    near(got.m[0], adam.step(q, [g], adam.init(q), clip=clip)[1].m[0], "to be added up")


def case_versions_tell_of_a_step(folder: Path) -> None:
    """Autograd notices that a parameter which it has saved was stepped, as with plain tensors."""
    p = Parameter(placed(torch.ones(4, 4), mesh_of(dist.get_world_size()), [Shard(0)]))
    optimizer = AdamW([p])
    for _ in range(3):
        before = p._version
        p.grad = torch.ones_like(p)
        optimizer.step()
        assert p._version > before


@only_on(2)
def case_a_process_outside_the_mesh(folder: Path) -> None:
    mesh = init_device_mesh("cpu", (2,))
    from torch.distributed.device_mesh import DeviceMesh

    alone = DeviceMesh("cpu", [0])
    for dtype in (torch.float32, torch.bfloat16):
        start = torch.ones(4, 3).to(dtype)
        p: Any = Parameter(distribute_tensor(start, alone, [Shard(0)], src_data_rank=None))
        q = Parameter(placed(torch.ones(4, 3).to(dtype), mesh, [Shard(0)]))
        whole = Parameter(torch.ones(4, 3).to(dtype))
        ours, theirs = AdamW([p, q]), AdamW([whole])
        for _ in range(4):
            p.grad = distribute_tensor(torch.ones(4, 3).to(dtype), alone, [Shard(0)], src_data_rank=None)
            q.grad, whole.grad = torch.ones_like(q), torch.ones_like(whole)
            ours.step()
            theirs.step()
        same(q, whole, "q")
        assert [int(ours.state[x]["step"]) for x in (p, q)] == [4, 4]
        if dist.get_rank() == 0:
            same(p.to_local(), whole, "p")

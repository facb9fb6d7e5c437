"""``p_storage`` in the optimizer: the bits of the core, and a part of the parameter in the state."""

from __future__ import annotations

import copy
import io
import os
import pickle
import subprocess
import sys
from typing import Any

import pytest
from paths import ROOT
from storage_runs import RESTS, gradients, same, steps

torch = pytest.importorskip("torch")

from torch.nn import Parameter  # noqa: E402

from adamcore import Adam as Core  # noqa: E402
from adamcore.backends.torch import Adam  # noqa: E402
from adamcore.errors import BackendError, StateError  # noqa: E402

POLICIES = (*RESTS, "stochastic")


def optimizer_of(policy: str, params: Any = None, **settings: Any) -> tuple[list[Any], Adam]:
    """Return the parameters of :func:`storage_runs.steps`, in two groups, and their optimizer."""
    if params is None:
        params = [
            Parameter(torch.linspace(0.5, 2.0, 21).reshape(3, 7).bfloat16()),
            Parameter(torch.ones(2, 3)),
            Parameter(torch.tensor(1.0).bfloat16()),
        ]
    chosen: Any = {"lr": 1e-3, "moment_dtype": "float32", "p_storage": policy, "seed": 3} | settings
    return params, Adam([{"params": params[:2]}, {"params": params[2:]}], **chosen)


def train(optimizer: Adam, params: list[Any], count: int, start: int = 0) -> None:
    for k in range(start, start + count):
        for p, g in zip(params, gradients(k), strict=True):
            p.grad = torch.tensor(g).to(p.dtype)
        optimizer.step()


def wanted(policy: str, count: int) -> list[Any]:
    adam = Core(lr=1e-3, p_storage=policy, moment_dtype="float32", seed=3)  # type: ignore[arg-type]
    return steps(adam, "torch", "bfloat16", count)[0]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("clock", ["per-parameter", "global"])
def test_the_bits_are_those_of_the_core(policy: str, clock: str) -> None:
    params, optimizer = optimizer_of(policy, clock=clock)
    train(optimizer, params, 5)
    assert same(params, wanted(policy, 5))
    assert ["p_rest" in optimizer.state[p] for p in params] == [policy in RESTS, False, policy in RESTS]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_run_goes_on_from_a_file_and_from_a_pickle(policy: str) -> None:
    params, optimizer = optimizer_of(policy)
    train(optimizer, params, 2)
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    _, again = optimizer_of(policy, params)
    again.load_state_dict(torch.load(file))
    train(again, params, 2, start=2)
    params, last = pickle.loads(pickle.dumps((params, again)))
    train(last, params, 1, start=4)
    assert same(params, wanted(policy, 5))


def test_a_state_dict_is_a_snapshot() -> None:
    params, optimizer = optimizer_of("split")
    train(optimizer, params, 1)
    held = optimizer.state_dict()
    before = copy.deepcopy(held["state"][0]["p_rest"])
    train(optimizer, params, 1, start=1)
    assert (held["state"][0]["p_rest"] == before).all()
    assert (optimizer.state[params[0]]["p_rest"] != before).any()


def test_a_plain_optimizer_has_the_keys_of_pytorch() -> None:
    params, optimizer = optimizer_of("plain", seed=0, moment_dtype=None)
    train(optimizer, params, 1)
    theirs = torch.optim.Adam(params)
    assert optimizer.state_dict()["param_groups"][0].keys() == theirs.state_dict()["param_groups"][0].keys()
    assert optimizer.param_groups[0].keys() == theirs.param_groups[0].keys()


def test_another_policy_or_seed_is_refused_at_loading() -> None:
    params, optimizer = optimizer_of("split")
    train(optimizer, params, 1)
    held = optimizer.state_dict()
    for policy, settings in (("master", {}), ("plain", {}), ("split", {"seed": 4})):
        _, other = optimizer_of(policy, params, **settings)
        with pytest.raises(StateError, match=r"was saved with (p_storage='split'|seed=3)"):
            other.load_state_dict(held)


def test_a_checkpoint_of_pytorch_starts_from_the_parameters() -> None:
    params, _ = optimizer_of("plain")
    theirs = torch.optim.Adam([{"params": params[:2]}, {"params": params[2:]}], lr=1e-3)
    for p, g in zip(params, gradients(0), strict=True):
        p.grad = torch.tensor(g).to(p.dtype)
    theirs.step()
    _, optimizer = optimizer_of("master", params)
    optimizer.load_state_dict(theirs.state_dict())
    old = [p.detach().clone() for p in params]
    optimizer.param_groups[0]["lr"] = optimizer.param_groups[1]["lr"] = 0.0
    train(optimizer, params, 1)
    assert same(params, old)
    assert (optimizer.state[params[0]]["p_rest"] == old[0]).all()


@pytest.mark.parametrize("change", ["dtype", "policy"])
def test_a_rest_that_does_not_fit_is_refused(change: str) -> None:
    params, optimizer = optimizer_of("split")
    train(optimizer, params, 1)
    if change == "dtype":
        params[0].data = params[0].data.float()
        params[0].grad = None
    else:
        for group in optimizer.param_groups:
            group["p_storage"] = "master"
    with pytest.raises(
        StateError, match=r"state\['p_rest'\] in torch.int16 .*: expected (none|torch.float32)"
    ):
        train(optimizer, params, 1)


@pytest.mark.parametrize("policy", POLICIES)
def test_what_stands_still_keeps_its_rest(policy: str) -> None:
    """A skipped step, a frozen parameter and an absent gradient; a reset leaves the rest too."""
    params, optimizer = optimizer_of(policy)
    train(optimizer, params, 2)
    before = [copy.deepcopy(x) for p in params for x in (p.detach(), optimizer.state[p].get("p_rest"))]

    def now() -> list[Any]:
        return [x for p in params for x in (p.detach(), optimizer.state[p].get("p_rest"))]

    def unchanged() -> bool:
        pairs = zip(before, now(), strict=True)
        return all((a is b is None) or same([a], [b]) for a, b in pairs)

    optimizer.found_inf = torch.ones(())  # type: ignore[attr-defined]
    train(optimizer, params, 1)
    del optimizer.found_inf  # type: ignore[attr-defined]
    optimizer.freeze(params)
    train(optimizer, params, 1)
    optimizer.thaw()
    optimizer.zero_grad()
    optimizer.step()
    optimizer.reset()
    assert unchanged()


AT_RANDOM = {"p_storage": "plain", "moment_dtype": None, "m_storage": "stochastic", "v_storage": "stochastic"}


@pytest.mark.parametrize("keeping", [*({"p_storage": policy} for policy in POLICIES), AT_RANDOM])
def test_lazy_rows_are_stepped_as_dense_ones(keeping: Any) -> None:
    """The rows that a sparse gradient lists have the bits of a dense step; the others stay as they are."""
    dense, sparse = (Parameter(torch.linspace(0.5, 2.0, 24).reshape(6, 4).bfloat16()) for _ in range(2))
    rows, values = torch.tensor([[4, 1]]), torch.full((2, 4), 0.3).bfloat16()
    optimizers: dict[str, Adam] = {}
    for p, kind in ((dense, "dense"), (sparse, "lazy")):
        settings: Any = {"lr": 1e-2, "moment_dtype": "float32", "sparse": kind} | keeping
        optimizer = optimizers[kind] = Adam([p], **settings)
        for _ in range(3):
            p.grad = torch.sparse_coo_tensor(rows, values, (6, 4), check_invariants=True)
            optimizer.step()
    others = [0, 2, 3, 5]
    assert same([dense[[1, 4]]], [sparse[[1, 4]]])
    for name in ("exp_avg", "exp_avg_sq"):
        whole, lazy = optimizers["dense"].state[dense][name], optimizers["lazy"].state[sparse][name]
        assert torch.equal(whole[[1, 4]], lazy[[1, 4]])
        assert not lazy[others].any()
    assert same([sparse[others]], [torch.linspace(0.5, 2.0, 24).reshape(6, 4).bfloat16()[others]])


def test_bits_have_no_derivative() -> None:
    with pytest.raises(BackendError, match=r"`differentiable` with p_storage='split'"):
        optimizer_of("split", differentiable=True)
    optimizer_of("plain", differentiable=True)


@pytest.mark.slow
def test_sharded_parameters_have_the_bits_of_whole_ones() -> None:
    """Two processes with a DTensor each; they have no other test beside them, as a group is for a process."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", SHARDED], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == sorted(POLICIES)


SHARDED = """
import os, tempfile
import torch, torch.distributed as dist, torch.multiprocessing as mp
from torch.distributed.tensor import Shard, distribute_tensor, init_device_mesh
from adamcore.backends.torch import Adam

def work(rank, file):
    dist.init_process_group("gloo", init_method="file://" + file, rank=rank, world_size=2)
    mesh, rows = init_device_mesh("cpu", (2,)), [Shard(0)]
    for policy in ("master", "split", "split8", "kahan", "stochastic"):
        w = torch.linspace(0.5, 2, 36).reshape(9, 4).bfloat16()
        g = (torch.arange(36.0).reshape(9, 4) % 5 - 2).bfloat16()
        whole, parts = torch.nn.Parameter(w.clone()), torch.nn.Parameter(distribute_tensor(w, mesh, rows))
        for p in (whole, parts):
            optimizer = Adam([p], lr=1e-3, p_storage=policy, moment_dtype="float32", seed=3)
            for _ in range(3):
                p.grad = g.clone() if p is whole else distribute_tensor(g, mesh, rows)
                optimizer.step()
        if torch.equal(parts.full_tensor().detach(), whole.detach()) and rank == 0:
            print(policy)
    dist.destroy_process_group()

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        processes = [mp.get_context("fork").Process(target=work, args=(k, folder + "/group")) for k in (0, 1)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        raise SystemExit(max(process.exitcode for process in processes))
"""

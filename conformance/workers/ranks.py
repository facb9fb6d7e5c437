"""A candidate on several ranks: processes that the worker forks for PyTorch, devices of JAX.

JAX's are those of the worker, or of processes that it has joined (:mod:`jax_processes`).

The worker is the first process of a gloo group.  It tells the others which probe comes next, runs it with
them, and alone has anything to say to the check.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from adamcore.conformance.candidates import Candidate, CandidateInfo, SettingError, UnavailableError
from adamcore.conformance.candidates.own import OwnCandidate
from adamcore.conformance.candidates.sharded.exchange import Exchange, Leader
from adamcore.conformance.settings import Ranks
from adamcore.conformance.types import Probe, Run

PATIENCE = 5.0  #: seconds that the other processes have to end
Order = tuple[int, Probe, str]  #: the number of a candidate, what it runs, and in which dtype


class Led:
    """A candidate of JAX on all processes, as the first of them runs it."""

    def __init__(self, number: int, candidate: Candidate, leader: Leader) -> None:
        self.number, self.candidate, self.leader = number, candidate, leader

    @property
    def info(self) -> CandidateInfo:
        return self.candidate.info

    def run(self, probe: Probe, dtype: str) -> Run:
        self.leader.order((self.number, probe, dtype))
        try:
            run = self.candidate.run(probe, dtype)
        finally:
            errors = self.leader.finish()
        if errors and run.error not in errors.values():  # here it only shows that the other one is missing
            rank, error = next(iter(errors.items()))
            run.error = f"RankError: rank {rank} raised {error}"
        return run


class FirstRank:
    """A candidate on all processes, as the first of them runs it."""

    def __init__(self, number: int, candidate: Candidate) -> None:
        self.number, self.candidate = number, candidate

    @property
    def info(self) -> CandidateInfo:
        return self.candidate.info

    def run(self, probe: Probe, dtype: str) -> Run:
        tell((self.number, probe, dtype))
        return self.candidate.run(probe, dtype)


def tell(order: Order | None) -> None:
    """Tell the other processes what to run next; None is the end."""
    import torch.distributed as dist

    dist.broadcast_object_list([order], src=0)


@contextlib.contextmanager
def on_ranks(
    candidates: Sequence[Candidate], ranks: Ranks, timeout: float, leader: Leader | None = None
) -> Iterator[list[Candidate]]:
    """Yield candidates that run on so many ranks.  Processes end afterwards; this one is the first of them.

    Args:
        candidates: as they run on one rank; all of one kind.
        ranks: how many ranks, and how parameters lie on them.
        timeout: seconds that a process waits for the others.
        leader: the other processes of JAX, if there are any.

    Raises:
        SettingError: the candidates are of another kind, or do not have this layout.
        UnavailableError: the library or the system has no such ranks.
    """
    kind = kind_of(candidates[0])
    if kind == "jax":
        found = [on_devices(candidate, ranks, leader) for candidate in candidates]
        yield found if leader is None else [Led(n, one, leader) for n, one in enumerate(found)]
    elif kind == "torch":
        if ranks.layout == "shard_map":
            raise SettingError("--layout shard_map is one of JAX: expected fsdp, tp, 2d, ddp or zero")
        with on_processes(candidates, ranks, timeout) as forked:
            yield forked
    else:
        raise SettingError(
            f"--ranks with a candidate of the kind {candidates[0].info.kind!r}: expected a torch optimizer, "
            "an optax factory, or one of our backends torch, jax, jax:jit and jax:native"
        )


def kind_of(candidate: Candidate) -> str | None:
    """Return the library on whose ranks a candidate can run; None if there is none."""
    from adamcore.conformance.candidates.optax import OptaxCandidate
    from adamcore.conformance.candidates.own import Jax, Torch, TorchCompiled
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    if isinstance(candidate, OwnCandidate):
        library = candidate.library
        if isinstance(library, Torch) and not isinstance(library, TorchCompiled):
            return "torch"
        return "jax" if isinstance(library, Jax) else None
    if isinstance(candidate, TorchCandidate):
        return "torch"
    return "jax" if isinstance(candidate, OptaxCandidate) else None


# Devices ---------------------------------------------------------------------------------------------------


def on_devices(candidate: Candidate, ranks: Ranks, exchange: Exchange | None = None) -> Candidate:
    """Return a candidate of JAX on a mesh of devices, of this process or one of each."""
    from adamcore.conformance.candidates.optax import OptaxCandidate
    from adamcore.conformance.candidates.sharded.jax import MeshOptaxCandidate
    from adamcore.conformance.candidates.sharded.own_jax import on_mesh

    if isinstance(candidate, OptaxCandidate):
        return MeshOptaxCandidate(candidate, ranks.layout, ranks.processes, exchange)
    assert isinstance(candidate, OwnCandidate)
    if ranks.layout == "shard_map" and not candidate.library.compiles:
        raise SettingError("--layout shard_map with jax: expected jax:jit, as without jit it takes minutes")
    library = on_mesh(candidate.library, ranks.layout, ranks.processes, exchange)
    assert library is not None
    return OwnCandidate(library, candidate.claim)


# Processes -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def on_processes(candidates: Sequence[Candidate], ranks: Ranks, timeout: float) -> Iterator[list[Candidate]]:
    """Yield candidates of PyTorch that run on so many processes; see :func:`on_ranks`."""
    import torch

    if not torch.distributed.is_available() or "fork" not in multiprocessing.get_all_start_methods():
        raise UnavailableError("--ranks needs torch.distributed, and a system that can fork")
    import torch.distributed.checkpoint.state_dict
    import torch.distributed.optim
    import torch.distributed.tensor  # once, before the processes are forked

    with TemporaryDirectory() as folder:
        store = Path(folder, "group")
        fork = multiprocessing.get_context("fork").Process
        others = [
            fork(target=follow, args=(candidates, ranks, rank, store, timeout), daemon=True)
            for rank in range(1, ranks.processes)
        ]
        for process in others:
            process.start()
        mine = join(candidates, ranks, 0, store, timeout)
        yield [FirstRank(number, candidate) for number, candidate in enumerate(mine)]
        tell(None)
        for process in others:
            process.join(PATIENCE)
        torch.distributed.destroy_process_group()


def join(
    candidates: Sequence[Candidate], ranks: Ranks, rank: int, store: Path, timeout: float
) -> list[Candidate]:
    """Join the group as this rank; return the candidates in it."""
    import torch
    import torch.distributed as dist

    from adamcore.conformance.candidates.own import Torch
    from adamcore.conformance.candidates.sharded.own_torch import TorchOnRanks
    from adamcore.conformance.candidates.sharded.torch import Group, ShardedTorchCandidate
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // ranks.processes))
    dist.init_process_group(
        "gloo",
        init_method=f"file://{store}",
        rank=rank,
        world_size=ranks.processes,
        timeout=timedelta(seconds=timeout),
    )
    group = Group(ranks.layout)
    found: list[Candidate] = []
    for candidate in candidates:
        if isinstance(candidate, OwnCandidate):
            assert isinstance(candidate.library, Torch)
            found.append(OwnCandidate(TorchOnRanks(str(candidate.library.where), group), candidate.claim))
        else:
            assert isinstance(candidate, TorchCandidate)
            found.append(ShardedTorchCandidate(candidate, group))
    return found


def follow(candidates: Sequence[Candidate], ranks: Ranks, rank: int, store: Path, timeout: float) -> None:
    """Run what the first process tells, until it tells the end or is gone."""
    import torch.distributed as dist

    mine = join(candidates, ranks, rank, store, timeout)
    while True:
        order: list[Any] = [None]
        dist.broadcast_object_list(order, src=0)
        if order[0] is None:
            break
        number, probe, dtype = order[0]
        with contextlib.suppress(Exception):  # the first process is told of it, and says it
            mine[number].run(probe, dtype)
    dist.destroy_process_group()

"""A candidate on several processes: the worker and those that it forks, which make the same steps.

The worker is the first process of a gloo group.  It tells the others which probe comes next, runs it with
them, and alone has anything to say to the check.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from adamcore.conformance.candidates import Candidate, CandidateInfo, SettingError, UnavailableError
from adamcore.conformance.settings import Ranks
from adamcore.conformance.types import Probe, Run

if TYPE_CHECKING:
    from adamcore.conformance.candidates.sharded import ShardedTorchCandidate

PATIENCE = 5.0  #: seconds that the other processes have to end


class FirstRank:
    """The candidate on all processes, as the first of them runs it."""

    def __init__(self, candidate: ShardedTorchCandidate) -> None:
        self.candidate = candidate

    @property
    def info(self) -> CandidateInfo:
        return self.candidate.info

    def run(self, probe: Probe, dtype: str) -> Run:
        tell((probe, dtype))
        return self.candidate.run(probe, dtype)


def tell(order: tuple[Probe, str] | None) -> None:
    """Tell the other processes what to run next; None is the end."""
    import torch.distributed as dist

    dist.broadcast_object_list([order], src=0)


@contextlib.contextmanager
def on_ranks(candidate: Candidate, ranks: Ranks, timeout: float) -> Iterator[Candidate]:
    """Yield a candidate that runs on so many processes, this one the first; the others end afterwards.

    Args:
        candidate: a torch optimizer, as it runs on one process.
        ranks: how many processes, and how parameters lie on them.
        timeout: seconds that a process waits for the others.

    Raises:
        SettingError: the candidate is of another kind.
        UnavailableError: PyTorch or the system has no such processes.
    """
    from adamcore.conformance.candidates.torch import TorchCandidate

    if not isinstance(candidate, TorchCandidate):
        raise SettingError(
            f"--ranks with a candidate of the kind {candidate.info.kind!r}: expected a torch optimizer"
        )
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
            fork(target=follow, args=(candidate, ranks, rank, store, timeout), daemon=True)
            for rank in range(1, ranks.processes)
        ]
        for process in others:
            process.start()
        yield FirstRank(join(candidate, ranks, 0, store, timeout))
        tell(None)
        for process in others:
            process.join(PATIENCE)
        torch.distributed.destroy_process_group()


def join(candidate: Any, ranks: Ranks, rank: int, store: Path, timeout: float) -> ShardedTorchCandidate:
    """Join the group as this rank; return the candidate in it."""
    import torch
    import torch.distributed as dist

    from adamcore.conformance.candidates.sharded import ShardedTorchCandidate

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // ranks.processes))
    dist.init_process_group(
        "gloo",
        init_method=f"file://{store}",
        rank=rank,
        world_size=ranks.processes,
        timeout=timedelta(seconds=timeout),
    )
    return ShardedTorchCandidate(candidate, ranks.layout)


def follow(candidate: Any, ranks: Ranks, rank: int, store: Path, timeout: float) -> None:
    """Run what the first process tells, until it tells the end or is gone."""
    import torch.distributed as dist

    mine = join(candidate, ranks, rank, store, timeout)
    while True:
        order: list[Any] = [None]
        dist.broadcast_object_list(order, src=0)
        if order[0] is None:
            break
        with contextlib.suppress(Exception):  # the first process is told of it, and says it
            mine.run(*order[0])
    dist.destroy_process_group()

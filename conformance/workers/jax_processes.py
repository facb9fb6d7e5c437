"""Processes that a worker starts for a candidate of JAX, and joins by ``jax.distributed``.

Each has one device of the CPU, and JAX has all of them as one mesh, as on several hosts.  The processes are
spawned and not forked: JAX has threads.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from adamcore import Adam
from adamcore.conformance.candidates import load_candidates
from adamcore.conformance.candidates.adapter.base import describe
from adamcore.conformance.candidates.sharded.exchange import Abandoned, Follower, Leader
from adamcore.conformance.errors import CandidateError, SettingError
from adamcore.conformance.settings import Ranks

PATIENCE = 5.0  #: seconds that the other processes have to end
Given = tuple[str, list[Adam | None], Mapping[str, str], str | None, float, Sequence[str]]
"""The arguments of :func:`load_candidates`: target, claims, settings, device, timeout, what is required."""


class JaxProcesses:
    """The other processes of a worker.  They are started when it joins them, and end with the context.

    Args:
        given: what candidates are made of, in each process alike.
        ranks: how many ranks, and how parameters lie on them.
    """

    def __init__(self, given: Given, ranks: Ranks) -> None:
        self.given, self.ranks = given, ranks
        self.leader: Leader | None = None
        self.processes: list[Any] = []

    def __enter__(self) -> JaxProcesses:
        return self

    def join(self) -> None:
        """Start the other processes, and join this one to them as the first.

        Raises:
            SettingError: the device is no CPU.
            CandidateError: JAX cannot be joined any more.
        """
        target, device, timeout = self.given[0], self.given[3], self.given[4]
        for place in (device or "cpu", target.partition(":")[2] if target.startswith("jax:") else "cpu"):
            if place.partition(":")[0] not in ("cpu", "jit", "native"):
                raise SettingError(f"--processes on the device {place!r}: expected cpu, one for each process")
        address = f"127.0.0.1:{free_port()}"
        spawn = multiprocessing.get_context("spawn")
        pipes = [spawn.Pipe() for _ in range(1, self.ranks.processes)]
        for rank, (_, theirs) in enumerate(pipes, start=1):
            arguments = (self.given, self.ranks, rank, address, theirs)
            process = spawn.Process(target=follow, args=arguments, daemon=True)
            process.start()
            self.processes.append(process)
            theirs.close()  # so that the end of the process is the end of the pipe
        join_as(0, self.ranks.processes, address, timeout)
        self.leader = Leader([mine for mine, _ in pipes], timeout)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.leader is None:
            return
        with contextlib.suppress(OSError):
            self.leader.send("stop")
        if error is None:
            import jax

            jax.distributed.shutdown()  # which waits for the others
        for process in self.processes:
            process.join(PATIENCE if error is None else 0)
            process.kill()


def free_port() -> int:
    """Return a port of this machine that nobody listens to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def join_as(rank: int, count: int, address: str, timeout: float) -> None:
    """Join this process to the others, by JAX's own service in the first of them.

    Raises:
        CandidateError: the target has computed something with JAX when it was imported.
    """
    import jax

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(
            address,
            num_processes=count,
            process_id=rank,
            cluster_detection_method="deactivate",
            initialization_timeout=max(1, int(timeout)),
            coordinator_bind_address=address if rank == 0 else None,
        )
    except Exception as error:
        raise CandidateError(
            f"--processes: JAX could not join process {rank} to the others, which has to be done before "
            f"anything is computed with it, also in the target's own import: {describe(error)}"
        ) from error


def follow(given: Given, ranks: Ranks, rank: int, address: str, connection: Connection) -> None:
    """Join the first process as this rank, and run what it tells, until it tells the end or is gone."""
    from adamcore.conformance.workers.ranks import on_devices

    follower = Follower(connection)
    target, claims, settings, device, timeout, required = given
    candidates = [
        on_devices(candidate, ranks, follower)
        for candidate in load_candidates(
            target,
            claims,
            settings,
            device,
            timeout,
            required,
            joining=lambda: join_as(rank, ranks.processes, address, timeout),
        )
    ]
    while (order := follower.next_order()) is not None:
        number, probe, dtype = order
        error: str | None = None
        try:
            error = candidates[number].run(probe, dtype).error
        except Abandoned:
            pass
        except Exception as raised:
            error = describe(raised)
        follower.end(error)
    import jax

    jax.distributed.shutdown()

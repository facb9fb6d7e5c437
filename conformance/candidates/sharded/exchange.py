"""What processes of JAX say to each other, in which a candidate steps: one leads, the others follow.

JAX joins their devices.  Values of arrays are not exchanged by JAX, but through pipes: so they arrive bit for
bit, without a program that would have to be compiled, and an exception of one process does not let the others
wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, Protocol

from adamcore.conformance.candidates.sharded.layouts import RankError
from adamcore.conformance.errors import CandidateError


class Exchange(Protocol):
    """The processes, as one of them sees them."""

    def gather(self, mine: Any) -> list[Any]:
        """Return what each process has, in the order of their ranks; each of them has to call this."""


class Abandoned(BaseException):
    """The first process has ended the probe, and nothing that this one does in it counts any more.

    It is no :class:`Exception`, so that it is not taken for one of the candidate.
    """


class Leader:
    """The other processes, as the first one sees them.

    Args:
        connections: a pipe to each, in the order of their ranks.
        timeout: seconds that an answer may take.
    """

    def __init__(self, connections: Sequence[Connection], timeout: float) -> None:
        self.connections = dict(enumerate(connections, start=1))
        self.timeout = timeout
        self.ended: dict[int, str | None] = {}  #: the error of each rank that has ended the probe

    def gather(self, mine: Any) -> list[Any]:
        values = [mine, *map(self.part_of, self.connections)]
        self.send("values", values)
        return values

    def part_of(self, rank: int) -> Any:
        """Return what a process has.

        Raises:
            RankError: it has ended the probe.
        """
        kind, value = self.receive(rank)
        if kind == "part":
            return value
        self.ended[rank] = value
        raise RankError(f"rank {rank} raised {value}" if value else f"rank {rank} has ended the probe before")

    def receive(self, rank: int) -> tuple[str, Any]:
        """Return the next words of a process.

        Raises:
            CandidateError: it has ended, or it says nothing.
        """
        try:
            if self.connections[rank].poll(self.timeout):
                kind, value = self.connections[rank].recv()
                return kind, value
        except (EOFError, OSError) as error:
            raise CandidateError(f"the process of rank {rank} has ended") from error
        raise CandidateError(f"the process of rank {rank} gave no answer for {self.timeout:g} s")

    def send(self, kind: str, value: Any = None) -> None:
        for connection in self.connections.values():
            connection.send((kind, value))

    def order(self, value: Any) -> None:
        """Tell the others what to run next."""
        self.ended = {}
        self.send("run", value)

    def finish(self) -> dict[int, str]:
        """Wait until the others have ended what they run; return the errors of those that had one."""
        self.send("over")
        for rank in self.connections:
            while rank not in self.ended:
                kind, value = self.receive(rank)
                if kind == "ended":
                    self.ended[rank] = value
        return {rank: error for rank, error in self.ended.items() if error}


class Follower:
    """The first process, as another one sees it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def gather(self, mine: Any) -> list[Any]:
        self.connection.send(("part", mine))
        kind, values = self.connection.recv()
        if kind != "values":
            raise Abandoned
        return list(values)

    def next_order(self) -> Any:
        """Return what to run next, or None at the end."""
        while True:
            try:
                kind, order = self.connection.recv()
            except EOFError:
                return None
            if kind in ("run", "stop"):
                return order

    def end(self, error: str | None) -> None:
        """Say how what was run has ended."""
        self.connection.send(("ended", error))

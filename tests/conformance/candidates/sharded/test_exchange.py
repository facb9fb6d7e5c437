"""Words between processes: pipes and threads stand for them here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import Pipe

import pytest

from adamcore.conformance.candidates.sharded.exchange import Abandoned, Follower, Leader
from adamcore.conformance.candidates.sharded.layouts import RankError
from adamcore.conformance.errors import CandidateError

Work = Callable[[Follower, int, object], None]


@contextmanager
def processes(work: Work, count: int = 2) -> Iterator[Leader]:
    """Yield a leader of so many others, each of which does this work at an order, and says how it ended."""
    pipes = [Pipe() for _ in range(count)]

    def follow(rank: int) -> None:
        follower = Follower(pipes[rank - 1][1])
        while (order := follower.next_order()) is not None:
            error = None
            try:
                work(follower, rank, order)
            except Abandoned:
                error = None
            except Exception as raised:
                error = str(raised)
            follower.end(error)

    threads = [threading.Thread(target=follow, args=(rank,), daemon=True) for rank in range(1, count + 1)]
    for thread in threads:
        thread.start()
    leader = Leader([mine for mine, _ in pipes], 5.0)
    yield leader
    leader.send("stop")
    for thread in threads:
        thread.join(5.0)
        assert not thread.is_alive()


def test_each_gets_what_all_have() -> None:
    seen: dict[int, list[object]] = {}

    def work(follower: Follower, rank: int, order: object) -> None:
        seen[rank] = follower.gather((rank, order))

    with processes(work) as leader:
        for order in ("one", "two"):
            leader.order(order)
            mine = leader.gather((0, order))
            assert leader.finish() == {}
            assert mine == seen[1] == seen[2] == [(0, order), (1, order), (2, order)]


def test_an_error_of_another_one_lets_nobody_wait() -> None:
    def work(follower: Follower, rank: int, order: object) -> None:
        if rank == 2 and order == "wrong":
            raise ValueError("too small")
        follower.gather(rank)

    with processes(work) as leader:
        leader.order("wrong")
        with pytest.raises(RankError, match="rank 2 raised too small"):
            leader.gather(0)
        assert leader.finish() == {2: "too small"}
        leader.order("right")
        assert leader.gather(0) == [0, 1, 2]
        assert leader.finish() == {}


def test_an_error_of_the_first_one_lets_nobody_wait() -> None:
    """The others wait for values that never come; what they are told next is not taken for these."""

    def work(follower: Follower, rank: int, order: object) -> None:
        for _ in range(2):
            follower.gather(rank)

    with processes(work) as leader:
        leader.order("run")
        assert leader.gather(0) == [0, 1, 2]
        assert leader.finish() == {}
        leader.order("run")
        assert leader.gather(7) == [7, 1, 2]
        assert leader.gather(8) == [8, 1, 2]
        assert leader.finish() == {}


def test_one_that_ends_before_the_others_is_told() -> None:
    with processes(lambda follower, rank, order: None, count=1) as leader:
        leader.order("run")
        with pytest.raises(RankError, match="rank 1 has ended the probe before"):
            leader.gather(0)
        assert leader.finish() == {}


def test_a_process_that_is_gone_is_said() -> None:
    mine, theirs = Pipe()
    leader = Leader([mine], 5.0)
    theirs.close()
    with pytest.raises(CandidateError, match="the process of rank 1 has ended"):
        leader.receive(1)


def test_a_process_that_says_nothing_is_said() -> None:
    mine, _theirs = Pipe()
    with pytest.raises(CandidateError, match=r"the process of rank 1 gave no answer for 0\.01 s"):
        Leader([mine], 0.01).receive(1)

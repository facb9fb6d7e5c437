"""Large steps shared among threads: each piece once, errors raised, nothing left changed, no hanging fork."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from adamcore.backends.kernels import threads

SIZE = threads.PARALLEL + 12_345


@pytest.mark.parametrize("number", [1, 2, 5])
@pytest.mark.parametrize("total", [0, 1, 99, 1000, 1001])
def test_every_piece_is_done_once(number: int, total: int) -> None:
    done = [0] * total

    def work(lo: int, hi: int) -> None:
        for k in range(lo, hi):
            done[k] += 1

    for _ in range(20):
        threads.run_pieces(work, total, 100, number)
    assert done == [20] * total


def test_work_is_shared() -> None:
    seen = set()
    both = threading.Barrier(2, timeout=20)

    def work(lo: int, hi: int) -> None:
        seen.add(threading.get_ident())
        both.wait()

    threads.run_pieces(work, 2, 1, 2)
    assert len(seen) == 2


def test_an_error_is_raised_once_all_pieces_are_done() -> None:
    done = []

    def work(lo: int, hi: int) -> None:
        time.sleep(0.01)
        if lo == 3:
            raise RuntimeError("piece 3")
        done.append(lo)

    with pytest.raises(RuntimeError, match="piece 3"):
        threads.run_pieces(work, 8, 1, 3)
    assert sorted(done) == [0, 1, 2, 4, 5, 6, 7]


def test_the_switch_interval_is_as_it_was() -> None:
    before = sys.getswitchinterval()
    with threads.short_switch_interval():
        with pytest.raises(RuntimeError), threads.short_switch_interval():
            raise RuntimeError
        assert sys.getswitchinterval() == pytest.approx(threads.SWITCH_INTERVAL)
    assert sys.getswitchinterval() == before


def test_one_thread_does_it_alone() -> None:
    seen = []

    def work(lo: int, hi: int) -> None:
        seen.append((lo, hi))

    with threads.one_thread():
        with threads.one_thread():
            pass
        threads.run_pieces(work, 1000, 100, 4)
    assert seen == [(0, 1000)]
    threads.run_pieces(work, 1000, 100, 4)
    assert len(seen) == 11

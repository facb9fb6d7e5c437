"""Reading ahead and writing behind."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from adamcore.backends.files.stream import stream


@pytest.mark.parametrize(
    ("count", "buffers"), [(0, 0), (1, 1), *((count, k) for count in (2, 3, 10) for k in (2, 3))]
)
def test_a_buffer_has_one_user(count: int, buffers: int) -> None:
    shared = [[-1] for _ in range(buffers)]
    seen = []

    def read(item: int, buffer: list[int]) -> list[int]:
        assert buffer[0] == -1
        buffer[0] = item
        return buffer

    def work(buffer: list[int]) -> None:
        buffer[0] *= 10

    def write(buffer: list[int]) -> None:
        seen.append(buffer[0])
        buffer[0] = -1

    stream(range(count), shared, read, work, write)
    assert seen == [10 * k for k in range(count)]


def test_three_at_once() -> None:
    together = threading.Barrier(3, timeout=20)

    def meet(number: int) -> int:
        if 2 <= number < 8:
            together.wait()
        return number

    # the item that is worked on has number k, the one that is read k + 1, the one that is written k - 1
    stream(
        range(12),
        "abc",
        lambda k, _: meet(k - 1) + 1,
        lambda k: void(meet(k)),
        lambda k: void(meet(k + 1)),
    )


def void(_: Any) -> None: ...


@pytest.mark.parametrize("place", ["read", "work", "write"])
def test_nothing_is_written_after_an_error(place: str) -> None:
    written: list[int] = []

    def fail(name: str, item: int) -> None:
        if (name, item) == (place, 3):
            raise OSError("full")

    def read(item: int, buffer: str) -> int:
        fail("read", item)
        return item

    def write(item: int) -> None:
        fail("write", item)
        written.append(item)

    threads = threading.active_count()
    with pytest.raises(OSError, match="full"):
        stream(range(9), "abc", read, lambda item: fail("work", item), write)
    assert written == [0, 1, 2][: len(written)]
    assert len(written) >= (2 if place == "read" else 3)
    assert threading.active_count() == threads

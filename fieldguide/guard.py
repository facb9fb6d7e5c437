"""A process that ends the commands of a run which was itself killed, and could not do it.

The guard reads a pipe.  The runner writes the number of each process group when it begins, and its negative
when it ends.  The kernel closes the pipe however the runner ends; then the guard kills the groups that
are left, and ends too.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable


class Guard:
    """The runner's side: a process that is started with the first command."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    def begins(self, group: int) -> None:
        """Say that a command runs as this process group."""
        if self.process is None or self.process.poll() is not None:
            words = [sys.executable, "-S", __file__]
            self.process = subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True)
        self.tell(group)

    def ends(self, group: int) -> None:
        """Say that it has ended."""
        self.tell(-group)

    def tell(self, number: int) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # nobody guards any more, and the commands go on
            self.process.stdin.write(b"%d\n" % number)
            self.process.stdin.flush()


def left(lines: Iterable[str]) -> set[int]:
    """Return the groups that have begun and not ended.

    >>> left(["11", "12", "-11"])
    {12}
    """
    groups: set[int] = set()
    for number in map(int, lines):
        if number > 0:
            groups.add(number)
        else:
            groups.discard(-number)
    return groups


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends with the runner
    for group in left(sys.stdin):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()

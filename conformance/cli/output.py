"""Standard output and standard error, which end no command: what they do not take is replaced or lost."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO


class Output:
    """A text stream that raises no error.

    A character that its encoding does not have is written as an escape sequence.  After the first error of
    the system, such as a closed pipe or a full disk, the rest is dropped and ``error`` has the error.

    Args:
        stream: where to write, or None if the process has no such stream.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.stream = stream
        self.error: OSError | None = None if stream is not None else OSError(errno.EPIPE, "closed")

    def write(self, text: str) -> int:
        if self.stream is not None and self.error is None:
            try:
                self.stream.write(fit(text, self.stream))
            except OSError as error:
                self.fail(error)
        return len(text)

    def flush(self) -> None:
        if self.stream is not None and self.error is None:
            try:
                self.stream.flush()
            except OSError as error:
                self.fail(error)

    def fail(self, error: OSError) -> None:
        """Drop the rest, also what Python writes at its end."""
        assert self.stream is not None
        self.error = error
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)

    @property
    def lost(self) -> str:
        """Why something was not written, or "" if nothing is missing or its reader has gone away."""
        self.flush()
        if self.error is None or self.error.errno == errno.EPIPE:
            return ""
        return self.error.strerror or str(self.error)

    def isatty(self) -> bool:
        return self.stream is not None and self.stream.isatty()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def fit(text: str, stream: TextIO) -> str:
    """Return the text with escape sequences for characters that the stream's encoding does not have."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    return text


@contextlib.contextmanager
def safe_output() -> Iterator[tuple[Output, Output]]:
    """Put an :class:`Output` in the place of standard output and of standard error."""
    out, err = Output(sys.stdout), Output(sys.stderr)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield out, err

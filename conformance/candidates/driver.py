"""The pipe to a driver, a program in any language that answers JSON lines (docs/protocol.md).

This module sends messages and reads answers within a time limit.  It matches each answer with its message
by ``seq``, and raises an error that describes a wrong line.  The meaning of the messages is in
:mod:`adamcore.conformance.candidates.command`.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from adamcore.conformance.errors import CandidateError, UnavailableError

Message = dict[str, Any]
LONGEST = 16 * 2**20  #: bytes in a line; the longest line that a probe needs has a hundredth of them
STOP_SECONDS = 10.0  #: seconds that a driver has to end after "stop"


class ProtocolError(CandidateError):
    """A driver that broke the protocol, ended or gave no answer."""


class Driver:
    """The process of a driver.

    Args:
        words: the command and its arguments.
        seconds: the time limit of each answer.

    Raises:
        UnavailableError: there is no such program.
        ProtocolError: the program cannot be started.
    """

    def __init__(self, words: Sequence[str], seconds: float) -> None:
        self.seconds, self.seq, self.rest = seconds, 0, b""
        try:
            # It stays in the worker's process group, so that killing the group kills it; stderr is shared.
            self.process = subprocess.Popen(
                list(words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )
        except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
            raise UnavailableError(f"cannot run {words[0]}: {error.strerror}") from error
        except (OSError, ValueError) as error:
            raise ProtocolError(f"cannot run {words[0]}: {error}") from error
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.input, self.output = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self.input, False)
        os.set_blocking(self.output, False)

    def ask(self, cmd: str, **fields: Any) -> Message:
        """Send a message and return its answer: an object with the same ``seq``."""
        self.seq += 1
        what = f"message {self.seq} ({cmd})"
        self.unasked(f"before {what}")
        deadline = time.monotonic() + self.seconds
        self.send({"seq": self.seq, "cmd": cmd} | fields, deadline, what)
        return self.read(self.line(deadline, what), what)

    def stop(self) -> None:
        """Send "stop", close the input and wait for the end of the process."""
        self.seq += 1
        what = f"message {self.seq} (stop)"
        self.unasked(f"before {what}")
        deadline = time.monotonic() + min(STOP_SECONDS, self.seconds)
        with contextlib.suppress(ProtocolError):  # if it has ended already, its status is checked below
            self.send({"seq": self.seq, "cmd": "stop"}, deadline, what)
        if self.process.stdin is not None:
            self.process.stdin.close()  # some drivers read to the end of their input
        try:
            status = self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise ProtocolError("did not end after stop: killed") from None
        else:
            self.unasked("after stop")
        finally:
            self.kill()
        if status:
            raise ProtocolError(f"{exit_text(status)} after stop, expected 0")

    def kill(self) -> None:
        """Kill the process if it runs, and close the pipes."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    def unasked(self, when: str) -> None:
        """Raise :class:`ProtocolError` if there is a line that answers no message."""
        with contextlib.suppress(BlockingIOError):
            self.rest += os.read(self.output, 65536)
        if self.rest:
            raise ProtocolError(f"wrote a line that nobody asked for, {when}: {excerpt(self.rest)}")

    def send(self, message: Message, deadline: float, what: str) -> None:
        data = memoryview(json.dumps(message).encode() + b"\n")
        while data:
            self.wait(self.input, selectors.EVENT_WRITE, deadline, f"did not read {what}")
            try:
                data = data[os.write(self.input, data) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise ProtocolError(f"{self.end()} before it read {what}") from None

    def line(self, deadline: float, what: str) -> bytes:
        """Return the next line without its end, and keep what follows it."""
        parts, size = [self.rest], len(self.rest)
        while b"\n" not in parts[-1]:
            if size > LONGEST:
                raise ProtocolError(f"answered {what} with a line of more than {LONGEST} bytes")
            self.wait(self.output, selectors.EVENT_READ, deadline, f"gave no answer to {what}", parts)
            try:
                chunk = os.read(self.output, 65536)
            except BlockingIOError:
                continue
            if not chunk:
                raise ProtocolError(f"{self.end()} at {what}{cut(parts)}")
            parts.append(chunk)
            size += len(chunk)
        line, _, self.rest = b"".join(parts).partition(b"\n")
        return line

    def read(self, line: bytes, what: str) -> Message:
        """Return the object in a line; raise :class:`ProtocolError` if it is none or its ``seq`` is wrong."""
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError) as error:
            why = "" if isinstance(error, UnicodeDecodeError) else f" ({error})"
            raise ProtocolError(f"answered {what} with what is no JSON: {excerpt(line)}{why}") from None
        if not isinstance(answer, dict):
            raise ProtocolError(
                f"answered {what} with {json_kind(answer)}, expected an object: {excerpt(line)}"
            )
        seq = answer.get("seq")
        if type(seq) is not int or seq != self.seq:
            raise ProtocolError(
                f"answered {what} out of order: seq is {json.dumps(seq)}, "
                f"expected {self.seq}: {excerpt(line)}"
            )
        return answer

    def wait(self, fd: int, event: int, deadline: float, otherwise: str, begun: Sequence[bytes] = ()) -> None:
        """Wait until a pipe is ready; raise :class:`ProtocolError` with what has come once the time is up."""
        with selectors.DefaultSelector() as selector:
            selector.register(fd, event)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                self.kill()
                raise ProtocolError(f"{otherwise} within {self.seconds:g} s: killed{cut(begun)}")

    def end(self) -> str:
        """Return how the process ended, in words, after the end of its output."""
        try:
            return exit_text(self.process.wait(2))
        except subprocess.TimeoutExpired:
            return "closed its output"


def exit_text(status: int) -> str:
    return f"exited with status {status}" if status >= 0 else f"was killed by signal {-status}"


def cut(parts: Sequence[bytes]) -> str:
    """Return what is said of a line that has no end, or nothing if none has begun."""
    line = b"".join(parts)
    return f", in the middle of a line: {excerpt(line)}" if line else ""


def excerpt(line: bytes) -> str:
    """Return the beginning of a line in printable characters.

    >>> excerpt(b"a" * 100)[-8:]
    "aaa' ..."
    """
    text = line[:80].decode("utf-8", "backslashreplace")
    return repr(text) + (" ..." if len(line) > 80 else "")


def json_kind(value: object) -> str:
    """Return the kind of a JSON value in words.

    >>> json_kind([1]), json_kind(None), json_kind(True)
    ('an array', 'null', 'a boolean')
    """
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (dict, "an object"),
        (list, "an array"),
        (str, "a string"),
        (bool, "a boolean"),
        ((int, float), "a number"),
    )
    return next((word for types, word in kinds if isinstance(value, types)), "null")


def expect(value: Any, wanted: type, what: str) -> Any:
    """Return ``value``; raise :class:`ProtocolError` if it is not of the wanted type."""
    if type(value) is not wanted:
        raise ProtocolError(f"{what} is {json_kind(value)}, expected {json_kind(wanted())}")
    return value

"""``cmd:COMMAND``: an Adam in any language, behind a driver that speaks JSON lines.

The protocol is told in docs/protocol.md and fixed by schemas/protocol-1.json.  An array's values
travel as the bit patterns of its elements in hexadecimal, separated by spaces: exact, with NaN, -0
and infinity, the same on machines of either byte order, and read by ``strtoull`` in C and
``BigInt("0x" + word)`` in JavaScript, where decimal text would have to be printed and parsed
without a rounding of its own and base64 needs a decoder.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from adamcore.conformance.candidates.arguments import effective_hyper, is_number
from adamcore.conformance.candidates.array import ALL
from adamcore.conformance.candidates.base import (
    CandidateInfo,
    Refusal,
    Stepper,
    UnsupportedProbe,
    cast,
    describe,
    run_probe,
    unsupported_reason,
)
from adamcore.conformance.candidates.driver import Driver, Message, ProtocolError, expect
from adamcore.conformance.errors import SettingError
from adamcore.conformance.settings import parse_settings
from adamcore.conformance.types import FloatArray, Probe, Run, Start, Step
from adamcore.conformance.wire import MOMENTS

PROTOCOL = 1
ABILITIES = ("set_lr", "get_state", "set_state")
WIDTHS = {"float16": 2, "float32": 4, "float64": 8, "complex64": 4, "complex128": 8}  #: bytes of a word
SHARE = 0.75  #: of the time for a probe: what one answer may take, so that the driver is named


class DriverError(Exception):
    """What the driver answered as an error of the implementation."""


class CommandCandidate:
    """The candidate behind a driver; its process is started once and serves all probes."""

    def __init__(self, command: str, settings: Mapping[str, str], timeout: float) -> None:
        _, values = parse_settings(settings)
        for name, value in values.items():
            if name not in ALL or not is_number(value):
                raise SettingError(
                    f"--set {name}: a command has no constructor; its options belong into the command"
                )
        self.driver = Driver(shlex.split(command), SHARE * timeout)
        try:
            self.start({name: float(value) for name, value in values.items()})
        except BaseException:
            self.driver.kill()
            raise

    def start(self, fixed: dict[str, float]) -> None:
        answer = self.driver.ask("start", protocol=PROTOCOL)
        if "error" in answer:
            raise ProtocolError(f"answered start with an error: {answer['error']}")
        if answer.get("protocol") != PROTOCOL:
            raise ProtocolError(f"speaks protocol {answer.get('protocol')!r}, expected {PROTOCOL}")
        taken = known_words(answer, "hyper", ALL)
        self.can, self.dtypes = (
            known_words(answer, "can", ABILITIES, []),
            known_words(answer, "dtypes", tuple(WIDTHS)),
        )
        dialect = answer.get("dialect")
        if dialect is not None:
            expect(dialect, str, "dialect in its answer to start")
        self.info = CandidateInfo(
            "command",
            dialect=dialect
            if dialect is None
            else expect(dialect, str, "the dialect in its answer to start"),
            lacks=tuple(name for name in ALL if name not in taken and name not in fixed),
            fixed=fixed,
            flushes=expect(answer.get("flushes", False), bool, "flushes in its answer to start"),
        )

    def run(self, probe: Probe, dtype: str) -> Run:
        reason = unsupported_reason(probe, lr="set_lr" in self.can)
        for needed in sorted({cast(p, dtype).dtype.name for p in probe.params}):
            if needed not in self.dtypes:
                reason = f"it does not take {needed}"
        if probe.manner == "beside":
            reason = "a driver has one optimizer at a time"
        if reason:
            return Run(unsupported=reason)
        return run_probe(lambda seen: CommandStepper(self, seen, dtype), probe)

    def close(self) -> None:
        """Send "stop"; a driver that does not end is an error."""
        self.driver.stop()


class CommandStepper(Stepper):
    def __init__(
        self, candidate: CommandCandidate, probe: Probe, dtype: str, params: Sequence[Any] | None = None
    ) -> None:
        self.candidate, self.probe, self.dtype = candidate, probe, dtype
        self.after = [cast(p, dtype) for p in (probe.params if params is None else params)]
        hyper = effective_hyper(probe.hyper, candidate.info.lacks, candidate.info.fixed)
        self.lr = hyper.get("lr", 0.0)
        answer = candidate.driver.ask("init", params=[pack(p) for p in self.after], hyper=hyper)
        try:
            checked_answer(answer, "init")
        except DriverError as error:
            raise Refusal(describe(error)) from error

    def begin(self, start: Sequence[Start]) -> None:
        state: Message = {"t": [s.t for s in start]}
        for name in MOMENTS:
            state[name] = [pack(cast(getattr(s, name), self.dtype)) for s in start]
        self.set_state(state)

    def resumed(self) -> Stepper:
        state = self.get_state()
        again = CommandStepper(self.candidate, self.probe, self.dtype, self.after)
        again.set_state(state)
        return again

    def clocks(self) -> list[int] | None:
        if "get_state" not in self.candidate.can:
            return None
        state = self.get_state()
        t = state.get("t") if isinstance(state, dict) else None
        if isinstance(t, list) and len(t) == len(self.after) and all(type(x) is int for x in t):
            return t
        return None

    def get_state(self) -> Any:
        self.need("get_state")
        answer = checked_answer(self.candidate.driver.ask("get_state"), "get_state")
        if "state" not in answer:
            raise ProtocolError("answered get_state without a state")
        return answer["state"]

    def set_state(self, state: Any) -> None:
        self.need("set_state")
        checked_answer(self.candidate.driver.ask("set_state", state=state), "set_state")

    def need(self, ability: str) -> None:
        if ability not in self.candidate.can:
            raise UnsupportedProbe(f"it has no {ability}")

    def step(self, index: int, step: Step) -> tuple[list[Any], list[str]]:
        self.lr = self.lr if step.lr is None else step.lr
        grads = [None if g is None else pack(cast(g, self.dtype)) for g in step.grads]
        answer = checked_answer(self.candidate.driver.ask("step", grads=grads, lr=self.lr), "step")
        params = expect(answer.get("params"), list, "params in its answer to step")
        self.after = [unpack(p, f"parameter {i} in its answer to step") for i, p in enumerate(params)]
        return self.after, []


def checked_answer(answer: Message, cmd: str) -> Message:
    """The answer, unless it is a skip or an error."""
    if "skip" in answer:
        raise UnsupportedProbe(str(expect(answer["skip"], str, f"skip in its answer to {cmd}")))
    if "error" in answer:
        raise DriverError(str(expect(answer["error"], str, f"error in its answer to {cmd}"))[:500])
    return answer


def known_words(
    answer: Message, key: str, known: Sequence[str], otherwise: list[str] | None = None
) -> list[str]:
    """A list of known words in the answer to start."""
    found: list[str] = expect(answer.get(key, otherwise), list, f"{key} in its answer to start")
    for word in found:
        if word not in known:
            raise ProtocolError(
                f"{key} in its answer to start has {word!r}, expected some of {', '.join(known)}"
            )
    return found


def pack(array: FloatArray) -> Message:
    """An array as the protocol has it; a complex element is two words, real and imaginary part.

    >>> pack(np.array([1.0, -0.0], dtype="float32"))
    {'dtype': 'float32', 'shape': [2], 'bits': '3f800000 80000000'}
    """
    width = WIDTHS[array.dtype.name]
    raw = np.ascontiguousarray(array, array.dtype.newbyteorder(">")).tobytes()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "bits": raw.hex(" ", width)}


def unpack(packed: Any, what: str) -> FloatArray:
    """The array of an answer, of whatever shape and dtype it says."""
    packed = expect(packed, dict, what)
    dtype, shape, bits = packed.get("dtype"), packed.get("shape"), packed.get("bits")
    if not isinstance(dtype, str) or dtype not in WIDTHS:
        raise ProtocolError(f"the dtype of {what} is {dtype!r}, expected one of {', '.join(WIDTHS)}")
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise ProtocolError(f"the shape of {what} is {shape!r}, expected a list of sizes")
    given = expect(bits, str, f"bits of {what}").split()
    count, width = math.prod(shape) * (2 if dtype.startswith("complex") else 1), WIDTHS[dtype]
    if len(given) != count:
        raise ProtocolError(f"{what} has {len(given)} words for shape {shape}, expected {count}")
    try:
        raw = b"".join(int(word, 16).to_bytes(width, "big") for word in given)
    except (ValueError, OverflowError):
        raise ProtocolError(
            f"{what} has a word that is no {8 * width} bits in hexadecimal: {bits[:80]!r}"
        ) from None
    array = np.frombuffer(raw, np.dtype(dtype).newbyteorder(">"))
    return array.astype(dtype).reshape(shape)

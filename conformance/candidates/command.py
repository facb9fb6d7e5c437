"""The adapter of ``cmd:COMMAND``: an Adam in any language, behind a driver that speaks JSON lines.

docs/protocol.md describes the protocol, and schemas/protocol-1.json defines its messages.

The elements of an array are sent as bit patterns in hexadecimal, separated by spaces.  They are exact, also
for NaN, -0 and infinity, and the same for either byte order.  C reads one with ``strtoull``, JavaScript with
``BigInt("0x" + word)``.  Decimal numbers could be rounded when they are printed or parsed, and base64 needs
a decoder.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from adamcore.conformance.candidates.adapter.arguments import effective_hyper, fixed_value, served_probe
from adamcore.conformance.candidates.adapter.base import (
    CandidateInfo,
    Refusal,
    Stepper,
    UnsupportedProbe,
    cast,
    describe,
    numpy_dtype,
    unsupported_reason,
)
from adamcore.conformance.candidates.adapter.runs import run_probe
from adamcore.conformance.candidates.array import ALL
from adamcore.conformance.candidates.driver import Driver, Message, ProtocolError, expect
from adamcore.conformance.errors import SettingError
from adamcore.conformance.settings import parse_settings
from adamcore.conformance.types import FloatArray, Probe, Run, Start, Step
from adamcore.conformance.wire import MOMENTS

PROTOCOL = 1
ABILITIES = ("set_lr", "set_hyper", "groups", "get_state", "set_state", "scale", "found_inf")
#: bytes of one word
WIDTHS = {"bfloat16": 2, "float16": 2, "float32": 4, "float64": 8, "complex64": 4, "complex128": 8}
MOST_ARRAYS = 64  #: arrays of a probe that a driver is given, unless it says that it takes more
MOST_ELEMENTS = 8192  #: elements of these arrays, likewise
SHARE = 0.75  #: time for one answer, as a part of a probe's time: the driver's limit ends first and names it


class DriverError(Exception):
    """An error of the implementation that the driver reports."""


class CommandCandidate:
    """Runs probes on a driver, whose process is started once for all probes."""

    def __init__(self, command: str, settings: Mapping[str, str], timeout: float) -> None:
        _, values = parse_settings(settings)
        for name in values:
            if name not in ALL:
                raise SettingError(
                    f"--set {name}: a command has no constructor; its options belong into the command"
                )
        fixed = {name: fixed_value(name, name, value) for name, value in values.items()}
        self.driver = Driver(shlex.split(command), SHARE * timeout)
        try:
            self.start(fixed)
        except BaseException:
            self.driver.kill()
            raise

    def start(self, fixed: dict[str, float]) -> None:
        """Send "start" and keep what the driver answers; ``fixed`` are the values of ``--set``."""
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
        self.most_arrays = positive(answer, "arrays", MOST_ARRAYS)
        self.most_elements = positive(answer, "elements", MOST_ELEMENTS)
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
        probe = served_probe(probe, self.info.lacks, self.info.fixed)
        reason = unsupported_reason(
            probe,
            lr="set_lr" in self.can,
            changes="set_hyper" in self.can,
            groups="groups" in self.can,
            scale="scale" in self.can,
            found_inf="found_inf" in self.can,
        )
        pairs = zip(probe.params, probe.dtypes_in(dtype), strict=True)
        for needed in sorted({cast(p, own).dtype.name for p, own in pairs}):
            if needed not in self.dtypes:
                reason = f"it takes {', '.join(self.dtypes)}, not {needed}"
        arrays, elements = len(probe.params), sum(np.size(p) for p in probe.params)
        if arrays > self.most_arrays:
            reason = f"it takes {self.most_arrays} arrays at the most, not {arrays}"
        elif elements > self.most_elements:
            reason = f"it takes {self.most_elements} elements at the most, not {elements}"
        if probe.has_neighbour or probe.manner == "saved":
            reason = "a driver has one optimizer at a time"
        if probe.groups and any(step.lr is not None for step in probe.steps):
            reason = "to a driver the lr of a group stands in the place of that of each step"
        if reason:
            return Run(unsupported=reason)
        return run_probe(lambda variant: CommandStepper(self, variant, dtype), probe)

    def close(self) -> None:
        """Send "stop"; raise :class:`ProtocolError` if the driver does not end."""
        self.driver.stop()


class CommandStepper(Stepper):
    def __init__(
        self, candidate: CommandCandidate, probe: Probe, dtype: str, params: Sequence[Any] | None = None
    ) -> None:
        self.candidate, self.probe, self.dtype = candidate, probe, dtype
        self.after = self.cast(probe.params if params is None else params)
        hyper = effective_hyper(probe.hyper, candidate.info.lacks, candidate.info.fixed)
        self.lr = hyper.get("lr", 0.0)
        self.changed: dict[str, Any] = {}  #: hyperparameters that were changed since the start
        self.handed: dict[str, Any] = {}  #: those that the next step hands over, in a run that is resumed
        groups = {"groups": [{**hyper, **group} for group in probe.groups]} if probe.groups else {}
        answer = candidate.driver.ask("init", params=[pack(p) for p in self.after], hyper=hyper, **groups)
        try:
            checked_answer(answer, "init")
        except DriverError as error:
            raise Refusal(describe(error)) from error

    def begin(self, start: Sequence[Start]) -> None:
        state: Message = {"t": [s.t for s in start]}
        for name in MOMENTS:
            state[name] = [pack(x) for x in self.cast([getattr(s, name) for s in start])]
        self.set_state(state)

    def resumed(self) -> Stepper:
        state = self.get_state()
        again = CommandStepper(self.candidate, self.probe, self.dtype, self.after)
        again.set_state(state)
        again.lr, again.handed = self.lr, dict(self.changed)
        return again

    def clocks(self) -> list[int] | None:
        try:
            state = self.get_state()
        except (DriverError, UnsupportedProbe):  # only a run that saves its state fails with it
            return None
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
        changes = {**self.handed, **(step.changes or {})}
        self.handed, self.changed = {}, {**self.changed, **changes}
        grads = [None if g is None else pack(g) for g in self.cast(step.grads)]
        more: Message = {"hyper": changes} if changes else {}
        if step.scale is not None:
            more["scale"] = step.scale
        if step.found_inf:
            more["found_inf"] = True
        answer = checked_answer(self.candidate.driver.ask("step", grads=grads, lr=self.lr, **more), "step")
        params = expect(answer.get("params"), list, "params in its answer to step")
        self.after = [unpack(p, f"parameter {i} in its answer to step") for i, p in enumerate(params)]
        return self.after, []


def checked_answer(answer: Message, cmd: str) -> Message:
    """Return the answer; raise an error if it is a skip or an error."""
    if "skip" in answer:
        raise UnsupportedProbe(str(expect(answer["skip"], str, f"skip in its answer to {cmd}")))
    if "error" in answer:
        raise DriverError(str(expect(answer["error"], str, f"error in its answer to {cmd}"))[:500])
    return answer


def known_words(
    answer: Message, key: str, known: Sequence[str], otherwise: list[str] | None = None
) -> list[str]:
    """Return a list in the answer to start; raise :class:`ProtocolError` if a word in it is not known."""
    found: list[str] = expect(answer.get(key, otherwise), list, f"{key} in its answer to start")
    for word in found:
        if word not in known:
            raise ProtocolError(
                f"{key} in its answer to start has {word!r}, expected some of {', '.join(known)}"
            )
    return found


def positive(answer: Message, key: str, otherwise: int) -> int:
    """Return a number in the answer to start; raise :class:`ProtocolError` if it is none above 0."""
    found: int = expect(answer.get(key, otherwise), int, f"{key} in its answer to start")
    if isinstance(found, bool) or found < 1:
        raise ProtocolError(f"{key} in its answer to start is {found!r}, expected a number above 0")
    return found


def pack(array: FloatArray) -> Message:
    """Return an array as a message; a complex element is two words, its real and its imaginary part.

    >>> pack(np.array([1.0, -0.0], dtype="float32"))
    {'dtype': 'float32', 'shape': [2], 'bits': '3f800000 80000000'}
    """
    name = array.dtype.name
    words = np.ascontiguousarray(array)
    if name == "bfloat16":  # its dtype has no order of bytes
        words = words.view(np.uint16)
    raw = words.astype(words.dtype.newbyteorder(">")).tobytes()
    return {"dtype": name, "shape": list(array.shape), "bits": raw.hex(" ", WIDTHS[name])}


def unpack(packed: Any, what: str) -> FloatArray:
    """Return the array in an answer, with the shape and the dtype that the answer gives.

    Raises:
        ProtocolError: it is no array; the message says which part of ``what`` is wrong.
    """
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
    words = np.dtype(np.uint16 if dtype == "bfloat16" else dtype)
    array: FloatArray = np.frombuffer(raw, words.newbyteorder(">")).astype(words)
    found: FloatArray = array.view(numpy_dtype(dtype)).reshape(shape)
    return found

"""What every adapter of a candidate offers, and what the adapters share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from adamcore.conformance.probe import FloatArray, Probe, Run, Step


class CandidateError(Exception):
    """A target that cannot be run at all: not importable, or of no kind we know."""


class SettingError(CandidateError):
    """A wrong --set, or one that is needed: the user's mistake, not the candidate's."""


class UnavailableError(CandidateError):
    """A library or a device that is not here."""


class Refusal(Exception):
    """A candidate that would not take a probe's parameters or hyperparameters."""


@dataclass(frozen=True)
class Info:
    """What the check must know of a candidate besides its runs."""

    kind: str  #: "own backend", "torch optimizer", "optax factory", "keras optimizer", "array candidate"
    dialect: str | None = None  #: the candidate's own claim
    lacks: tuple[str, ...] = ()  #: hyperparameters it has no argument for
    fixed: Mapping[str, float] = field(default_factory=dict)  #: those set by --set for every probe
    flushes: bool = False  #: whether it flushes subnormal numbers to 0
    device: str = "cpu"


class Candidate(Protocol):
    """An implementation of Adam that can be run on probes."""

    @property
    def info(self) -> Info: ...

    def run(self, probe: Probe, dtype: str) -> Run: ...


class Stepper(Protocol):
    """One optimizer at work on one probe."""

    def step(self, index: int, step: Step) -> tuple[Sequence[Any], list[str]]:
        """The parameters after the step as NumPy arrays, and which inputs it wrote to."""


def cast(array: FloatArray, dtype: str) -> FloatArray:
    """A fresh copy of a probe's array in ``dtype``, or in the complex dtype of that precision."""
    if array.dtype.kind == "c":
        dtype = "complex64" if dtype == "float32" else "complex128"
    return np.array(array, dtype=dtype, order="C")


def copied(after: Sequence[Any], count: int) -> list[FloatArray]:
    """Copies of a step's parameters, once they are ``count`` numeric arrays."""
    if len(after) != count:
        raise ValueError(f"the step gave {len(after)} parameters of {count}")
    copies = [np.array(value) for value in after]
    for i, copy in enumerate(copies):
        if copy.dtype.kind not in "fciub":
            raise TypeError(f"parameter {i} came back as {copy.dtype}")
    return copies


def run_steps(stepper: Stepper, probe: Probe) -> Run:
    """Run all steps; the first exception ends the run and is part of it."""
    run = Run()
    for index, step in enumerate(probe.steps, start=1):
        try:
            after, written = stepper.step(index, step)
            run.written += written
            run.params.append(copied(after, len(probe.params)))
        except Exception as error:
            run.error = describe(error)
            break
    return run


def describe(error: BaseException) -> str:
    """An exception in one line, "Type: message"."""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}"[:500]


def same_bits(a: Any, b: Any) -> bool:
    """Whether two arrays hold the same bytes (so that NaN equals itself and 0 is not -0)."""
    a, b = np.asarray(a), np.asarray(b)
    return bool(a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes())


def unsupported(probe: Probe, *, lr: bool = False) -> str | None:
    """Why a candidate other than ours cannot take the probe; ``lr``: whether it can change lr."""
    if any(step.present is not None for step in probe.steps):
        return "it has no masks of presence"
    if not lr and any(step.lr is not None for step in probe.steps):
        return "its learning rate cannot be changed between steps"
    return None

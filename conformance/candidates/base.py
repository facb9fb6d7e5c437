"""What every adapter of a candidate offers, and what the adapters share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from adamcore.conformance.errors import CandidateError
from adamcore.conformance.types import FloatArray, Layout, Probe, Run, Start, Step


class Refusal(Exception):
    """A candidate that would not take a probe's parameters or hyperparameters."""


@dataclass(frozen=True)
class CandidateInfo:
    """What the check must know of a candidate besides its runs."""

    kind: str  #: "own backend", "torch optimizer", "optax factory", "array candidate", "command", ...
    dialect: str | None = None  #: the candidate's own claim
    lacks: tuple[str, ...] = ()  #: hyperparameters it has no argument for
    fixed: Mapping[str, float] = field(default_factory=dict)  #: those set by --set for every probe
    flushes: bool = False  #: whether it flushes subnormal numbers to 0
    device: str = "cpu"
    names: Mapping[str, str] = field(default_factory=dict)  #: hyperparameter -> its argument
    extra: Mapping[str, str] = field(default_factory=dict)  #: further arguments, as Python text


class Candidate(Protocol):
    """An implementation of Adam that can be run on probes."""

    @property
    def info(self) -> CandidateInfo: ...

    def run(self, probe: Probe, dtype: str) -> Run: ...


class UnsupportedProbe(Exception):
    """What a probe asks of a candidate that it has no way to do."""


class Stepper:
    """One optimizer at work on one probe; an adapter says how to do each thing it can."""

    def step(self, index: int, step: Step) -> tuple[Sequence[Any], list[str]]:
        """The parameters after the step as NumPy arrays, and which inputs it wrote to."""
        raise NotImplementedError

    def begin(self, start: Sequence[Start]) -> None:
        """Take up a given state before the first step."""
        raise UnsupportedProbe("its state cannot be set")

    def resumed(self) -> Stepper:
        """A new optimizer with the parameters and the saved state of this one."""
        raise UnsupportedProbe("its state cannot be saved and restored")

    def clocks(self) -> list[int] | None:
        """The clock of each parameter, where it can be read."""
        return None


def cast(array: FloatArray, dtype: str, layout: Layout = "C") -> FloatArray:
    """A fresh copy of a probe's array in ``dtype``, or in the complex dtype of that precision.

    Laid out in memory as asked: in C or Fortran order, as every other element of a larger array,
    or read-only.
    """
    if array.dtype.kind == "c":
        dtype = "complex64" if dtype == "float32" else "complex128"
    made = np.array(array, dtype=dtype, order="F" if layout == "F" else "C")
    if layout == "strided" and made.ndim:
        wide = np.zeros((*made.shape[:-1], 2 * made.shape[-1]), dtype)
        wide[..., ::2] = made
        made = wide[..., ::2]
    made.setflags(write=layout != "readonly")
    return made


def copy_arrays(after: Sequence[Any], count: int) -> list[FloatArray]:
    """Copies of a step's parameters, once they are ``count`` numeric arrays."""
    if len(after) != count:
        raise ValueError(f"the step gave {len(after)} parameters of {count}")
    copies = [np.array(value) for value in after]
    for i, copy in enumerate(copies):
        if copy.dtype.kind not in "fciub":
            raise TypeError(f"parameter {i} came back as {copy.dtype}")
    return copies


def run_probe(make: Callable[[Probe], Stepper], probe: Probe) -> Run:
    """Run all steps; the first exception ends the run and is part of it.

    Args:
        make: a new optimizer for a probe's parameters and hyperparameters.
        probe: what to run, in the manner it asks for.
    """
    run, index = Run(), 0
    try:
        stepper = make(probe)
        if probe.start:
            stepper.begin(probe.start)
        neighbour = make(mirror(probe)) if probe.manner == "beside" else None
        for index, step in enumerate(probe.steps, start=1):
            if probe.manner == "resumed" and index == len(probe.steps) // 2 + 1:
                stepper = stepper.resumed()
            if neighbour is not None:
                neighbour.step(index, mirror(probe).steps[index - 1])
            after, written = stepper.step(index, step)
            run.written += written
            run.params.append(copy_arrays(after, len(probe.params)))
            run.clocks += [clocks] if (clocks := stepper.clocks()) is not None else []
    except UnsupportedProbe as reason:
        return Run(unsupported=str(reason))
    except (CandidateError, Refusal):  # nothing was run, or nothing more can be
        raise
    except Exception as error:
        run.error = describe(error)
    return run


def mirror(probe: Probe) -> Probe:
    """The probe with arrays twice as large and of the other sign, and all hyperparameters halved."""
    steps = tuple(
        replace(step, grads=tuple(None if g is None else -2.0 * g for g in step.grads))
        for step in probe.steps
    )
    hyper = {name: 0.5 * value for name, value in probe.hyper.items()}
    return replace(probe, params=tuple(-2.0 * p for p in probe.params), steps=steps, hyper=hyper)


def describe(error: BaseException) -> str:
    """An exception in one line, "Type: message"."""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}"[:500]


def same_bits(a: Any, b: Any) -> bool:
    """Whether two arrays hold the same bytes (so that NaN equals itself and 0 is not -0)."""
    a, b = np.asarray(a), np.asarray(b)
    return bool(a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes())


def same_list(a: Sequence[Any], b: Sequence[Any]) -> bool:
    """Whether two lists hold the same objects."""
    return len(a) == len(b) and all(x is y for x, y in zip(a, b, strict=True))


def unsupported_reason(probe: Probe, *, lr: bool = False) -> str | None:
    """Why a candidate other than ours cannot take the probe; ``lr``: whether it can change lr."""
    if any(step.present is not None for step in probe.steps):
        return "it has no masks of presence"
    if not lr and any(step.lr is not None for step in probe.steps):
        return "its learning rate cannot be changed between steps"
    return None

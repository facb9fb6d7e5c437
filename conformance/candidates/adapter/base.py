"""The interface of an adapter, and what the adapters share: arrays in memory, errors, what can be run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from adamcore.conformance.types import FloatArray, Layout, Manner, Moments, Probe, Run, Start, Step


class Refusal(Exception):
    """The constructor of a candidate raised an error for a probe's parameters or hyperparameters."""


@dataclass(frozen=True)
class CandidateInfo:
    """Facts on a candidate that the check needs besides its runs."""

    kind: str  #: "own backend", "torch optimizer", "optax factory", "array candidate", "command", ...
    dialect: str | None = None  #: the claim that the candidate itself makes
    lacks: tuple[str, ...] = ()  #: hyperparameters that it has no argument for
    fixed: Mapping[str, float] = field(default_factory=dict)  #: hyperparameters that ``--set`` fixes
    flushes: bool = False  #: True if it flushes subnormal numbers to zero
    device: str = "cpu"
    names: Mapping[str, str] = field(default_factory=dict)  #: the argument of each hyperparameter
    extra: Mapping[str, str] = field(default_factory=dict)  #: other arguments, as Python text
    claims_complex: bool = True  #: False if it may be written for real numbers alone
    claims_absent: bool = True  #: False if it may be written for gradients that are all there
    rounds_alike: bool = True  #: False if a run that is resumed may round otherwise
    defaults: Mapping[str, float] = field(default_factory=dict)  #: what it takes where it is given nothing
    step: str = "step()"  #: how a program calls a step


class Candidate(Protocol):
    """An implementation of Adam that can run probes."""

    @property
    def info(self) -> CandidateInfo:
        """Facts on the candidate."""

    def run(self, probe: Probe, dtype: str) -> Run:
        """Run a probe in a dtype; raise :class:`Refusal` if the constructor raises an error."""


class UnsupportedProbe(Exception):
    """The candidate has no way to do what a probe asks for; the probe is skipped."""


class Stepper:
    """One optimizer with the parameters of one probe.  An adapter overrides what its candidates can do."""

    dtype = ""  #: the dtype of the run, and of all parameters that have none of their own
    probe: Probe  #: what it runs

    def cast(self, arrays: Sequence[FloatArray | None], layout: Layout = "C") -> list[Any]:
        """Return copies of arrays of the probe, one for each parameter, in its dtype; None stays None."""
        pairs = zip(arrays, self.probe.dtypes_in(self.dtype), strict=True)
        return [None if x is None else cast(x, dtype, layout) for x, dtype in pairs]

    def step(self, index: int, step: Step) -> tuple[Sequence[Any], list[str]]:
        """Make a step; return the new parameters as NumPy arrays, and the inputs that it wrote to.

        Args:
            index: the number of the step; the first is 1.
            step: its input.
        """
        raise NotImplementedError

    def begin(self, start: Sequence[Start]) -> None:
        """Set the state before the first step."""
        raise UnsupportedProbe("its state cannot be set")

    def resumed(self) -> Stepper:
        """Return a new optimizer with the parameters and the saved state of this one."""
        raise UnsupportedProbe("its state cannot be saved and restored")

    def place(self, params: Sequence[FloatArray]) -> None:
        """Set the parameters from outside, between two steps."""
        raise UnsupportedProbe("its parameters cannot be set from outside")

    def held(self) -> Sequence[Any] | None:
        """Return the parameters between two steps as NumPy arrays, or None if nothing is to be seen then."""
        return None

    def unheld(self) -> tuple[int, ...]:
        """Return the numbers of the parameters that the optimizer was given and does not hold."""
        return ()

    def share(self, other: Any) -> None:
        """Step by the very function of another one, of the same hyperparameters, where there is one."""

    closure_calls = 0  #: how often the last step called its closure
    moved_first = False  #: True if the last step changed a parameter before it called its closure
    state_taken = False  #: True if loading took entries out of the state that it was given, or put some in
    loss_lost = False  #: True if it returned nothing of what its closure returned
    other_loss = ""  #: which number it returned in place of its closure's loss, if it did

    def clocks(self) -> list[int] | None:
        """Return the clock of each parameter, or None if it cannot be read."""
        return None

    def rests(self) -> list[FloatArray | None] | None:
        """Return what the state keeps of each parameter beside it (STORE.1), or None if it keeps nothing."""
        return None

    def moments(self) -> list[Moments | None] | None:
        """Return the moments of each parameter in NumPy's arrays, or None if they cannot be read."""
        return None


def entries_of(state: Any) -> int:
    """Return how many entries a state of nested dictionaries, lists and tuples has.

    >>> entries_of({"t": 3, "m": [0.5, None]})
    3
    """
    if not isinstance(state, (dict, list, tuple)):
        return 1
    return sum(map(entries_of, state.values() if isinstance(state, dict) else state))


def is_taken_apart(load: Callable[[Any], object], state: Any) -> bool:
    """Load a state; return whether that took entries out of it, or put some in."""
    count = entries_of(state)
    load(state)
    return entries_of(state) != count


def cast(array: FloatArray, dtype: str, layout: Layout = "C") -> FloatArray:
    """Return a copy of a probe's array in ``dtype``, or in the complex dtype of that precision.

    Args:
        array: what to copy.
        dtype: "float32" or "float64", or "bfloat16" or "float16" for real arrays.
        layout: "C" or "F" order, "strided" (every other element of a larger array), "offset" (from the second
            element of a larger array on), "reversed" (backwards in memory), "broadcast" (all rows are one row
            in memory, or all elements one element) or "readonly".
    """
    if array.dtype.kind == "c":
        dtype = "complex64" if dtype == "float32" else "complex128"
    return laid_out(np.asarray(array, numpy_dtype(dtype)), layout)


def laid_out(array: FloatArray, layout: Layout) -> FloatArray:
    """Return a copy of an array that lies in memory as :func:`cast` says."""
    made = np.array(array, order="F" if layout == "F" else "C")
    if layout == "strided" and made.ndim:
        wide = np.zeros((*made.shape[:-1], 2 * made.shape[-1]), made.dtype)
        wide[..., ::2] = made
        made = wide[..., ::2]
    if layout == "offset":
        wide = np.zeros(made.size + 1, made.dtype)
        wide[1:] = made.ravel()
        made = wide[1:].reshape(made.shape)
    if layout == "reversed" and made.ndim:
        made = np.flip(np.ascontiguousarray(np.flip(made)))
    if layout == "broadcast" and made.ndim:
        return np.broadcast_to(made[:1], made.shape)  # read-only
    made.setflags(write=layout != "readonly")
    return made


def numpy_dtype(dtype: str) -> Any:
    """Return a dtype of NumPy; bfloat16 is that of ml_dtypes.

    Raises:
        UnsupportedProbe: ml_dtypes is not installed.
    """
    if dtype != "bfloat16":
        return np.dtype(dtype)
    try:
        import ml_dtypes
    except ImportError as error:
        raise UnsupportedProbe("bfloat16 in NumPy needs the package ml_dtypes") from error
    return np.dtype(ml_dtypes.bfloat16)


def in_carrier(array: FloatArray) -> FloatArray:
    """Return an array as runs keep it: bfloat16 in float32 (:class:`adamcore.conformance.dtypes.Dtype`)."""
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def kept_array(value: Any) -> FloatArray:
    """Return a copy of an array of a state, as runs keep it."""
    return in_carrier(np.array(value))


def layout_of_parameters(probe: Probe) -> Layout:
    """Return how a probe's parameters lie in memory; those under broadcast gradients are ordinary arrays."""
    return "C" if probe.layout == "broadcast" else probe.layout


def describe(error: BaseException) -> str:
    """Return an exception as one line: "Type: message"."""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}"[:500]


def same_bits(a: Any, b: Any) -> bool:
    """True if two arrays have the same shape, dtype and bytes, so that NaN equals itself and 0 is not -0."""
    a, b = np.asarray(a), np.asarray(b)
    return bool(a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes())


def same_list(a: Sequence[Any], b: Sequence[Any]) -> bool:
    """True if two lists hold the same objects."""
    return len(a) == len(b) and all(x is y for x, y in zip(a, b, strict=True))


#: The manners that not every kind of candidate can be run in, and why not.
HARD: Mapping[Manner, str] = {
    "closure": "its step takes no closure",
    "silent closure": "its step takes no closure",
    "joining": "no parameters can be added to it later",
    "frozen": "its parameters have no flag that says whether they require a gradient",
    "used": "its parameters cannot be set anew when a state is restored",
    "scheduled": "its hyperparameters are no functions of the number of updates",
    "replaced": "its hyperparameters are in no groups, where others could take their place",
    "vacant": "it has no groups without parameters",
    "again": "its optimizers begin once",
    "remade": "a saved state of it is restored with the hyperparameters that it began with",
}


def unsupported_reason(
    probe: Probe,
    *,
    lr: bool = False,
    changes: bool = False,
    groups: bool = False,
    scale: bool = False,
    found_inf: bool = False,
    manners: Sequence[Manner] = (),
) -> str | None:
    """Return why a third party's candidate cannot run the probe, or None.

    Args:
        probe: the probe as the candidate sees it.
        lr: True if the candidate can change its learning rate between steps.
        changes: True if it can change its other hyperparameters between steps.
        groups: True if its parameters can have hyperparameters of their own.
        scale: True if a step takes the loss scale that it has to divide by.
        found_inf: True if a step takes the flag that tells it to do nothing.
        manners: those of :data:`HARD` in which it can be run.
    """
    if any(step.present is not None for step in probe.steps):
        return "it has no masks of presence"
    if not lr and any(step.lr is not None for step in probe.steps):
        return "its learning rate cannot be changed between steps"
    if not changes and any(step.changes for step in probe.steps):
        return "its hyperparameters cannot be changed between steps"
    if not groups and probe.groups:
        return "its parameters have no groups"
    if probe.manner in HARD and probe.manner not in manners:
        return HARD[probe.manner]
    if not scale and any(step.scale is not None for step in probe.steps):
        return "its step takes no loss scale"
    if not found_inf and any(step.found_inf for step in probe.steps):
        return "its step takes no found_inf"
    return None

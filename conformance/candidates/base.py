"""The interface of an adapter, and what the adapters share, such as running a probe step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from adamcore.conformance.candidates.programs import compilations
from adamcore.conformance.errors import CandidateError
from adamcore.conformance.settings import NARROW
from adamcore.conformance.types import FloatArray, Layout, Manner, Moments, Probe, Run, Start, Step

PATIENCE = 12  #: steps; a long probe is given up if so many of its first ones were compiled


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

    def share(self, other: Any) -> None:
        """Step by the very function of another one, of the same hyperparameters, where there is one."""

    closure_calls = 0  #: how often the last step called its closure
    moved_first = False  #: True if the last step changed a parameter before it called its closure
    state_taken = False  #: True if loading took entries out of the state that it was given, or put some in
    loss_lost = False  #: True if it returned nothing of what its closure returned

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


def copy_arrays(after: Sequence[Any], count: int) -> list[FloatArray]:
    """Return copies of a step's parameters; raise an error unless they are ``count`` numeric arrays."""
    if len(after) != count:
        raise ValueError(f"the step gave {len(after)} parameters of {count}")
    copies = [in_carrier(np.array(value)) for value in after]
    for i, copy in enumerate(copies):
        if copy.dtype.kind not in "fciub":
            raise TypeError(f"parameter {i} came back as {copy.dtype}")
    return copies


def run_probe(make: Callable[[Probe], Stepper], probe: Probe) -> Run:
    """Run all steps of a probe and return the run; an exception in a step ends it and is recorded in it.

    Args:
        make: returns a new optimizer for a probe's parameters and hyperparameters.
        probe: what to run, in the manner that it asks for.
    """
    run, index = Run(), 0
    try:
        stepper = make(probe)
        if probe.start:
            stepper.begin(probe.start)
        other = mirror(probe) if probe.has_neighbour else None
        neighbour = make(other) if other else None
        if neighbour and probe.manner == "alike":
            neighbour.share(stepper)
        for index, step in enumerate(probe.steps, start=1):
            if step.resumed:
                for _ in range(2 if probe.manner == "twice" else 1):
                    stepper = stepper.resumed()
                if (held := stepper.held()) is not None and run.params:
                    run.params[-1] = copy_arrays(held, len(probe.params))
                if stepper.state_taken:
                    run.written.append(f"the state that it was restored from, before step {index}")
            if step.before is not None:
                stepper.place(stepper.cast(step.before))
            compiled = compilations.count()
            try:
                if neighbour and other:
                    neighbour.step(index, other.steps[index - 1])
                    compiled = compilations.count()
                after, written = stepper.step(index, step)
            except Exception as error:
                raise refused(probe, index, error) or error from None
            if probe.has_closure and stepper.closure_calls != 1:
                run.closure.append(f"called its closure {stepper.closure_calls} times in step {index}")
            elif stepper.moved_first:
                run.closure.append(f"changed a parameter before it called its closure in step {index}")
            elif stepper.loss_lost and probe.level == "should":
                run.closure.append(f"returned nothing of its closure's loss in step {index}")
            run.compilations.append(compilations.count() - compiled)
            if sum(map(bool, run.compilations)) >= PATIENCE and len(probe.steps) > 2 * PATIENCE:
                raise UnsupportedProbe(
                    f"it compiles in every step, which takes too long for {len(probe.steps)}"
                )
            run.written += written
            run.params.append(copy_arrays(after, len(probe.params)))
            run.clocks.append(stepper.clocks() or [])
            run.rests.append([x if x is None else kept_array(x) for x in stepper.rests() or ()])
            if stepper.dtype in NARROW or probe.shows_moments:  # elsewhere nobody looks at them
                run.moments.append([kept and kept.each(kept_array) for kept in stepper.moments() or ()])
    except UnsupportedProbe as reason:
        return Run(unsupported=str(reason))
    except (CandidateError, Refusal):  # the candidate is broken, or nothing was run
        raise
    except Exception as error:
        run.error = describe(error)
        if index and any(g is None for g in probe.steps[index - 1].grads):
            run.after_error = after_refusal(stepper, probe, index)
    run.clocks = run.clocks if any(run.clocks) else []
    run.rests = run.rests if any(run.rests) else []
    run.moments = run.moments if any(run.moments) else []
    return run


def refused(probe: Probe, index: int, error: Exception) -> UnsupportedProbe | None:
    """Return what a candidate refuses by an error in a step, if it may refuse it; else None."""
    changes = probe.steps[index - 1].changes
    if changes and isinstance(error, (ValueError, NotImplementedError)):
        return UnsupportedProbe(f"it refuses other {', '.join(changes)}: {describe(error)}")
    if probe.is_complex and index == 1 and isinstance(error, NotImplementedError):
        return UnsupportedProbe(f"it refuses complex parameters: {describe(error)}")
    if probe.dtypes and index == 1:
        return UnsupportedProbe(f"it refuses parameters of two dtypes: {describe(error)}")
    return None


def after_refusal(stepper: Stepper, probe: Probe, index: int) -> list[FloatArray]:
    """Return the parameters after the next step that has all gradients; none if it raises too."""
    for number, step in enumerate(probe.steps[index:], start=index + 1):
        if all(g is not None for g in step.grads):
            try:
                return copy_arrays(stepper.step(number, step)[0], len(probe.params))
            except Exception:
                return []
    return []


def mirror(probe: Probe) -> Probe:
    """Return the probe with its gradients times -2 and, unless they are to be alike, hyperparameters halved.

    The parameters are equal, as a clone's are, so that what is shared by what they hold shows too.  From the
    third step on, gradients of one shape are turned where some are absent, so that others are absent there.
    """
    alike = len({p.shape for p in probe.params}) == 1
    steps = []
    for s, step in enumerate(probe.steps):
        if alike and s >= 2 and any(g is None for g in step.grads):
            step = replace(step, grads=(*step.grads[1:], step.grads[0]))
        steps.append(step.each_gradient(lambda g: -2.0 * g))
    half = 1.0 if probe.manner == "alike" else 0.5
    hyper = {name: half * value for name, value in probe.hyper.items()}
    return replace(probe, steps=tuple(steps), hyper=hyper)


def use(stepper: Stepper, probe: Probe) -> None:
    """Make as many steps as a probe has, on other numbers."""
    first = mirror(probe).steps[0]
    for index in range(1, len(probe.steps) + 1):
        stepper.step(index, first)


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

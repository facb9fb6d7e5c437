"""How a probe is run: step after step, restored, and beside another optimizer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adamcore.conformance.candidates.adapter.base import (
    Refusal,
    Stepper,
    UnsupportedProbe,
    describe,
    in_carrier,
    kept_array,
)
from adamcore.conformance.candidates.programs import compilations
from adamcore.conformance.errors import CandidateError
from adamcore.conformance.settings import NARROW
from adamcore.conformance.types import FloatArray, Probe, Run

PATIENCE = 12  #: steps; a long probe is given up if so many of its first ones were compiled


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
        run.unheld = stepper.unheld()
        if probe.start:
            stepper.begin(probe.start)
        other = mirror(probe) if probe.has_neighbour else None
        neighbour = make(other) if other else None
        if neighbour and probe.manner == "alike":
            neighbour.share(stepper)
        for index, step in enumerate(probe.steps, start=1):
            if step.resumed:
                for _ in range(2 if probe.manner == "twice" else 1):
                    other_one = stepper.resumed()
                    stepper = stepper if probe.manner == "saved" else other_one
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
            elif stepper.other_loss:
                run.closure.append(f"returned {stepper.other_loss} in step {index}")
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
    of_one_shape = len({p.shape for p in probe.params}) == 1
    steps = []
    for s, step in enumerate(probe.steps):
        if of_one_shape and s >= 2 and any(g is None for g in step.grads):
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

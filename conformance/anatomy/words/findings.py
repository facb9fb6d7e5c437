"""The finding of the first part that is not as claimed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from adamcore.conformance.anatomy.anatomy import Anatomy
from adamcore.conformance.anatomy.differences import (
    Difference,
    Words,
    are_vectors_alone,
    first_difference,
)
from adamcore.conformance.anatomy.experiments import EXPERIMENTS
from adamcore.conformance.anatomy.facts import near
from adamcore.conformance.anatomy.precision import FINE as DOUBLE
from adamcore.conformance.anatomy.precision import scatter
from adamcore.conformance.anatomy.texts import number
from adamcore.conformance.anatomy.words import (
    arrays,
    circumstances,
    clocks,
    decay,
    gradient,
    hyperparameters,
    moments,
    steps,
)
from adamcore.conformance.anatomy.words.hyperparameters import SLIGHT
from adamcore.conformance.anatomy.words.not_finite import not_finite
from adamcore.conformance.anatomy.words.replays import constants, scaled_gradients
from adamcore.conformance.anatomy.words.several import one_of_several
from adamcore.conformance.rules import SAYS
from adamcore.conformance.types import Finding, Probe

OF_A_TRACE = (
    "ConcretizationTypeError",
    "NonConcreteBooleanIndexError",
    "TracerArrayConversionError",
    "TracerBoolConversionError",
    "TracerIntegerConversionError",
    "UnexpectedTracerError",
)  #: the errors of JAX where a program under jit is to know a number
ROOT_BELOW_0 = ("math domain error", "expected a nonnegative input")  #: what math.sqrt says, by Python's age

WORDS: dict[str, Callable[[Difference], Words]] = {
    "runs": circumstances.circumstance,
    "arrays": arrays.arrays,
    "gradient": gradient.gradient,
    "steps": circumstances.circumstance,
    "first moment": moments.first_moment,
    "second moment": moments.second_moment,
    "correction": moments.correction,
    "epsilon": steps.epsilon,
    "step": steps.step,
    "decay": decay.decay,
    "clock": steps.clock,
    "absence": steps.absence,
    "precision": hyperparameters.precision,
    "hyperparameters": hyperparameters.hyperparameters,
    "circumstances": circumstances.circumstance,
}
"""For each part, what to say if it is not as claimed."""
SHOW_CLOCK = (
    "first moment",
    "second moment",
    "correction",
    "epsilon",
    "step",
)  #: parts that another clock changes


def small_epsilon(anatomy: Anatomy) -> Words | None:
    """Return the words on an eps of which a smaller value is not as claimed by far, or None."""
    [part] = [part for part in anatomy.parts if part.name == "hyperparameters"]
    names = [name for name in part.differs if name.startswith("eps=")]
    far = [name for name in names if Difference(anatomy, part).deviation(name) >= SLIGHT]
    if not far:
        return None
    return "epsilon", "EPS.1", f"something counts beside eps, which shows with {far[0]}"


def raised(error: str) -> Words:
    """Return the words that stand before the error of an ordinary step."""
    if error.partition(":")[0] in OF_A_TRACE:
        text = "a step that is compiled asks for the value of what it computes: it raises"
        return "compilation", "STEP.3", text
    return "moments", "STEP.1", "an ordinary step raises"


def raises_always(anatomy: Anatomy) -> bool:
    """True if every experiment raises, whatever its arrays are."""
    ran = [run for name, run in anatomy.readings.runs.items() if name in EXPERIMENTS and not run.unsupported]
    return bool(anatomy.error) and all(run.error for run in ran)


def raises_over_scalar(anatomy: Anatomy) -> Words | None:
    """Return the words on an ordinary run that raises, as scalars do and arrays do not, or None."""
    error = anatomy.error
    if any(text in error for text in ROOT_BELOW_0):
        return "bias_correction", "BC.1", f"a step raises {error}: the root of a correction below 0"
    if "ZeroDivisionError" not in error:
        return None
    if not anatomy.readings.why_not("decay"):
        return "decay", "DEC.1", f"without weight decay a step raises {error}"
    [part] = [part for part in anatomy.parts if part.name == "arrays"]
    return not_finite(Difference(anatomy, part))


def raises_over_several(anatomy: Anatomy) -> Words | None:
    """Return the words on steps that raise if there are several arrays, and never with one; or None."""
    error = anatomy.error
    if not error or not raises_exactly(anatomy, lambda probe: len(probe.params) > 1):
        return None
    return "layout", "STEP.1", f"with several arrays a step raises {error}; with one it does not"


def raises_without_decay(anatomy: Anatomy) -> Words | None:
    """Return the words on steps that raise if nothing decays, and never else; or None."""
    error = anatomy.error
    if not error or not raises_exactly(anatomy, lambda probe: not probe.hyper.get("weight_decay")):
        return None
    return "decay", "DEC.1", f"without weight decay a step raises {error}"


def raises_exactly(anatomy: Anatomy, meant: Callable[[Probe], bool]) -> bool:
    """True if those experiments raise that are meant, and no others, of which there are some.

    Where the claim raises too, it tells nothing.
    """
    r, claimed = anatomy.readings, anatomy.claimed
    ran = {
        name: run
        for name, run in r.runs.items()
        if name in EXPERIMENTS and not run.unsupported and claimed is not None and not claimed.why_not(name)
    }
    others = [run for name, run in ran.items() if not meant(r.probes[name])]
    return bool(others) and all(bool(run.error) == meant(r.probes[name]) for name, run in ran.items())


def raised_in(anatomy: Anatomy) -> Words | None:
    """Return the words on what an ordinary run raises, if that tells what is wrong, or None."""
    return raises_over_scalar(anatomy) or raises_over_several(anatomy) or raises_without_decay(anatomy)


def from_start(d: Difference) -> Words | None:
    """Return the words on steps that all go out from where p was at the start, or None if they do not."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None or r.why_not("main"):
        return None
    names = ("linear", "normal", "scale")  # the last one has parameters that are not 0
    gone = [np.cumsum(r.moves(name).value, axis=0) for name in names]
    steps = [claimed.moves(name).value for name in names]
    if not all(near(a, b) for a, b in zip(gone, steps, strict=True)):
        return None
    text = "each step begins at the parameters of the start, not at those of the last step"
    return "storage", "STEP.1", text


def has_few_bits(d: Difference) -> bool:
    """True if corrections go up and down about those claimed, as near as a few bits allow."""
    if d.part.name != "correction" or not moments.is_scattered(d, "first", "second"):
        return False
    turns = [np.diff(np.sign(np.diff(np.divide(*d.values(name))))) for name in ("first", "second")]
    return max(int(np.count_nonzero(each)) for each in turns) > 2


def first_finding(anatomy: Anatomy) -> Finding | None:
    """Return the finding of the first part that is not as claimed, or None if all are."""
    with np.errstate(all="ignore"):
        if (words := raised_in(anatomy)) is not None:
            area, rule, observed = words
            return Finding(area, rule, SAYS[rule], observed)
        part = first_difference(anatomy)
        if part is None:
            return None
        error = anatomy.error
        first = part.name == "hyperparameters" or (part.name == "circumstances" and raises_always(anatomy))
        if error and first:
            area, rule, text = raised(error)
            return Finding(area, rule, SAYS[rule], f"{text} {error}")
        difference = Difference(anatomy, part)
        of_clock = clocks.counted(difference) if part.name in SHOW_CLOCK else None
        told = from_start(difference) or constants(difference) or scaled_gradients(difference)
        told = told or one_of_several(difference) or of_clock
        area, rule, observed = told or WORDS[part.name](difference)
        fine = part.name in ("correction", "epsilon", "clock") and area != "nesterov"
        off = difference.largest() if fine else np.inf
        if off < SLIGHT or (area == "bias_correction" and has_few_bits(difference)):
            if part.name == "epsilon" and (of_eps := small_epsilon(anatomy)) is not None:
                return Finding(of_eps[0], of_eps[1], SAYS[of_eps[1]], of_eps[2])
            area, rule = "coefficients", "NUM.4"
            observed = f"the {part.name} is off by up to {number(off)}, relative to what is claimed"
            if anatomy.claimed is not None and scatter(anatomy.readings, anatomy.claimed) > 4.0 * DOUBLE:
                area, rule = "mixed_precision", "NUM.1"
                observed = f"{observed}, in each element by another part"
        if are_vectors_alone(anatomy):
            observed = f"in arrays of one dimension or none {observed}"
    return Finding(area, rule, SAYS.get(rule, f"{area} as claimed"), observed)

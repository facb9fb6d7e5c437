"""Regions: the elements and steps of a probe that one part of the definition can touch.

A fault of that part can move these elements and no others.  Most regions are read off the probe: is
there an absent gradient, a zero, a changed lr?  Those of epsilon, decay and the moments are computed:
they hold the elements that a slightly different hyperparameter would move visibly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.conformance.oracle.bounds import bounds
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.oracle.trajectory import is_absent, mask_of, real_parts
from adamcore.conformance.types import FloatArray, Probe
from adamcore.conformance.verdict.match import flat_model

VISIBLE = 4.0  #: a change is visible in an element that it moves by this many bounds

Mask = Callable[[Adam, Probe, str], FloatArray | None]
"""From claim, probe and dtype to a boolean array (step, element); None where there is no such region."""


@dataclass(frozen=True)
class Region:
    """A part of the definition, and the elements and steps that it can touch."""

    area: str
    rule: str
    where: str  #: completes "deviates only ..."
    mask: Mask
    guessed: bool = False
    """Whether one of many alike may fit by chance; a guessed region must leave some elements out."""


def accumulate(probe: Probe, of: Callable[[int, int], Any]) -> FloatArray:
    """Return a boolean (step, element) array of ``of(step, parameter)``; what is True once stays True."""
    rows = []
    for s in range(len(probe.steps)):
        row = []
        for i, p in enumerate(probe.params):
            here = np.broadcast_to(np.asarray(of(s, i), dtype=bool), np.shape(p))
            row += [np.ravel(here)] * len(real_parts(p))
        rows.append(np.concatenate(row) if row else np.zeros(0, dtype=bool))
    mask: FloatArray = np.logical_or.accumulate(np.array(rows), axis=0)
    return mask


def by_input(of: Callable[[Probe, int, int], Any]) -> Mask:
    """Return the mask of a region that ``of(probe, step, parameter)`` describes."""

    @cache
    def mask(probe: Probe) -> FloatArray:
        return accumulate(probe, partial(of, probe))

    return lambda claim, probe, dtype: mask(probe)


def by_gradient(of: Callable[[FloatArray], Any]) -> Mask:
    """Return the mask of a region that is read off each gradient."""

    def here(probe: Probe, s: int, i: int) -> Any:
        g = probe.steps[s].grads[i]
        return False if g is None else of(g)

    return by_input(here)


def by_hyper(name: str, factor: float) -> Mask:
    """Return the mask of the elements that this hyperparameter moves visibly if it is multiplied.

    There are none if the probe does not have it, because the candidate does not.
    """
    return by_fault(Fault(probe=partial(scaled, name, factor)))


def scaled(name: str, factor: float, probe: Probe) -> Probe:
    return probe.with_hyper(**{name: factor * probe.hyper[name]}) if name in probe.hyper else probe


def by_fault(fault: Fault) -> Mask:
    """Return the mask of the elements that a fault moves visibly."""

    @lru_cache(maxsize=4096)
    def mask(claim: Adam, probe: Probe, dtype: str) -> FloatArray | None:
        return visible(flat_model(claim, probe, fault), claim, probe, dtype)

    return mask


def by_claim(axis: str, value: object) -> Mask:
    """Return the mask of the elements that the claim's choice on an axis moves visibly.

    They are those that would differ with ``value`` on that axis.
    """

    @lru_cache(maxsize=4096)
    def mask(claim: Adam, probe: Probe, dtype: str) -> FloatArray | None:
        if getattr(claim, axis) == value:
            return None
        other = replace(claim, **{axis: value})  # type: ignore[arg-type]
        return visible(flat_model(other, probe, None), claim, probe, dtype)

    return mask


def visible(
    other: FloatArray | None, claim: Adam, probe: Probe, dtype: str, times: float = VISIBLE
) -> FloatArray | None:
    """Return where the model ``other`` is more than ``times`` bounds from the claim, and ever after."""
    plain = flat_model(claim, probe, None)
    if plain is None or other is None or other.shape != plain.shape or not plain.size:
        return None
    limit = np.concatenate([b.p for step in bounds(claim, probe, dtype).steps for p in step for b in p])
    with np.errstate(all="ignore"):
        apart = np.abs(plain - other) > times * limit
    apart |= np.isfinite(plain) != np.isfinite(other)
    mask: FloatArray = np.logical_or.accumulate(apart.reshape(len(probe.steps), -1), axis=0)
    return mask


def lr_changed(probe: Probe, s: int, i: int) -> bool:
    return any(step.lr is not None for step in probe.steps[: s + 1])


def is_none(probe: Probe, s: int, i: int) -> bool:
    return probe.steps[s].grads[i] is None


def left_out(probe: Probe, s: int, i: int) -> Any:
    mask = mask_of(probe.steps[s], i, np.shape(probe.params[i]))
    return is_absent(probe.steps[s], i) if mask is None else ~mask.reshape(np.shape(probe.params[i]))


def came_back(probe: Probe, s: int, i: int) -> bool:
    """Return whether the gradient is there, was absent before, and was there before that."""
    there = [not is_absent(step, i) for step in probe.steps[: s + 1]]
    return there[-1] and not all(there[there.index(True) :])


def any_left_out(probe: Probe, s: int, i: int) -> bool:
    return any(is_absent(probe.steps[s], k) for k in range(len(probe.params)))


def by_index(of: Callable[[FloatArray], Any]) -> Mask:
    """Return the mask of a region that is read off each element's index in C order."""

    def here(probe: Probe, s: int, i: int) -> Any:
        p = probe.params[i]
        return np.reshape(of(np.arange(np.size(p))), np.shape(p))

    return by_input(here)


def index_at_least(k: int, index: FloatArray) -> FloatArray:
    return index >= k


def last(index: FloatArray) -> FloatArray:
    return np.equal(index, index.size - 1)


def first(index: FloatArray) -> FloatArray:
    return np.equal(index, 0)


def tail_of(width: int, index: FloatArray) -> FloatArray:
    return index >= index.size - index.size % width


def beyond_first_row(probe: Probe, s: int, i: int) -> Any:
    shape = np.shape(probe.params[i])
    if len(shape) < 2:
        return False
    rows = np.arange(shape[0]) > 0
    return rows.reshape(-1, *([1] * (len(shape) - 1)))


def by_shape(of: Callable[[tuple[int, ...]], bool]) -> Mask:
    return by_input(lambda probe, s, i: of(np.shape(probe.params[i])))


def shares_its_shape(probe: Probe, s: int, i: int) -> bool:
    return sum(np.shape(p) == np.shape(probe.params[i]) for p in probe.params) > 1


def empty_present(probe: Probe, s: int, i: int) -> bool:
    return any(np.size(p) == 0 for p in probe.params)


def after(k: int, probe: Probe, s: int, i: int) -> bool:
    return (probe.start[i].t if probe.start else 0) + s + 1 > k


def number_from(k: int, probe: Probe, s: int, i: int) -> bool:
    return i >= k


def more_than(k: int, probe: Probe, s: int, i: int) -> bool:
    return len(probe.params) > k


def layouts() -> Iterator[tuple[str, Mask]]:
    """Yield regions of shape, place and memory layout."""
    yield "in Fortran order", by_input(lambda p, s, i: p.layout == "F")
    yield "in strided views", by_input(lambda p, s, i: p.layout == "strided")
    yield "where arrays are not contiguous", by_input(lambda p, s, i: p.layout in ("F", "strided"))
    yield "in scalars", by_shape(lambda shape: shape == ())
    yield "where there is an empty array", by_input(empty_present)
    yield "in arrays of one element", by_shape(lambda shape: int(np.prod(shape)) == 1)
    yield "in arrays of two and more dimensions", by_shape(lambda shape: len(shape) >= 2)
    yield "in the rows after the first", by_input(beyond_first_row)
    yield "in the first element", by_index(first)
    yield "in the last element", by_index(last)
    for width in (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024):
        yield f"in elements after the last whole vector of {width}", by_index(partial(tail_of, width))
    for k in (1, 2, 3, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 1024, 2048):
        yield f"in elements from index {k}", by_index(partial(index_at_least, k))
    for k in (1, 2, 3, 4, 8):
        yield f"in parameters from number {k}", by_input(partial(number_from, k))
        yield f"where there are more than {k} parameters", by_input(partial(more_than, k))


def above(limit: float, g: FloatArray) -> Any:
    return np.abs(g) > limit


def norm_above(limit: float, g: FloatArray) -> bool:
    return float(np.linalg.norm(np.ravel(g))) > limit


def clippings() -> Iterator[tuple[str, Mask]]:
    """Yield regions after gradients that a candidate may have clipped."""
    for limit in (1e-3, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0, 1e3, 1e4):
        yield f"from the first gradient above {limit:g} on", by_gradient(partial(above, limit))
        yield f"in tensors with a gradient of norm above {limit:g}", by_gradient(partial(norm_above, limit))


REGIONS: tuple[Region, ...] = (
    Region("isolation", "STATE.3", "beside another optimizer",
           by_input(lambda p, s, i: p.has_neighbour)),
    Region("state", "STATE.4", "in a run that is resumed", by_input(lambda p, s, i: p.is_resumed)),
    Region("state", "STATE.4", "from a state that is given", by_input(lambda p, s, i: bool(p.start))),
    Region("state", "STATE.4", "in a run that is resumed, or begins from a given state",
         by_input(lambda p, s, i: p.is_resumed or bool(p.start))),
    Region("isolation", "STATE.3", "where another parameter has the same shape", by_input(shares_its_shape)),
    Region("aliasing", "STATE.2", "where inputs may not be written to",
         by_input(lambda p, s, i: p.layout == "readonly")),
    Region("missing", "F1", "after an absent gradient", by_input(is_none)),
    Region("missing", "F1", "after a gradient that came back", by_input(came_back)),
    Region("missing", "F1", "after an absent gradient, a flag or a mask", by_input(left_out)),
    Region("missing", "F1", "after anybody's gradient was absent", by_input(any_left_out)),
    Region("zero_gradient", "F2", "after a gradient of zero", by_gradient(lambda g: g == 0)),
    Region("nonfinite", "NF.1", "after a NaN or infinity",
         by_gradient(lambda g: np.any(~np.isfinite(g)))),
    Region("complex", "CPX.1", "in complex parameters",
         by_input(lambda p, s, i: np.iscomplexobj(p.params[i]))),
    Region("schedule", "LR.1", "after a change of lr", by_input(lr_changed)),
    Region("decay", "DEC.1", "where decay acts", by_hyper("weight_decay", 1.5)),
    Region("epsilon", "EPS.1", "where epsilon matters", by_hyper("eps", 1.5)),
    Region("amsgrad", "AMS.1", "where the maximum matters", by_claim("amsgrad", "none")),
    Region("nesterov", "NES.1", "where the look-ahead matters", by_claim("nesterov", "none")),
    Region("bias_correction", "BC.1", "where the bias correction matters",
         by_fault(Fault(clock=lambda at: at.t + 1))),
    *(Region("bias_correction", "BC.1", f"after step {k}", by_input(partial(after, k)))
      for k in (2, 5, 10, 20, 50, 100, 200, 1000, 10_000, 100_000)),
    *(Region("clock", "CLK.3", f"after step {k}", by_input(partial(after, k)))
      for k in (15, 31, 63, 127, 128, 255, 256, 32767, 65535, 2**24 - 1)),
    *(Region("clipping", "STEP.1", where, mask, guessed=True) for where, mask in clippings()),
    *(Region("layout", "STEP.1", where, mask, guessed=True) for where, mask in layouts()),
    Region("mixed_precision", "NUM.1", "in float64",
         lambda claim, probe, dtype: accumulate(probe, lambda s, i: dtype == "float64")),
    Region("moments", "MOM.1", "where b1 matters", by_hyper("b1", 0.9)),
    Region("moments", "MOM.2", "where b2 matters", by_hyper("b2", 0.9)),
)  # fmt: skip
"""Every region; of those that fit equally well, the first is named."""

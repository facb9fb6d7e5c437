"""Judge a run: does every element after every step lie within its bound under a claim?

Four kinds of element are judged in other ways:

* an element that must stand still (an absent gradient, a False in a mask) has to keep its bits;
* an element that a NaN or infinity has reached must not be finite;
* an element whose exact value is undefined may have any value;
* an element whose bound is a large part of lr is undecided.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from flint import arb, ctx

from adamcore import Adam
from adamcore.conformance.dtypes import DTYPES, to_carrier, ulp_of
from adamcore.conformance.oracle.bounds import Bound, bounds
from adamcore.conformance.oracle.exact import PRECISION, Value, exact, round_once
from adamcore.conformance.oracle.trajectory import adam_for, is_absent, mask_of, real_parts
from adamcore.conformance.types import Evidence, FloatArray, Point, Probe, Result, Run

UNDECIDED = 0.1  #: an element whose bound exceeds this fraction of lr is undecided


def judge(claim: Adam, probe: Probe, dtype: str, run: Run, *, flushes: bool = False) -> Result:
    """Judge one run.

    Args:
        claim: an Adam of which only the axes count; the hyperparameters are those of the probe.
        probe: the input as the candidate saw it; a hyperparameter that the candidate lacks is 0.
        dtype: the dtype of the run; the arrays of the run are in its carrier
            (:class:`~adamcore.conformance.dtypes.Dtype`).
        run: what the candidate did.
        flushes: whether the candidate's arithmetic flushes subnormal numbers to zero.

    Returns:
        The result.  Its status is "passed" only if every step was made, every element lies within
        its bound, no element is undecided, and the elements that must stand still have kept their bits
        (F1, F3).  A parameter that came back in another precision has failed, and its values are judged
        first.

    >>> from adamcore.conformance.probes import PROBES
    >>> judge(Adam(), PROBES["F3/mask"], "float32", Run(unsupported="takes no masks")).status
    'skipped'
    """
    result = Result(probe.name, dtype, "passed")
    if run.unsupported is not None:
        result.status, result.reason = "skipped", run.unsupported
        return result
    adam = adam_for(claim, probe)
    if run.closure:
        fail(result, run.closure[0])
    want, bound = exact(adam, probe), bounds(adam, probe, dtype, flushes)
    nonfinite = [np.zeros(np.shape(p), dtype=bool) for p in probe.params]
    before = [to_carrier(p, dtype) for p in probe.params]
    promoted = ""
    for s, (values, limits, returned) in enumerate(zip(want.steps, bound.steps, run.params, strict=False)):
        got = list(returned)
        given = probe.steps[s].before
        before = before if given is None else [to_carrier(p, dtype) for p in given]
        for i, state in enumerate(probe.steps[s].states or ()):
            nonfinite[i] &= state is None  # a state put in from outside is finite
        for i in range(len(probe.params)):
            mark_nonfinite(nonfinite[i], probe, s, i)
            if problem := shape_problem(got[i], before[i]):
                problem = f"parameter {i} after step {s + 1}: {problem}"
                if np.shape(got[i]) != np.shape(before[i]) or not same_kind(got[i], before[i]):
                    return fail(result, problem)
                promoted = promoted or problem
                got[i] = got[i].astype(before[i].dtype)
            still = must_stand_still(adam, probe, s, i)
            judge_parameter(result, s, i, got[i], before[i], values[i], limits[i], nonfinite[i], still, adam)
        before = got
    for s, (clocks, expects) in enumerate(zip(run.clocks, want.clocks, strict=False), start=1):
        if clocks != expects:
            fail(result, f"the clocks stand at {clocks} after step {s}, expected {expects}")
            break
    if run.written:
        fail(result, f"wrote to its input: {run.written[0]}")
    expected = len(want.steps)
    if want.raises:
        if run.error is None or len(run.params) != expected:
            fail(result, f"step {expected + 1} has an absent gradient and must raise; it did not")
    elif run.error is not None:
        fail(result, f"raised in step {len(run.params) + 1}: {run.error}")
    elif len(run.params) != expected:
        fail(result, f"made {len(run.params)} steps of {expected}")
    if promoted and result.status == "passed":
        fail(result, promoted)
    if result.status == "passed" and result.undecided:
        result.status = "undecided"
    return result


def judge_twin(result: Result, probe: Probe, run: Run, twin: Run | None) -> Result:
    """Return the result of a run whose bits must be those of another run, the run of the probe's twin.

    A twin is the same probe with one difference that must not matter.  Elements that a NaN or infinity has
    reached (NF.1) are not compared.
    """
    if twin is None or result.status != "passed":
        return result
    nonfinite = [np.zeros(np.shape(p), dtype=bool) for p in probe.params]
    for s, (got, want) in enumerate(zip(run.params, twin.params, strict=False), start=1):
        for i, pair in enumerate(zip(got, want, strict=True)):
            mark_nonfinite(nonfinite[i], probe, s - 1, i)
            a, b = (np.where(nonfinite[i], np.zeros_like(x), x) for x in pair)
            if a.tobytes() != b.tobytes():
                where = [int(k) for k in np.unravel_index(int(np.argmax(a != b)), a.shape)]
                reason = f"parameter {i}{where} in step {s} is not, bit for bit, what {probe.twin} gives"
                return fail(replace(result), reason)
    return result


def judge_parameter(
    result: Result,
    s: int,
    i: int,
    got: FloatArray,
    before: FloatArray,
    values: list[Value],
    limits: list[Bound],
    nonfinite: FloatArray,
    stands: FloatArray,
    adam: Adam,
) -> None:
    """Judge parameter ``i`` after step ``s``, and enter the outcome into the result."""
    poisoned = np.ravel(nonfinite)
    still = np.ravel(stands)
    assert not callable(adam.lr)
    for part, (mine, old, value, limit) in enumerate(
        zip(real_parts(got), real_parts(before), values, limits, strict=True)
    ):
        ulp = ulp_of(limit.size, result.dtype)
        with np.errstate(all="ignore"):
            error = np.abs(value.error_of(mine))
            ratio = np.where(error == 0, 0.0, error / limit.p)
        ratio = np.where(np.isfinite(mine), ratio, np.inf)
        ratio = np.where(poisoned, np.where(np.isfinite(mine), np.inf, 0.0), ratio)  # NF.1
        free = ~np.isfinite(value.high) & ~poisoned  # 0/0 (EPS.7), overflow (NF.3): any value
        same = (mine == old) | (np.isnan(mine) & np.isnan(old))
        ratio = np.where(still, np.where(same, 0.0, np.inf), ratio)  # F1, F3: bit for bit
        wide = ~(limit.p <= UNDECIDED * (adam.lr or 1.0)) & ~still & ~free & ~poisoned
        result.undecided += int(np.sum(wide))
        ratio = np.where(free | wide, 0.0, ratio)
        if not ratio.size:
            continue
        worst = int(np.argmax(ratio))
        finite = np.isfinite(error) & ~free & ~wide & ~poisoned
        result.worst_ulp = max(result.worst_ulp, float(np.max(np.where(finite, error / ulp, 0.0))))
        result.worst_ratio = max(result.worst_ratio, float(ratio[worst]))
        bound_ulp = 0.0 if still[worst] else float(limit.p[worst] / ulp[worst])
        point = Point(float(ratio[worst]), float(error[worst] / ulp[worst]), bound_ulp)
        result.series[s:] = [max([point, *result.series[s:]])]
        if ratio[worst] > 1.0 and result.evidence is None:
            result.status = "failed"
            where = ", ".join(str(int(k)) for k in np.unravel_index(worst, got.shape))
            name = f"{i}[{where}]" if where else str(i)  # an array of no dimension has one element
            name += ".imag" if part else ""
            result.evidence = Evidence(
                probe=result.probe,
                step=s + 1,
                element=name,
                got=float(mine[worst]).hex(),
                want=round_value(value, worst, result.dtype).hex(),
                ulp=point.ulp,
                bound_ulp=bound_ulp,
            )
            if not result.reason:
                result.reason = f"parameter {name} leaves the bound in step {s + 1}"


def round_value(value: Value, k: int, dtype: str) -> float:
    """Return element ``k`` of an exact value, rounded once into ``dtype``."""
    if not np.isfinite(value.high[k]):
        return float(value.high[k])
    with ctx.workprec(PRECISION):
        return round_once(arb(value.high[k]) + arb(value.low[k]), DTYPES[dtype].bits, DTYPES[dtype].smallest)


def fail(result: Result, reason: str) -> Result:
    """Enter a failure that has no size, and return the result; the first reason is kept."""
    result.status = "failed"
    result.reason = result.reason or reason
    result.worst_ratio = float("inf")
    return result


def shape_problem(got: FloatArray, like: FloatArray) -> str | None:
    """Return what is wrong with the shape or dtype of a returned parameter, or None."""
    if np.shape(got) != np.shape(like):
        return f"came back with shape {np.shape(got)}, expected {np.shape(like)}"
    if got.dtype != like.dtype:
        return f"came back as {got.dtype}, expected {like.dtype}"
    return None


def same_kind(got: FloatArray, like: FloatArray) -> bool:
    """True if both arrays hold real floating-point numbers, or both hold complex ones."""
    return got.dtype.kind == like.dtype.kind and got.dtype.kind in "fc"


def in_precision(run: Run, probe: Probe, dtype: str) -> Run:
    """Return the run with the parameters that came back in another precision rounded to the probe's."""
    like = [to_carrier(p, dtype) for p in probe.params]

    def rounded(got: list[FloatArray]) -> list[FloatArray]:
        if len(got) != len(like):
            return got
        return [x.astype(y.dtype) if same_kind(x, y) else x for x, y in zip(got, like, strict=True)]

    with np.errstate(all="ignore"):
        return replace(run, params=[rounded(got) for got in run.params])


def mark_nonfinite(reached: FloatArray, probe: Probe, s: int, i: int) -> None:
    """Mark, in place, the elements that a NaN or infinity in the gradient of step ``s`` reaches."""
    step = probe.steps[s]
    if is_absent(step, i):
        return
    bad = ~np.isfinite(np.asarray(step.grads[i]))
    mask = mask_of(step, i, reached.shape)
    reached |= bad if mask is None else bad & mask.reshape(reached.shape)


def must_stand_still(adam: Adam, probe: Probe, s: int, i: int) -> FloatArray:
    """Return a boolean array of the elements that step ``s`` must leave bit for bit as they were."""
    shape = np.shape(probe.params[i])
    if is_absent(probe.steps[s], i):
        frozen = probe.steps[s].frozen
        return np.full(shape, adam.missing == "skip" or (frozen is not None and frozen[i]))
    mask = mask_of(probe.steps[s], i, shape)
    return np.zeros(shape, dtype=bool) if mask is None else ~mask.reshape(shape)

"""A run against a claim: every step and element within its bound, and what must be bit for bit is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from flint import arb, ctx

from adamcore import Adam
from adamcore.conformance.dtypes import DTYPES, to_carrier, ulp_of
from adamcore.conformance.oracle.bounds import Bound, bounds
from adamcore.conformance.oracle.exact import Value, exact, round_once
from adamcore.conformance.oracle.trajectory import adam_for, is_absent, mask_of, real_parts
from adamcore.conformance.types import Evidence, FloatArray, Point, Probe, Result, Run

UNDECIDED = 0.1  #: a bound above this fraction of lr decides nothing


def judge(claim: Adam, probe: Probe, dtype: str, run: Run, *, flushes: bool = False) -> Result:
    """Judge one run.

    Args:
        claim: the axes the candidate claims to follow; hyperparameters come from the probe.
        probe: as the candidate saw it (hyperparameters it lacks set to 0).
        dtype: in which the candidate ran; what it returned is in that format's carrier.
        run: what it did.
        flushes: whether its arithmetic flushes subnormals to zero.

    Returns:
        The result: ``passed`` only if every step was made, every decided element lies within its
        bound, no element is undecided, and what stands still stands bit for bit (F1, F3).
    """
    result = Result(probe.name, dtype, "passed")
    if run.unsupported is not None:
        result.status, result.reason = "skipped", run.unsupported
        return result
    adam = adam_for(claim, probe)
    want, bound = exact(adam, probe), bounds(adam, probe, dtype, flushes)
    poisoned = [np.zeros(np.shape(p), dtype=bool) for p in probe.params]
    before = [to_carrier(p, dtype) for p in probe.params]
    for s, (values, limits, got) in enumerate(zip(want.steps, bound.steps, run.params, strict=False)):
        given = probe.steps[s].before
        before = before if given is None else [to_carrier(p, dtype) for p in given]
        for i, state in enumerate(probe.steps[s].states or ()):
            poisoned[i] &= state is None
        for i in range(len(probe.params)):
            mark_nonfinite(poisoned[i], probe, s, i)
            problem = shape_problem(got[i], before[i])
            if problem:
                return fail(result, f"parameter {i} after step {s + 1}: {problem}")
            stands = must_stand_still(adam, probe, s, i)
            compare(result, s, i, got[i], before[i], values[i], limits[i], poisoned[i], stands, adam)
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
    if result.status == "passed" and result.undecided:
        result.status = "undecided"
    return result


def judge_twin(result: Result, probe: Probe, run: Run, twin: Run | None) -> Result:
    """The result of a probe whose run must be that of its twin, bit for bit.

    Elements that a NaN or infinity has spoiled (NF.1) are not compared.
    """
    if twin is None or result.status != "passed":
        return result
    poisoned = [np.zeros(np.shape(p), dtype=bool) for p in probe.params]
    for s, (got, want) in enumerate(zip(run.params, twin.params, strict=False), start=1):
        for i, pair in enumerate(zip(got, want, strict=True)):
            mark_nonfinite(poisoned[i], probe, s - 1, i)
            a, b = (np.where(poisoned[i], np.zeros_like(x), x) for x in pair)
            if a.tobytes() != b.tobytes():
                where = [int(k) for k in np.unravel_index(int(np.argmax(a != b)), a.shape)]
                reason = f"parameter {i}{where} in step {s} is not, bit for bit, what {probe.twin} gives"
                return fail(replace(result), reason)
    return result


def compare(
    result: Result, s: int, i: int, got: FloatArray, before: FloatArray,
    values: list[Value], limits: list[Bound], poisoned: FloatArray, stands: FloatArray, adam: Adam,
) -> None:  # fmt: skip
    """Enter one parameter after one step into the result."""
    undefined = np.ravel(poisoned)
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
        ratio = np.where(undefined, np.where(np.isfinite(mine), np.inf, 0.0), ratio)  # NF.1
        free = ~np.isfinite(value.high) & ~undefined  # 0/0 (EPS.7), overflow (NF.3): any value
        same = (mine == old) | (np.isnan(mine) & np.isnan(old))
        ratio = np.where(still, np.where(same, 0.0, np.inf), ratio)  # F1, F3: bit for bit
        wide = ~(limit.p <= UNDECIDED * (adam.lr or 1.0)) & ~still & ~free & ~undefined
        result.undecided += int(np.sum(wide))
        ratio = np.where(free | wide, 0.0, ratio)
        if not ratio.size:
            continue
        worst = int(np.argmax(ratio))
        finite = np.isfinite(error) & ~free & ~wide & ~undefined
        result.worst_ulp = max(result.worst_ulp, float(np.max(np.where(finite, error / ulp, 0.0))))
        result.worst_ratio = max(result.worst_ratio, float(ratio[worst]))
        wide_of_it = 0.0 if still[worst] else float(limit.p[worst] / ulp[worst])
        point = Point(float(ratio[worst]), float(error[worst] / ulp[worst]), wide_of_it)
        result.series[s:] = [max([point, *result.series[s:]])]
        if ratio[worst] > 1.0 and result.evidence is None:
            result.status = "failed"
            where = np.unravel_index(worst, got.shape)
            name = f"{i}[{', '.join(str(int(k)) for k in where)}]" + (".imag" if part else "")
            result.evidence = Evidence(
                result.probe, s + 1, name,
                float(mine[worst]).hex(), rounded_exact(value, worst, result.dtype).hex(),
                float(error[worst] / ulp[worst]),
                0.0 if still[worst] else float(limit.p[worst] / ulp[worst]),
            )  # fmt: skip
            if not result.reason:
                result.reason = f"parameter {name} leaves the bound in step {s + 1}"


def rounded_exact(value: Value, k: int, dtype: str) -> float:
    """The exact value rounded once into ``dtype``."""
    if not np.isfinite(value.high[k]):
        return float(value.high[k])
    with ctx.workprec(256):
        return round_once(arb(value.high[k]) + arb(value.low[k]), DTYPES[dtype].bits, DTYPES[dtype].smallest)


def fail(result: Result, reason: str) -> Result:
    result.status = "failed"
    result.reason = result.reason or reason
    result.worst_ratio = float("inf")
    return result


def shape_problem(got: FloatArray, like: FloatArray) -> str | None:
    """What is wrong with the shape or dtype of a returned parameter, if anything."""
    if np.shape(got) != np.shape(like):
        return f"came back with shape {np.shape(got)}, expected {np.shape(like)}"
    if got.dtype != like.dtype:
        return f"came back as {got.dtype}, expected {like.dtype}"
    return None


def mark_nonfinite(seen: FloatArray, probe: Probe, s: int, i: int) -> None:
    """Mark the elements whose gradient in step ``s`` was not finite, and not masked out."""
    step = probe.steps[s]
    if is_absent(step, i):
        return
    bad = ~np.isfinite(np.asarray(step.grads[i]))
    mask = mask_of(step, i, seen.shape)
    seen |= bad if mask is None else bad & mask.reshape(seen.shape)


def must_stand_still(adam: Adam, probe: Probe, s: int, i: int) -> FloatArray:
    """The elements that must come out of step ``s`` bit for bit as they went in."""
    shape = np.shape(probe.params[i])
    if is_absent(probe.steps[s], i):
        frozen = probe.steps[s].frozen
        return np.full(shape, adam.missing == "skip" or (frozen is not None and frozen[i]))
    mask = mask_of(probe.steps[s], i, shape)
    return np.zeros(shape, dtype=bool) if mask is None else ~mask.reshape(shape)

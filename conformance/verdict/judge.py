"""Judge a run: does every element after every step lie within its bound under a claim?

Four kinds of element are judged in other ways:

* an element that must stand still (an absent gradient, a False in a mask, a skipped step) has to keep its
  bits;
* an element that a NaN or infinity has reached must not be finite;
* an element whose exact value is undefined may have any value;
* an element whose bound is a large part of lr is undecided.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
from flint import arb, ctx

from adamcore import Adam
from adamcore.config import MOMENT_STORAGE
from adamcore.conformance.dtypes import DTYPES, round_probe, to_carrier, ulp_of
from adamcore.conformance.oracle.bounds import Bound, bounds
from adamcore.conformance.oracle.clipped import clipped
from adamcore.conformance.oracle.exact import PRECISION, Value, exact, round_once
from adamcore.conformance.oracle.kept import RESTS, Draw
from adamcore.conformance.oracle.stored import Unrounded, stored
from adamcore.conformance.oracle.trajectory import Trajectory, adam_for, is_absent, mask_of, real_parts
from adamcore.conformance.settings import NARROW
from adamcore.conformance.types import Evidence, FloatArray, Point, Probe, Result, Run
from adamcore.conformance.verdict.dtypes_apart import judge_each
from adamcore.conformance.verdict.kept import UNSEEN, kept_problem
from adamcore.conformance.verdict.random_moments import moments_problem, shown_moments
from adamcore.conformance.verdict.rests import has_rests, rest_problem, values_of
from adamcore.dtypes import named_by
from adamcore.storage.moments import IN_8_BITS

CLOCKS = "the clocks stand"  #: how the reason begins where clocks are not those claimed
IN_ANOTHER_ORDER = ", in another order"  #: and how it ends if they are those of other parameters
BIT_FOR_BIT = "is not, bit for bit,"
REFUSED = ", which it refused, changed what the next one does"
UNDECIDED = 0.1  #: an element whose bound exceeds this fraction of lr is undecided


def judge(
    claim: Adam,
    probe: Probe,
    dtype: str,
    run: Run,
    *,
    flushes: bool = False,
    arithmetic: str | None = None,
    our_bits: bool = False,
) -> Result:
    """Judge one run.

    Args:
        claim: an Adam of which only the axes count; the hyperparameters are those of the probe.
        probe: the input as the candidate saw it; a hyperparameter that the candidate lacks is 0.
        dtype: the dtype of the run; the arrays of the run are in its carrier
            (:class:`~adamcore.conformance.dtypes.Dtype`).
        run: what the candidate did.
        flushes: whether the candidate's arithmetic flushes subnormal numbers to zero.
        arithmetic: in 16 bits, the dtype in which the candidate computes; None for that of NUM.1.  With a
            dtype, an element is undecided where its bound exceeds lr.
        our_bits: True if stochastic rounding has to have the random bits of STORE.7.  Other bits are judged
            by their statistics (:mod:`~adamcore.conformance.verdict.random_rounding`).

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
    if probe.dtypes:
        how = partial(judge, claim, flushes=flushes, arithmetic=arithmetic, our_bits=our_bits)
        return judge_each(probe, dtype, run, how)
    adam = adam_for(claim, probe)
    if run.closure:
        fail(result, run.closure[0])
    policy = adam.p_storage if dtype in NARROW else "plain"
    in_blocks = any(getattr(adam, name) in IN_8_BITS for name in MOMENT_STORAGE)
    with_rest = policy in RESTS and has_rests(run)
    made = in_blocks if dtype not in NARROW else (policy not in RESTS or with_rest)  # else p is not all seen
    made = made and all(s.before is None and s.states is None for s in probe.steps)
    if in_blocks and not made:
        result.status, result.reason = "skipped", "moments in 8 bits, from parameters that are not all seen"
        return result
    digits = dtype
    if dtype in NARROW:
        probe = round_probe(probe, dtype, *(named_by(adam, field)[1] for field in ("m_dtype", "v_dtype")))
    probe = clipped(probe)
    if made:  # in 16 bits the rounding on storage is made, and not bounded
        if with_rest:
            digits = "float32"
            if apart := rest_problem(adam.p_storage, run, dtype):
                fail(result, apart)
            run = replace(run, params=values_of(adam.p_storage, run, dtype))
        shown = shown_moments(adam, probe, run, dtype)
        trajectory = stored(adam, probe, dtype, run.params, flushes, arithmetic, shown)
        if shown and (wrong := moments_problem(adam, trajectory, shown, dtype, our_bits)):
            fail(result, wrong)
        want, bound = stored_answers(adam, probe, dtype, trajectory, our_bits)
    else:
        want, bound = exact(adam, probe), bounds(adam, probe, dtype, flushes)
    nonfinite = [np.zeros(np.shape(p), dtype=bool) for p in probe.params]
    before = [to_carrier(p, digits) for p in probe.params]
    promoted = ""
    for s, (values, limits, returned) in enumerate(zip(want.steps, bound.steps, run.params, strict=False)):
        got = list(returned)
        given = probe.steps[s].before
        before = before if given is None else [to_carrier(p, dtype) for p in given]
        for i, state in enumerate(probe.steps[s].states or ()):
            nonfinite[i] &= state is None  # a state put in from outside is finite
        plain = is_plain(probe, s)
        for i in range(len(probe.params)):
            if not plain:
                mark_nonfinite(nonfinite[i], probe, s, i)
            if problem := shape_problem(got[i], before[i]):
                problem = f"parameter {i} after step {s + 1}: {problem}"
                if np.shape(got[i]) != np.shape(before[i]) or not same_kind(got[i], before[i]):
                    return fail(result, problem)
                promoted = promoted or problem
                got[i] = got[i].astype(before[i].dtype)
            if made and not np.array_equal(kept := to_carrier(got[i], digits), got[i], equal_nan=True):
                more = f"parameter {i} after step {s + 1}: came back in more digits than {dtype} has"
                promoted, got[i] = promoted or more, kept
        still = [] if plain else [must_stand_still(adam, probe, s, i) for i in range(len(probe.params))]
        tolerated = UNDECIDED if arithmetic is None else 1.0
        judge_step(result, s, got, before, values, limits, nonfinite, still, adam, tolerated, digits)
        before = got
    for s, (clocks, expects) in enumerate(zip(run.clocks, want.clocks, strict=False), start=1):
        if clocks and clocks != expects:
            order = IN_ANOTHER_ORDER if sorted(clocks) == sorted(expects) else ""
            fail(result, f"{CLOCKS} at {clocks} after step {s}, expected {expects}{order}")
            break
    if probe.shows_moments:
        if not run.moments and not run.error:
            result.status, result.reason = "skipped", UNSEEN
            return result
        if problem := kept_problem(adam, run, dtype):
            fail(result, problem)
    if run.written:
        fail(result, f"wrote to its input: {run.written[0]}")
    expected = len(want.steps)
    if want.raises:
        if run.error is None or len(run.params) != expected:
            fail(result, f"step {expected + 1} has an absent gradient and must raise; it did not")
        elif run.after_error and not is_untouched(adam, probe, dtype, run, flushes):
            fail(result, f"step {expected + 1}{REFUSED}")
    elif run.error is not None:
        fail(result, f"raised in step {len(run.params) + 1}: {run.error}")
    elif len(run.params) != expected:
        fail(result, f"made {len(run.params)} steps of {expected}")
    if promoted and result.status == "passed":
        fail(result, promoted)
    if made and result.status == "passed" and (policy == "stochastic" or shown):
        from adamcore.conformance.verdict.random_rounding import all_roundings, random_problem

        if problem := random_problem(all_roundings(trajectory, run.params, dtype, shown, adam)):
            fail(result, problem)
    if result.status == "passed" and result.undecided:
        result.status = "undecided"
    return result


def is_untouched(adam: Adam, probe: Probe, dtype: str, run: Run, flushes: bool) -> bool:
    """Return whether a step that was refused left all as it was: the next one goes on from there (F1)."""
    refused = len(run.params)
    later = next(step for step in probe.steps[refused + 1 :] if all(g is not None for g in step.grads))
    shorter = replace(probe, steps=(*probe.steps[:refused], later))
    made = Run(params=[*run.params, run.after_error])
    return judge(adam, shorter, dtype, made, flushes=flushes).status != "failed"


def judge_twin(result: Result, probe: Probe, run: Run, twin: Run | None) -> Result:
    """Return the result of a run whose bits must be those of another run, the run of the probe's twin.

    A twin is the same probe with one difference that must not matter.  Elements that a NaN or infinity has
    reached (NF.1) are not compared, nor is a run that was compiled with one that was not.
    """
    if twin is None or result.status != "passed" or run.eager != twin.eager:
        return result
    nonfinite = [np.zeros(np.shape(p), dtype=bool) for p in probe.params]
    for s, (got, want) in enumerate(zip(run.params, twin.params, strict=False), start=1):
        for i, pair in enumerate(zip(got, want, strict=True)):
            mark_nonfinite(nonfinite[i], probe, s - 1, i)
            a, b = (np.where(nonfinite[i], np.zeros_like(x), x) for x in pair)
            if a.tobytes() != b.tobytes():
                where = [int(k) for k in np.unravel_index(int(np.argmax(a != b)), a.shape)]
                reason = f"parameter {i}{where} in step {s} {BIT_FOR_BIT} what {probe.twin} gives"
                return fail(replace(result), reason)
    return result


def stored_answers(
    adam: Adam, probe: Probe, dtype: str, trajectory: Trajectory[Unrounded], our_bits: bool
) -> tuple[Trajectory[Value], Trajectory[Bound]]:
    """Return the exact values and the bounds of a run in 16 bits (:func:`~.stored.stored`)."""

    def each(part: Callable[[Unrounded, Draw], Any]) -> Any:
        steps = [
            [
                [part(x, Draw(adam.seed, i, t)) for x in p]
                for i, (p, t) in enumerate(zip(step, ts, strict=True))
            ]
            for step, ts in zip(trajectory.steps, trajectory.clocks, strict=True)
        ]
        return replace(trajectory, steps=steps)

    policy = adam.p_storage
    return each(lambda x, _: x.value), each(
        lambda x, draw: x.bound(dtype, policy, draw if our_bits else None)
    )


@dataclass(frozen=True)
class Place:
    """Where a real vector stands among all those of a step, laid end to end."""

    parameter: int
    part: int  #: 1 for an imaginary part
    begin: int
    end: int


def judge_step(
    result: Result,
    s: int,
    got: list[FloatArray],
    before: list[FloatArray],
    values: list[list[Value]],
    limits: list[list[Bound]],
    nonfinite: list[FloatArray],
    stands: list[FloatArray],
    adam: Adam,
    undecided: float = UNDECIDED,
    digits: str = "",
) -> None:
    """Judge all parameters after step ``s`` at once, and enter the outcome into the result.

    ``digits`` is the dtype of the numbers, if it is another than that of the parameters.
    """
    mine, places = end_to_end(got)
    if not mine.size:
        return
    old, _ = end_to_end(before)
    poisoned = np.concatenate([np.ravel(nonfinite[at.parameter]) for at in places])
    still = (
        np.concatenate([np.ravel(stands[at.parameter]) for at in places])
        if stands
        else np.zeros(mine.shape, dtype=bool)
    )
    value = Value(
        *(
            np.concatenate(x)
            for x in zip(*((v.high, v.low, v.radius) for p in values for v in p), strict=True)
        )
    )
    parts = [(b.p, b.size, b.p if b.arithmetic is None else b.arithmetic) for p in limits for b in p]
    limit = Bound(*(np.concatenate(x) for x in zip(*parts, strict=True)))
    assert limit.arithmetic is not None
    assert not callable(adam.lr)
    ulp = ulp_of(limit.size, result.dtype)
    with np.errstate(all="ignore"):
        error = np.abs(value.error_of(mine))
        ratio = np.where(error == 0, 0.0, error / limit.p)
    ratio = np.where(np.isfinite(mine), ratio, np.inf)
    ratio = np.where(poisoned, np.where(np.isfinite(mine), np.inf, 0.0), ratio)  # NF.1
    free = ~np.isfinite(value.high) & ~poisoned  # 0/0 (EPS.7), overflow (NF.3): any value
    same = (mine == old) | (np.isnan(mine) & np.isnan(old))
    ratio = np.where(still, np.where(same, 0.0, np.inf), ratio)  # F1, F3: bit for bit
    wide = ~(limit.arithmetic <= undecided * (adam.lr or 1.0)) & ~still & ~free & ~poisoned
    result.undecided += int(np.sum(wide))
    ratio = np.where(free | wide, 0.0, ratio)
    finite = np.isfinite(error) & ~free & ~wide & ~poisoned
    result.worst_ulp = max(result.worst_ulp, float(np.max(np.where(finite, error / ulp, 0.0))))

    def point(k: int) -> Point:
        bound_ulp = 0.0 if still[k] else float(limit.p[k] / ulp[k])
        return Point(float(ratio[k]), float(error[k] / ulp[k]), bound_ulp)

    worst = point(int(np.argmax(ratio)))
    result.worst_ratio = max(result.worst_ratio, worst.ratio)
    result.series[s:] = [max([worst, *result.series[s:]])]
    if worst.ratio > 1.0 and result.evidence is None:
        result.status = "failed"
        first = int(np.argmax(ratio > 1.0))
        at = next(place for place in places if place.begin <= first < place.end)
        k = at.begin + int(np.argmax(ratio[at.begin : at.end]))
        where = np.unravel_index(k - at.begin, got[at.parameter].shape)
        name = f"{at.parameter}[{', '.join(str(int(n)) for n in where)}]" + (".imag" if at.part else "")
        result.evidence = Evidence(
            probe=result.probe,
            step=s + 1,
            element=name,
            got=float(mine[k]).hex(),
            want=round_value(value, k, digits or result.dtype).hex(),
            ulp=point(k).ulp,
            bound_ulp=point(k).bound_ulp,
        )
        if not result.reason:
            result.reason = f"parameter {name} leaves the bound in step {s + 1}"


def end_to_end(arrays: list[FloatArray]) -> tuple[FloatArray, list[Place]]:
    """Return the real vectors of arrays as one vector, and the place of each."""
    vectors, places, begin = [], [], 0
    for i, array in enumerate(arrays):
        for part, vector in enumerate(real_parts(array)):
            vectors.append(vector)
            places.append(Place(i, part, begin, begin + vector.size))
            begin += vector.size
    return np.concatenate(vectors) if vectors else np.zeros(0), places


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


@lru_cache(maxsize=16384)
def is_plain(probe: Probe, s: int) -> bool:
    """Return whether step ``s`` has every gradient, all of them finite, for every element."""
    step = probe.steps[s]
    return (
        step.present is None
        and step.frozen is None
        and not step.found_inf
        and all(g is not None and np.isfinite(g).all() for g in step.grads)
    )


def must_stand_still(adam: Adam, probe: Probe, s: int, i: int) -> FloatArray:
    """Return a boolean array of the elements that step ``s`` must leave bit for bit as they were."""
    shape = np.shape(probe.params[i])
    if is_absent(probe.steps[s], i):
        frozen, skipped = probe.steps[s].frozen, probe.steps[s].found_inf
        return np.full(shape, skipped or adam.missing == "skip" or (frozen is not None and frozen[i]))
    mask = mask_of(probe.steps[s], i, shape)
    return np.zeros(shape, dtype=bool) if mask is None else ~mask.reshape(shape)

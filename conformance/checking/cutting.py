"""A history cut down to what a candidate needs to fail it.

Whatever can be taken away is taken away, as long as the candidate still fails: the steps after the first
divergence, whole factors, parameters, single steps, and what is left of single events.  Cuts of one kind are
tried at once, first each alone, and then more and more of those that left a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from adamcore.conformance.probes.factors import factors_of, filled, made_finite, parts, same, without_zeros
from adamcore.conformance.types import Probe, Result, Step

Cut = Callable[[Probe], Probe]
Judged = Callable[[Sequence[Probe]], list[Result]]  #: how a candidate does on each of some probes


def cut_down(probe: Probe, result: Result, judged: Judged) -> tuple[Probe, Result]:
    """Return a smaller probe that a candidate fails too, and how it does; the same if there is none.

    Args:
        probe: one that it failed.
        result: how.
        judged: from probes to how it does on each.
    """
    if result.evidence is not None:
        first = replace(probe, steps=probe.steps[: result.evidence.step])
        [again] = judged([first])
        probe, result = (first, again) if again.status == "failed" else (probe, result)
    for cuts in (of_factors, of_parameters, of_steps, of_events, of_factors):
        probe, result = cut_once(probe, result, list(cuts(probe)), judged)
    return probe, result


def cut_once(probe: Probe, result: Result, cuts: Sequence[Cut], judged: Judged) -> tuple[Probe, Result]:
    """Return the probe after the first so many cuts that the candidate still fails, and how it does.

    Cuts without any of which it would pass are left out.
    """
    made = [cut(probe) for cut in cuts]
    real = [k for k, other in enumerate(made) if not same(parts(other), parts(probe))]
    alone = dict(zip(real, judged([made[k] for k in real]), strict=True))
    free = [k for k in real if alone[k].status == "failed"]
    if not free:
        return probe, result
    more = [made[free[0]]]
    for k in free[1:]:
        more.append(cuts[k](more[-1]))
    results = [alone[free[0]], *judged(more[1:])]
    count = next((n for n, r in enumerate(results) if r.status != "failed"), len(results))
    return more[count - 1], results[count - 1]


def of_factors(probe: Probe) -> Iterator[Cut]:
    """Yield the cuts of whole factors."""
    yield from (factor.without for factor in factors_of(probe))


def of_parameters(probe: Probe) -> Iterator[Cut]:
    """Yield the cuts of a parameter each, the last first, so that the numbers of the others stay."""
    for i in reversed(range(len(probe.params))):
        yield lambda probe, i=i: without_parameter(probe, i)  # type: ignore[misc]


def without_parameter(probe: Probe, i: int) -> Probe:
    """Return the probe without a parameter, unless it is the only one."""
    count = len(probe.params)
    return probe if count == 1 else probe.of([k for k in range(count) if k != i])


def of_steps(probe: Probe) -> Iterator[Cut]:
    """Yield the cuts of a step each, the last first."""
    for s in reversed(range(len(probe.steps))):
        yield lambda probe, s=s: without_step(probe, s)  # type: ignore[misc]


def without_step(probe: Probe, s: int) -> Probe:
    """Return the probe without a step, unless it is the only one; the next one has the values that it set."""
    steps = list(probe.steps)
    if len(steps) == 1:
        return probe
    gone = steps.pop(s)
    if s < len(steps):
        lr = gone.lr if steps[s].lr is None else steps[s].lr
        changes = {**(gone.changes or {}), **(steps[s].changes or {})} or None
        steps[s] = replace(steps[s], lr=lr, changes=changes)
    return replace(probe, steps=tuple(steps))


def of_events(probe: Probe) -> Iterator[Cut]:
    """Yield the cuts of what happens in one step alone."""
    events: Sequence[Callable[[Probe, Step], Step]] = (
        lambda probe, step: replace(step, resumed=False),
        lambda probe, step: replace(step, before=None),
        lambda probe, step: replace(step, lr=None),
        lambda probe, step: replace(step, changes=None),
        lambda probe, step: replace(step, found_inf=False),
        made_finite,
        filled,
        without_zeros,
    )
    for event in events:
        for s in range(len(probe.steps)):
            yield lambda probe, s=s, event=event: in_step(probe, s, event)  # type: ignore[misc]


def in_step(probe: Probe, s: int, event: Callable[[Probe, Step], Step]) -> Probe:
    """Return the probe with another step at one place."""
    steps = list(probe.steps)
    steps[s] = event(probe, steps[s])
    return replace(probe, steps=tuple(steps))

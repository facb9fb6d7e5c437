"""A run judged step by step, each step from the state that the candidate itself had before it.

In bfloat16 the bound of a long run soon reaches lr, since every rounding is carried on.  A step that
begins from the state that it was given has a bound of a few ULP, however late it comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from adamcore import Adam
from adamcore.conformance.types import FloatArray, Probe, Result, Run, Start
from adamcore.conformance.verdict.judge import judge


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Parameters and their optimizer states between two steps."""

    params: tuple[FloatArray, ...]
    states: tuple[Start, ...]


def single_steps(probe: Probe, snapshots: Sequence[Snapshot]) -> list[Probe]:
    """Return a probe of one step for each step of ``probe``.

    Args:
        probe: the input of the whole run.
        snapshots: the snapshot before each step; one after the last step is ignored.
    """
    singles, hyper = [], dict(probe.hyper)
    for step, snapshot in zip(probe.steps, snapshots, strict=False):
        if step.lr is not None:
            hyper["lr"] = step.lr
        singles.append(
            replace(probe, params=snapshot.params, start=snapshot.states, steps=(step,), hyper=dict(hyper))
        )
    return singles


def judge_step_by_step(
    claim: Adam, probe: Probe, dtype: str, run: Run, snapshots: Sequence[Snapshot], *, flushes: bool = False
) -> Result:
    """Judge a run step by step, and return the worst result; its evidence counts the steps of the run."""
    worst = Result(probe.name, dtype, "passed")
    for s, (single, after) in enumerate(zip(single_steps(probe, snapshots), run.params, strict=False)):
        result = judge(claim, single, dtype, Run([after]), flushes=flushes)
        worst.worst_ratio = max(worst.worst_ratio, result.worst_ratio)
        worst.worst_ulp = max(worst.worst_ulp, result.worst_ulp)
        worst.undecided += result.undecided
        if result.status == "failed" and worst.status != "failed":
            worst.status = "failed"
            worst.reason = f"step {s + 1}: {result.reason}"
            worst.evidence = replace(result.evidence, step=s + 1) if result.evidence else None
    if worst.status == "passed" and worst.undecided:
        worst.status = "undecided"
    return worst

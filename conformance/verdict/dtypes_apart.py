"""Judge a run whose parameters have several dtypes: those of each dtype by themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from adamcore.conformance.types import Evidence, Probe, Result, Run

Judge = Callable[[Probe, str, Run], Result]  #: how a run in one dtype is judged


def judge_each(probe: Probe, dtype: str, run: Run, judge: Judge) -> Result:
    """Return the first failed result of those of each dtype, or the first of all.

    A candidate that keeps all parameters in one buffer, and so in one dtype, is not made for several.

    Args:
        probe: one whose parameters have dtypes of their own.
        dtype: the dtype of the run.
        run: what a candidate did.
        judge: judges a run in one dtype.
    """
    theirs = probe.dtypes_in(dtype)
    results: list[Result] = []
    for each in dict.fromkeys(theirs):
        which = [i for i, own in enumerate(theirs) if own == each]
        result = judge(replace(probe.of(which), dtypes=()), each, run.of(which))
        if "came back" in result.reason:
            return Result(probe.name, dtype, "skipped", reason=f"made for one dtype: {result.reason}")
        if result.evidence is not None:
            result.evidence = of_parameter(result.evidence, which)
            result.reason = f"a parameter of {each} beside some of another dtype leaves its bound"
        results.append(replace(result, dtype=dtype))
    return next((r for r in results if r.status == "failed"), results[0])


def of_parameter(evidence: Evidence, which: Sequence[int]) -> Evidence:
    """Return evidence with the number that its parameter has among all.

    >>> of_parameter(Evidence("X.1/x", 1, "1[0, 2]", "", "", 2.0, 1.0), [0, 3]).element
    '3[0, 2]'
    """
    number, bracket, index = evidence.element.partition("[")
    return replace(evidence, element=f"{which[int(number)]}{bracket}{index}")

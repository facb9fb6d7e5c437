"""The diagnosis: why runs failed, as findings; one cause is one finding.

A cause (:mod:`adamcore.conformance.verdict.causes`) is something with which the failed runs would have
passed.  If there is no cause, the failures may have a region in common.  Failures that follow from either
are folded under it.  What is left is named by the rule whose probe failed, with its first divergence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from adamcore import Adam
from adamcore.conformance.faults import FAULTS, NOT_MEASURED, faults_of
from adamcore.conformance.faults.hyperparameters import HYPERPARAMETERS
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.probes import PROBES
from adamcore.conformance.rules import AFTER_OTHERS, SAYS, UNTIL_CHANGED, area_of
from adamcore.conformance.types import Finding, Probe, Result, Run, RunKey
from adamcore.conformance.verdict.case import Case
from adamcore.conformance.verdict.causes import Cause, best_cause, fold
from adamcore.conformance.verdict.common_region import common_region
from adamcore.conformance.verdict.identify import FINGERPRINT, Identification
from adamcore.conformance.verdict.judge import BIT_FOR_BIT, CLOCKS, IN_ANOTHER_ORDER, judge
from adamcore.conformance.verdict.loss_scale import loss_scale_findings
from adamcore.conformance.verdict.meetings import Meeting
from adamcore.conformance.verdict.pairs import pair_finding
from adamcore.storage.blockwise import SMALL
from adamcore.storage.moments import IN_8_BITS, Coding

SEEN_IN_SINGLE = 2.0**30  #: an error of so many bounds of float64 is one of more than one bound of float32
BLOCK_RULES = ("STORE.9", "STORE.15")  #: of moments in 8 bits
WIDENED = "parameters keep their dtype; NumPy widens float32 by an np.float64, as np.sqrt gives, not by float"
HANDLING = (
    ("came back as float64, expected float32", "layout", "STEP.1", WIDENED),
    ("came back", "layout", "STEP.1", "parameters keep their shape and dtype"),
    ("wrote to", "aliasing", "STATE.2", SAYS["STATE.2"]),
    ("called its closure", "closure", "STEP.2", SAYS["STEP.2"]),  # too often, or late
)
"""What is wrong around the arithmetic, by what a failure says: area, rule, and what is asked."""
AROUND = (
    "groups", "schedule", "clock", "missing", "all_missing", "maximize", "state", "aliasing", "isolation",
)  # fmt: skip
"""Areas of what is around the arithmetic."""
PLAIN = (FINGERPRINT, "STATE.4/uninterrupted")  #: the probes with nothing special in them


def diagnose(
    claim: Adam,
    runs: Mapping[RunKey, Run],
    results: Sequence[Result],
    *,
    flushes: bool = False,
    probes: Mapping[str, Probe] = PROBES,
    identification: Identification | None = None,
    measured: Finding | None = None,
    is_measured: bool = False,
    meeting: Meeting | None = None,
) -> list[Finding]:
    """Return the findings, the most specific cause first; none if nothing failed.

    Args:
        claim: the claim that the results were judged against.
        runs: what the candidate did.
        results: the judgements.
        flushes: whether the candidate flushes subnormals to zero.
        probes: the probes as the candidate saw them, by name.
        identification: what :func:`~adamcore.conformance.verdict.identify.identify` returns for the
            runs, if it is known already.
        measured: the first part of the update rule that is not as claimed, if the parts were measured.
        is_measured: whether they were; if so, known faults of other areas are not tried.
        meeting: what has to meet for a probe to fail, if it was found.
    """
    case = Case(claim, runs, results, flushes, probes)
    failures = case.failures()
    handling, findings = handling_findings(failures), list[Finding]()
    scaled = [r for r in failures if not is_handling(r) and case.probe(r).is_scaled]
    rest = [r for r in failures if not is_handling(r) and r not in scaled]
    of_dtypes = [r for r in rest if case.probe(r).dtypes]
    rest = [r for r in rest if r not in of_dtypes]
    cause = None
    in_blocks, rest = block_findings(case, rest)
    findings += in_blocks
    if measured is not None and not may_show(case, measured, rest):
        measured = None
    if case.count_required(rest):
        catalogue = faults_of(measured.area if measured else None) if is_measured else FAULTS
        found, rest, cause = explain(case, rest, identification, measured, catalogue, meeting)
        findings = merge(findings, found)
    findings = add_unexplained(case, findings, rest)
    findings = merge(findings, by_rule(of_dtypes, probes))
    if scaled:
        findings = add_loss_scale(case, findings, scaled, cause)
    plain = {is_handling(r) for r in failures if r.probe in PLAIN}
    # what only some calls show is no first finding where the plainest steps are wrong besides
    findings = merge(findings, handling) if plain == {False} else merge(handling, findings)
    notes = [*coefficient_notes(case), *compilation_notes(runs, probes)]
    notes += eager_notes(runs)
    return sorted(findings, key=lambda f: f.level) + notes


def may_show(case: Case, measured: Finding, failures: Sequence[Result]) -> bool:
    """True if what was measured may be why runs failed.

    Coefficients less exact than double are not, where the claim allows them and the plainest runs hold.
    """
    if measured.area != "coefficients" or case.claim.coefficients == "double":
        return True
    return any(
        r.probe in PLAIN or area_of(r.probe) == "coefficients" for r in failures if case.is_required(r)
    )


def block_findings(case: Case, failures: list[Result]) -> tuple[list[Finding], list[Result]]:
    """Return findings on moments in 8 bits, and the other failures.

    Moments may be kept so where numbers are claimed, or as other numbers than their codes stand for.  If they
    are, what arrays in blocks alone show follows from it.
    """
    if case.claim.m_storage in IN_8_BITS:  # a probe of blocks shows nothing else
        mine = [r for r in failures if case.probe(r).rule in BLOCK_RULES]
        rules = [case.probe(r).rule for r in mine]
        shown = [
            Finding("storage", rule, SAYS[rule], f"{r.reason} of {r.probe}", evidence=r.evidence)
            for rule, r in zip(rules, mine, strict=True)
        ]
        left = [r for r in failures if r not in mine]
        numbers = {r.dtype for r in left if not is_coded(case, r)}  # where others are wrong too
        follow = [r for r in left if shown and r.dtype not in numbers]
        if follow:
            shown[0] = fold(shown[0], by_rule(follow, case.probes))
        return shown, [r for r in left if r not in follow]
    if any(r.probe in PLAIN for r in failures):  # what small arrays show is no matter of blocks
        return [], failures
    large = [r for r in failures if any(np.size(p) >= SMALL for p in case.probe(r).params)]
    other = replace(case.claim, m_storage="blockwise8", v_storage="blockwise8")
    so_kept = [r for r in large if case.may_keep_as(other, r) and case.passes(other, r)]
    if not so_kept:
        return [], failures
    observed = "moments are kept in 8 bits, with a scale for each block of 256 elements"
    evidence = next((r.evidence for r in so_kept if r.evidence is not None), None)
    found = Finding("storage", "STORE.9", SAYS["STORE.9"], observed, evidence=evidence)
    return [found], [r for r in failures if r not in large]


def is_coded(case: Case, result: Result) -> bool:
    """True if a failure shows in an array that is kept in codes, beside others that are kept in numbers."""
    coding = Coding(case.claim.m_storage, signed=True)
    if result.evidence is None or coding.serves(()):
        return False
    return coding.serves(np.shape(case.probe(result).params[result.evidence.place[0]]))


def eager_notes(runs: Mapping[RunKey, Run]) -> list[Finding]:
    """Return a note if runs were made without the compilation that the candidate asks for."""
    count = sum(run.eager for run in runs.values())
    if not count:
        return []
    observed = (
        f"{count} of {len(runs)} runs were made without torch.compile, which compiles again for other shapes "
        "and hyperparameters and would take too long"
    )
    return [Finding("compilation", "STEP.3", SAYS["STEP.3"], observed, "note")]


def explain(
    case: Case,
    failures: Sequence[Result],
    identification: Identification | None,
    measured: Finding | None = None,
    catalogue: Sequence[Fault] = FAULTS,
    meeting: Meeting | None = None,
) -> tuple[list[Finding], list[Result], Cause | None]:
    """Return the findings of the cause that explains most, the failures that do not follow from it, and it.

    What was measured stands beside the cause.  Without a cause, or with a known fault of another area, it is
    the finding itself, and all failures follow from it.

    Both runs of a pair may be as they are because of the cause, or the pair may show another part of the same
    thing; then it is no finding of its own.
    """
    small = [r for r in failures if not case.is_large(r)]
    asked = small if len(small) > 2 * (len(failures) - len(small)) else failures
    area = None if measured is None else measured.area
    cause, pair = best_cause(case, asked, identification, catalogue, area), pair_finding(case, failures)
    if cause is not None and measured is not None and not stands(case, cause, measured, asked):
        cause = None
    alone = None if measured is None else dtype_alone(case, failures)
    if alone == "float64":
        cause = None
    if cause is None and measured is not None:
        measured = measured if alone is None else as_precision(measured, alone)
        first = fold(with_evidence(measured, failures), by_rule(failures, case.probes))
        apart = pair is not None and pair.finding.area not in (first.area, "clock")  # which is measured too
        return [first, pair.finding] if pair is not None and apart else [first], [], None
    if cause is None and pair is None:
        region = meeting or common_region(case, [r for r in asked if case.is_required(r)])
        if region is None:
            return [], list(failures), None
        follow = [r for r in failures if region.leads_to(case, r)]
        shown = fold(region.finding, by_rule(follow, case.probes))
        return [shown], [r for r in failures if r not in follow], None
    left, found = list(failures), []
    if cause is not None:
        left = [r for r in left if r not in cause.explains and r not in cause.moot]
        follow = [r for r in left if cause.leads_to(case, r)]
        left = [r for r in left if r not in follow]
        first = replace(cause.findings[0], measured=measured.observed if measured else "")
        found = [fold(first, by_rule(follow, case.probes)), *cause.findings[1:]]
    if pair is not None and not (cause and cause.accounts_for(case, pair)):
        follow = [r for r in left if pair.pair.leads_to(case.probe(r))]
        left = [r for r in left if r not in follow]
        shown = fold(pair.finding, by_rule(follow, case.probes))
        same = [f for f in found if f.area == shown.area]
        if same:
            found[found.index(same[0])] = fold(same[0], [shown, *shown.folded])
        else:  # what leaves its bound may be why all else is wrong; what loses bits is not
            found.insert(len(found) if BIT_FOR_BIT in pair.wrong.reason else 0, shown)
    return found, left, cause


def add_loss_scale(
    case: Case, findings: list[Finding], failures: Sequence[Result], cause: Cause | None
) -> list[Finding]:
    """Return the findings and those of runs with a loss scale or a skipped step.

    What no fault of the scale explains lies below the first finding, if there is one that may lead to it.
    """
    found, left = loss_scale_findings(case, failures, cause)
    known = bool(findings) and findings[0].level == "error"
    follow = [r for r in left if known and (cause is None or cause.leads_to(case, r))]
    if follow:
        findings = [fold(findings[0], by_rule(follow, case.probes)), *findings[1:]]
    others = by_rule([r for r in left if r not in follow], case.probes)
    return merge([*findings, *found], [fold(others[0], others[1:])] if others else [])


def stands(case: Case, cause: Cause, measured: Finding, failures: Sequence[Result]) -> bool:
    """Return whether a cause may stand in place of what was measured.

    A known fault may not if it has another area, or if it leaves the plainest runs unexplained.
    """
    plain = [r for r in failures if r.probe in PLAIN and r not in cause.explains and r not in cause.moot]
    is_whole = cause.fault is None or all(cause.leads_to(case, r) for r in plain)
    return is_whole and not is_beside(cause, measured)


def is_beside(cause: Cause, measured: Finding) -> bool:
    """Return whether a cause is a known fault of another area than that of the part that was measured.

    No value of a hyperparameter makes equal elements of an array go different ways or counts once it was
    changed. None on an axis makes a run depend on those before it, and nor does what is done to an array.
    If the first part that is not as claimed is the coefficients or the digits of a hyperparameter, the
    steps have those that they should have.
    """
    fault = cause.fault
    if fault is None:
        return measured.area == "isolation"
    if fault.area == "layout" and measured.observed == AFTER_OTHERS:
        return True
    of_hyper = fault in HYPERPARAMETERS  # whatever its area is
    if of_hyper and (measured.area == "layout" or measured.observed == UNTIL_CHANGED):
        return True
    if fault.narrow is not None and (measured.area == "coefficients" or is_of_digits(measured)):
        return fault.area != measured.area
    return not of_hyper and fault.area not in (measured.area, *NOT_MEASURED)


def is_of_digits(measured: Finding) -> bool:
    """True if a hyperparameter was measured that lacks its last digits."""
    return (measured.area, measured.rule) == ("hyperparameters", "NUM.4")


def as_precision(measured: Finding, dtype: str) -> Finding:
    """Return the finding as one of precision, since what it says holds in one dtype alone.

    A hyperparameter that counts as another one is no matter of precision in any dtype, nor is what one step
    or one parameter has of another.
    """
    if measured.area == "hyperparameters":
        return measured
    observed = f"in {dtype} alone {measured.observed.removesuffix(f' in {dtype}')}"
    if measured.area in AROUND:
        return replace(measured, observed=observed)
    return Finding("mixed_precision", "NUM.1", SAYS["NUM.1"], observed)


def dtype_alone(case: Case, failures: Sequence[Result]) -> str | None:
    """Return the dtype in which alone runs failed that were judged in both; None if there is none.

    What fails in float64 alone has to be so large that float32 would have shown it.
    """
    [dtype, *others] = {r.dtype for r in failures}
    elsewhere = [r for r in case.results if r.dtype != dtype]
    passed, too = ({r.probe for r in elsewhere if r.status == status} for status in ("passed", "failed"))
    large = dtype == "float32" or max(r.worst_ratio for r in failures) > SEEN_IN_SINGLE
    names = {r.probe for r in failures}  # of which some are run in one dtype alone
    return dtype if large and not others and names & passed and not names & too else None


def with_evidence(finding: Finding, failures: Sequence[Result]) -> Finding:
    """Return a finding with the evidence of a failure of its rule, of its area, or of any.

    If all failures of its rule raised, there is none: another rule's would show something else.
    """
    own = [r for r in failures if r.probe.startswith(f"{finding.rule}/")]
    if own and all(r.evidence is None for r in own):
        return finding
    shown = [r for r in failures if r.evidence is not None]
    ranked = sorted(
        shown,
        key=lambda r: (not r.probe.startswith(f"{finding.rule}/"), area_of(r.probe) != finding.area),
    )
    return replace(finding, evidence=ranked[0].evidence if ranked else None)


def add_unexplained(case: Case, findings: list[Finding], failures: Sequence[Result]) -> list[Finding]:
    """Return the findings and those of failures that no cause explains, by the rule of their probe.

    If the plainest runs fail, the other failures stand below theirs, since those runs take the same steps.
    """
    if (counted := count_finding(case, failures)) is not None:
        return merge(findings, [counted])
    plain = [r for r in failures if r.probe in PLAIN and case.is_required(r)]
    others = [r for r in failures if r not in plain]
    if plain:
        [first, *more] = by_rule(plain, case.probes)
        return merge(findings, [fold(first, [*more, *by_rule(others, case.probes)])])
    resumed = [r for r in failures if case.probe(r).groups and case.probe(r).is_resumed]
    found = by_rule([r for r in failures if r not in resumed], case.probes)
    if resumed and any(f.rule == "LR.4" for f in found):  # what is wrong of groups is so after a restart too
        under = by_rule(resumed, case.probes)
        return merge(findings, [fold(f, under) if f.rule == "LR.4" else f for f in found])
    return merge(findings, by_rule(failures, case.probes))


def count_finding(case: Case, failures: Sequence[Result]) -> Finding | None:
    """Return the finding of clocks that are not as claimed in any run, though all steps are; else None."""
    if not failures or not all(r.reason.startswith(CLOCKS) for r in failures):
        return None
    plain = [r for r in failures if r.probe in PLAIN]
    if not plain or any(r.reason.endswith(IN_ANOTHER_ORDER) for r in plain):
        return None
    observed = f"in a state {plain[0].reason}, though steps are as claimed"
    return fold(Finding("clock", "STATE.1", SAYS["STATE.1"], observed), by_rule(failures, case.probes))


def merge(findings: Sequence[Finding], others: Sequence[Finding]) -> list[Finding]:
    """Return the findings with the others after them, or below the finding of the same rule."""
    merged = list(findings)
    for other in others:
        same = [k for k, f in enumerate(findings) if (f.rule, f.level) == (other.rule, other.level)]
        if same:
            merged[same[0]] = fold(merged[same[0]], [other, *other.folded])
        else:
            merged.append(other)
    return merged


def handling_findings(failures: Sequence[Result]) -> list[Finding]:
    """Return the finding of what a candidate does around the arithmetic, whatever else failed."""
    for text, area, rule, says in HANDLING:
        for failure in failures:
            if tells(failure, text):
                return [Finding(area, rule, says, failure.reason, evidence=failure.evidence)]
    return []


def is_handling(failure: Result) -> bool:
    """Return whether a failure is one of :func:`handling_findings`."""
    return any(tells(failure, text) for text, *_ in HANDLING)


def tells(failure: Result, text: str) -> bool:
    """Return whether this is why a run failed, and no message of an exception."""
    return text in failure.reason and not failure.reason.startswith("raised")


def area_in(failure: Result) -> str:
    """Return the area of a failure: that of its probe, unless the reason says another one."""
    if "came back" in failure.reason:
        return "layout"
    if failure.reason.endswith(IN_ANOTHER_ORDER):  # parameters are right: the order is that of the state
        return "state"
    return area_of(failure.probe)


def by_rule(failures: Sequence[Result], probes: Mapping[str, Probe]) -> list[Finding]:
    """Return a finding for each rule whose probes failed, errors first."""
    found: dict[str, Finding] = {}
    for failure in failures:
        probe = probes[failure.probe]
        level: Literal["error", "note"] = "note" if probe.level == "should" else "error"
        if probe.rule not in found:
            reason, evidence = failure.reason, failure.evidence
            found[probe.rule] = Finding(area_in(failure), probe.rule, probe.about, reason, level, evidence)
    return sorted(found.values(), key=lambda f: f.level)


def coefficient_notes(case: Case) -> list[Finding]:
    """Return a note if coefficients are less exact than double, though the claim allows it.

    A run that the claim does not allow says nothing of their digits.
    """
    if case.claim.coefficients == "double":
        return []
    double = replace(case.claim, coefficients="double")
    for result in case.passed:
        if "coefficients" not in case.probe(result).tells:
            continue
        run = case.run(result)
        strict = judge(double, case.probe(result), result.dtype, run, flushes=case.flushes)
        if strict.status == "failed" and strict.evidence is not None:
            e = strict.evidence
            expected = "coefficients formed in double and rounded once"
            off = f"{e.ulp:.0f} ULP off where {e.bound_ulp:.0f} is the bound"
            observed = f"{result.dtype} bias correction: {off}"
            return [Finding("coefficients", "NUM.4", expected, observed, "note", e)]
    return []


def compilation_notes(runs: Mapping[RunKey, Run], probes: Mapping[str, Probe]) -> list[Finding]:
    """Return a note if a candidate goes on compiling programs after the second step of an ordinary run.

    Other hyperparameters may be a reason to compile anew; another clock is none.
    """
    counted = [
        (sum(run.compilations), len(run.compilations), name)
        for (name, _), run in runs.items()
        if sum(map(bool, run.compilations[2:])) > 1
        and not any(step.changes or step.lr is not None for step in probes[name].steps)
    ]
    if not counted:
        return []
    programs, steps, name = max(counted)
    observed = f"{programs} programs were compiled in the {steps} steps of {name}"
    return [Finding("compilation", "STEP.3", SAYS["STEP.3"], observed, "note")]

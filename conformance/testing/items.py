"""The tests that the pytest plugin collects: one for each probe and dtype of a target."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from adamcore.conformance.candidates import is_own_backend
from adamcore.conformance.checking.check import check
from adamcore.conformance.checking.expected import Expectations, read_expected
from adamcore.conformance.checking.runs import is_for
from adamcore.conformance.checking.selection import select_probes
from adamcore.conformance.checking.validate import validate_target
from adamcore.conformance.claims import claim_of_dialect, with_keeping
from adamcore.conformance.errors import ConformanceError, UsageError
from adamcore.conformance.report.matrix import KINDS, kind_of
from adamcore.conformance.report.report import Entry, Report
from adamcore.conformance.report.text import failure_texts
from adamcore.conformance.settings import DTYPES, NARROW, POLICIES, parse_assignments
from adamcore.conformance.types import Result
from adamcore.dialects import dialect, for_target
from adamcore.errors import DialectError


def chosen_policies(names: Sequence[str]) -> tuple[str, ...]:
    """Return the policies of storage that are asked for.

    Raises:
        UsageError: there is no such policy.
    """
    if unknown := [name for name in names if name not in ("all", *POLICIES)]:
        raise UsageError(f"unknown policy {unknown[0]!r}; expected all, {', '.join(POLICIES)}")
    return tuple(names)


class TargetChecks:
    """The targets and their reports; a target runs once in this process, when its first test needs it."""

    def __init__(self, targets: Sequence[str], expected: Expectations, **options: Any) -> None:
        self.targets, self.expected, self.options = list(dict.fromkeys(targets)), expected, options
        self.reports: dict[str, Report | Exception] = {}

    @classmethod
    def from_options(cls, option: Namespace) -> TargetChecks:
        """Return the checks that the command line asks for.

        Raises:
            pytest.UsageError: an option makes no sense.
        """
        try:
            for target in option.adam_target:
                validate_target(target)
            if option.adam_dialect:
                dialect(option.adam_dialect)
            return cls(
                option.adam_target,
                read_expected(option.adam_expected) if option.adam_expected else Expectations([]),
                dialect=option.adam_dialect,
                dtypes=tuple(d for d in (*DTYPES, *NARROW) if d in option.adam_dtype) or DTYPES,
                storage=chosen_policies(option.adam_storage),
                device=option.adam_device,
                settings=parse_assignments(option.adam_set),
                probes=tuple(probe.name for probe in select_probes(option.adam_probe))
                if option.adam_probe
                else (),
            )
        except (UsageError, DialectError) as error:
            raise pytest.UsageError(str(error)) from error

    @property
    def narrowed(self) -> bool:
        """True if only some probes or dtypes run."""
        return bool(self.options["probes"]) or not set(DTYPES) <= set(self.options["dtypes"])

    def report(self, target: str) -> Report:
        """Return the report of one target, with its expected failures marked.

        A check that raises an error is not made again: each test of the target raises the same error.
        """
        if target not in self.reports:
            try:
                report = check([target], **self.options)
                self.expected.apply(report, narrowed=self.narrowed)
                self.reports[target] = report
            except Exception as error:
                self.reports[target] = error
        found = self.reports[target]
        if isinstance(found, Exception):
            raise found
        return found

    def unmet(self) -> list[str]:
        """Return the wrong entries of the file of expected deviations, over all targets."""
        entries = [entry for target in self.targets for entry in self.report(target).entries]
        whole = Report(entries, {})
        self.expected.apply(whole, narrowed=self.narrowed)
        return whole.unmet

    def names(self, target: str) -> list[tuple[str, str]]:
        """Return the probe and the dtype of every test.

        If the claim is known before the run, probes that do not apply to it are left out.
        """
        name = self.options["dialect"] or getattr(for_target(target), "name", None)
        probes = select_probes(self.options["probes"])
        if name and not is_own_backend(target):
            claim = claim_of_dialect(name, self.options["settings"])
            asked = self.options.get("storage") or ("plain",)
            policies = POLICIES if "all" in asked else asked
            claims = [with_keeping(claim, {"p_storage": policy}).adam for policy in policies]
            probes = [probe for probe in probes if any(probe.applies_to(adam) for adam in claims)]
        return [
            (probe.name, dtype)
            for dtype in self.options["dtypes"]
            for probe in probes
            if is_for(probe, dtype)
        ]


KEY = pytest.StashKey[TargetChecks]()


def collect_items(session: pytest.Session, config: pytest.Config) -> list[pytest.Item]:
    """Return the tests of every target, then one for each expected deviation."""
    checks = config.stash[KEY]
    groups: list[CheckCollector] = [
        TargetCollector.from_parent(session, name=t, nodeid=t) for t in checks.targets
    ]
    if checks.expected.entries:
        groups.append(ExpectationCollector.from_parent(session, name="expected", nodeid="expected"))
    return [item for group in groups for item in session.genitems(group)]


class CheckCollector(pytest.Collector):
    """A group of tests that belong to no file."""

    @property
    def checks(self) -> TargetChecks:
        return self.config.stash[KEY]


class TargetCollector(CheckCollector):
    """The tests of a target, one for each probe and dtype."""

    def collect(self) -> Iterator[ProbeItem]:
        for probe, dtype in self.checks.names(self.name):
            yield ProbeItem.from_parent(self, name=f"{probe}[{dtype}]", probe=probe, dtype=dtype)


class ExpectationCollector(CheckCollector):
    """The tests of the file of expected deviations, one for each entry."""

    def collect(self) -> Iterator[ExpectationItem]:
        for number, entry in enumerate(self.checks.expected.entries, 1):
            yield ExpectationItem.from_parent(self, name=f"entry {number}", where=entry.where)


class ConformanceItem(pytest.Item):
    """A test that fails without a traceback, because its failure is not in Python code."""

    @property
    def checks(self) -> TargetChecks:
        return self.config.stash[KEY]

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, (ConformanceError, UsageError)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        assert self.parent is not None
        return self.config.rootpath / self.parent.name, None, f"{self.parent.name} {self.name}"


class ProbeItem(ConformanceItem):
    """One probe in one dtype."""

    def __init__(self, *, probe: str, dtype: str, **node: Any) -> None:
        super().__init__(**node)
        self.probe, self.dtype = probe, dtype

    def runtest(self) -> None:
        """Fail, skip or xfail by the worst result of any claim."""
        assert self.parent is not None
        entries = self.checks.report(self.parent.name).entries
        outcomes = [
            (entry, result)
            for entry in entries
            for result in entry.results
            if (result.probe, result.dtype) == (self.probe, self.dtype)
        ]
        if not outcomes:
            for entry in entries:
                if entry.reason:
                    raise ConformanceError(f"{entry.target} is {entry.verdict}: {entry.reason}")
            pytest.skip("means nothing under this claim")
        kinds = list(KINDS)  # the worst first
        entry, result = min(outcomes, key=lambda outcome: kinds.index(kind_of(*outcome)))
        reason = result.reason
        match kind_of(entry, result):
            case "failed":
                raise ConformanceError(failure_text(entry, result))
            case "expected":
                pytest.xfail(entry.waived[result.probe, result.dtype])
            case "note":
                pytest.xfail(f"should, not must: {reason}")
            case "undecided":
                pytest.skip(f"undecided: {result.undecided} elements with a bound too wide to judge")
            case "skipped" if entry.verdict == "broken":
                raise ConformanceError(f"{entry.target} is broken: {entry.reason}")
            case "skipped":
                pytest.skip(reason)


def failure_text(entry: Entry, result: Result) -> str:
    """Return the message of a failed test: the reason, the claim, the first divergence and its findings."""
    first, *rest = failure_texts(entry, result)
    head = f"{entry.target}, claimed as {entry.claimed}"
    if entry.identified and entry.identified != entry.claimed:
        head += f"; it behaves like {entry.identified}"
    return "\n\n".join([f"{first}\n{head}", *rest])


class ExpectationItem(ConformanceItem):
    """One entry of the file of expected deviations; the test fails if the entry is unused or expired."""

    def __init__(self, *, where: str, **node: Any) -> None:
        super().__init__(**node)
        self.where = where

    def runtest(self) -> None:
        for problem in self.checks.unmet():
            if problem.startswith(f"{self.where}: "):
                raise ConformanceError(problem)

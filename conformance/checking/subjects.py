"""A subject of a check: one target, its results as they arrive, its entries in the report, its verdict."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence

from adamcore.conformance.anatomy.anatomy import Anatomy
from adamcore.conformance.candidates import CandidateInfo
from adamcore.conformance.candidates.adapter.base import describe
from adamcore.conformance.checking.explain import explain
from adamcore.conformance.checking.runs import error_of_all
from adamcore.conformance.checking.unclaimed import absence_probes, complex_probes
from adamcore.conformance.claims import (
    KEEPING_OF_TARGETS,
    Claim,
    axes_of,
    keeping_of,
)
from adamcore.conformance.report.report import Entry, Verdict
from adamcore.conformance.settings import NARROW, Ranks
from adamcore.conformance.types import Finding, Probe, Result, Run
from adamcore.conformance.verdict.meetings import Meeting
from adamcore.conformance.workers.pool import WorkerJob

#: the option of a field of the claim
OPTION_OF = {"p_storage": "--storage", "moment_dtype": "--moments", "m_storage": "--moments"}
OUR_OPTIMIZERS = "adamcore.backends."  #: how the targets of adamcore's own optimizers begin


class Subject:
    """One target under check, in all its dtypes.

    Events of the worker processes arrive through ``on_ready``, ``on_run`` and ``on_end``; ``entries`` has
    the outcome afterwards.

    Args:
        target: what is checked.
        dialect: the claim, or None if the subject finds it.
        settings: constructor arguments.
        device: the device of a target that does not name one, or None.
        probes: the probes to run.
        dtypes: the dtypes to run them in.
        asked: True if the user named the target.
        ranks: the processes on which the target runs; None for one.
        keeping: fields of the claim that say how it keeps numbers: {"p_storage": "split"}.
        clip: how the claim clips, as ``--clip`` has it; the probes say it too.
    """

    required_rules: tuple[str, ...] = ()  #: rules that SHOULD hold in general, and MUST hold here
    claim_follows_target = True  #: True if a command that shows a failure again needs no --dialect

    def __init__(
        self,
        target: str,
        dialect: str | None,
        settings: Mapping[str, str],
        device: str | None,
        probes: Sequence[Probe],
        dtypes: Sequence[str],
        *,
        asked: bool = True,
        ranks: Ranks | None = None,
        keeping: Mapping[str, str] | None = None,
        clip: str | None = None,
    ) -> None:
        self.ranks, self.clip = ranks, clip
        self.target, self.dialect, self.settings, self.device = target, dialect, dict(settings), device
        self.options = dict(keeping or {})  #: how the claim keeps numbers, as the user asks for it
        if target.startswith(OUR_OPTIMIZERS):  # they take it as an argument
            self.settings |= self.options
        known = {} if dialect else KEEPING_OF_TARGETS.get(target, {})
        self.keeping: dict[str, str | int] = {**known, **keeping_of(self.settings), **self.options}
        self.probes, self.dtypes, self.asked = list(probes), dtypes, asked
        self.info: CandidateInfo | None = None
        self.problem: Verdict | None = None
        self.reason = ""
        self.anatomy: Anatomy | None = None  #: the measured parts
        self.difference: Finding | None = None  #: of the first part that is not as claimed
        self.meeting: Meeting | None = None  #: what has to meet for it to go wrong
        self.jobs = self.plan_jobs()

    def plan_jobs(self) -> list[WorkerJob]:
        """Return the job of each dtype."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Work out what is needed whatever the candidate does, while the workers start."""

    def on_ready(self, info: CandidateInfo) -> None:
        self.info = info

    def on_run(self, job: WorkerJob, task: int, run: Run) -> None:
        """Judge a run.  If the judge fails, the candidate is broken; the others are judged all the same."""
        try:
            self.judge(job, task, run)
        except Exception as error:
            self.on_end("broken", f"at probe {job.probe_of(task).name} in {job.dtype} {own_fault(error)}")

    def judge(self, job: WorkerJob, task: int, run: Run) -> None:
        raise NotImplementedError

    def on_end(self, problem: Verdict | None, reason: str) -> None:
        if problem is not None and self.problem is None:
            self.problem, self.reason = problem, reason

    def entries(self) -> list[Entry]:
        raise NotImplementedError

    def entry(self, claim: Claim, results: list[Result], runs: dict[tuple[str, str], Run]) -> Entry:
        """Return the entry of one claim, with its findings and its verdict."""
        name = claim.name if self.clip is None else f"{claim.name}, clip {self.clip}"
        entry = Entry(self.target, name, {a: [v] for a, v in axes_of(claim.adam).items()})
        entry.asked, entry.results = self.asked, results
        entry.advisory = frozenset(
            p.name for p in self.probes if p.level == "should" and p.rule not in self.required_rules
        )
        try:
            entry.results = self.with_twins(claim, results, runs)
        except Exception as error:
            self.on_end("broken", own_fault(error))
        if raised := error_of_all(runs, self.probes):
            self.on_end("broken", f"it raised in every probe: {raised}")
        if self.info is not None:
            unclaimed = self.unclaimed(claim, entry.results, runs)
            entry.advisory |= unclaimed
            entry.kind, entry.device = self.info.kind, self.info.device
            if results and not raised:
                self.diagnose(entry, claim, runs, unclaimed)
        entry.verdict, entry.reason = self.verdict(entry)
        return entry

    is_ours = True  #: True if stochastic rounding has to have the random bits of STORE.7

    def with_twins(
        self, claim: Claim, results: list[Result], runs: dict[tuple[str, str], Run]
    ) -> list[Result]:
        """Return the results after a comparison of twins, whose runs must agree bit for bit.

        Whose random bits nobody knows may round another way in the same run made again.  Some may in a run
        that is resumed, on several ranks.
        """
        keeps = claim.adam.p_storage, claim.adam.m_storage, claim.adam.v_storage
        random = "stochastic" in keeps and not self.is_ours
        alike = self.info is None or self.info.rounds_alike
        from adamcore.conformance.verdict.judge import judge_twin

        named = {p.name: p for p in self.probes}
        twins = {p.name: p for p in self.probes if p.twin and self.takes_difference(p, named.get(p.twin))}
        return [
            judge_twin(
                r, twins[r.probe], runs[r.probe, r.dtype], runs.get((twins[r.probe].twin or "", r.dtype))
            )
            if r.probe in twins
            and not (random and r.dtype in NARROW)
            and (alike or not twins[r.probe].is_resumed)
            else r
            for r in results
        ]

    def takes_difference(self, probe: Probe, twin: Probe | None) -> bool:
        """True if the candidate takes the hyperparameters in which a probe differs from its twin.

        A constant of its own that is not 0, such as its eps, is not scaled as the probe scales it.
        """
        if twin is None:
            return True
        mine, others = self.effective_probe(probe).hyper, self.effective_probe(twin).hyper
        differ = [name for name in probe.hyper if probe.hyper[name] != twin.hyper.get(name)]
        return not any(mine.get(name) == others.get(name) and mine.get(name) for name in differ)

    def unclaimed(
        self, claim: Claim, results: list[Result], runs: dict[tuple[str, str], Run]
    ) -> frozenset[str]:
        """Return the probes of what the candidate does not claim to serve.

        Whoever names a dialect for an optimizer of PyTorch claims complex parameters.
        """
        assert self.info is not None
        info = self.info
        if info.kind == "torch optimizer" and self.dialect:
            info = dataclasses.replace(info, claims_complex=True)
        probes = {p.name: self.effective_probe(p) for p in self.probes}
        return complex_probes(info, claim.adam, results, runs, probes) | absence_probes(info, runs, probes)

    def diagnose(
        self, entry: Entry, claim: Claim, runs: dict[tuple[str, str], Run], unclaimed: frozenset[str]
    ) -> None:
        from adamcore.conformance.verdict.diagnose import by_rule

        assert self.info is not None
        probes = {p.name: self.effective_probe(p) for p in self.probes}
        try:
            explain(
                entry,
                claim.adam,
                probes,
                runs,
                flushes=self.info.flushes,
                unclaimed=unclaimed,
                measured=self.difference,
                is_measured=self.anatomy is not None,
                meeting=self.meeting,
            )
        except Exception as error:
            self.on_end("broken", own_fault(error))
            entry.findings = by_rule([r for r in entry.results if r.status == "failed"], probes)
        entry.findings = [self.with_command(found, entry) for found in entry.findings]

    def effective_probe(self, probe: Probe) -> Probe:
        """Return the probe as the candidate sees it: without hyperparameters that it lacks."""
        return probe

    def verdict(self, entry: Entry) -> tuple[Verdict, str]:
        if self.problem is not None:
            return self.problem, self.reason
        failed = any(entry.failed(result) for result in entry.results)
        if failed or any(found.level == "error" for found in entry.findings):
            return "deviates", ""
        if not any(r.status == "passed" for r in entry.results):  # what is not claimed says nothing
            why = next((r.reason for r in entry.results if r.reason), "there was no probe for it")
            return "broken", f"no probe could be judged: {why}"
        return "conforms", ""

    def with_command(self, found: Finding, entry: Entry) -> Finding:
        """Return the finding, and what is folded under it, with the command that shows it again."""
        folded = [self.with_command(each, entry) for each in found.folded]
        repro = found.repro
        if repro is None and found.evidence is not None:
            repro = self.repro_command(found.evidence.probe, entry.claimed)
        elif repro is None and found.level == "error":  # it raised, or returned other shapes
            of_rule = [p.name for p in self.probes if p.rule == found.rule]
            failed = {r.probe for r in entry.results if r.status == "failed"}
            shows = next((name for name in of_rule if name in failed), found.rule)
            repro = self.repro_command(shows, entry.claimed) if of_rule else None
        return dataclasses.replace(found, repro=repro, folded=folded)

    def repro_command(self, probe: str, claimed: str) -> str:
        """Return the command that runs one probe again."""
        words = ["adamcore", "check", self.target, "--probe", probe]
        if self.clip:
            words += ["--clip", self.clip]
        if self.dialect or not self.claim_follows_target:
            words += ["--dialect", self.dialect or dialect_of(claimed)]
        if self.device:
            words += ["--device", self.device]
        if self.ranks:
            words += ["--ranks", str(self.ranks.processes), "--layout", self.ranks.layout]
            words += ["--processes"] if self.ranks.as_processes else []
        for dtype in self.dtypes if any(dtype in NARROW for dtype in self.dtypes) else ():
            words += ["--dtype", dtype]
        for name, value in self.options.items():
            words += [OPTION_OF[name], value] if name in OPTION_OF else []
        for name, value in self.settings.items():
            words += ["--set", f"{name}={value}"] if name not in self.options else []
        return shlex.join(words)


def dialect_of(claimed: str) -> str:
    """Return the dialect of a claim's name.

    >>> dialect_of("torch.Adam(amsgrad=True), clip norm=1"), dialect_of("BertAdam")
    ('torch.Adam', 'BertAdam')
    """
    return claimed.partition("(")[0].partition(",")[0]


def own_fault(error: Exception) -> str:
    """Return that the check failed, and with which error."""
    return f"the check itself failed: {describe(error)}; a fault of adamcore, not of the candidate"

"""The subjects of a check: each target's jobs, its results as they arrive, and its entries in the report."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence

from adamcore import Adam
from adamcore.config import MOMENT_STORAGE
from adamcore.conformance.anatomy.anatomy import EVERY_EXPERIMENT, Anatomy, anatomy_of
from adamcore.conformance.anatomy.experiments import EXPERIMENT, EXPERIMENTS
from adamcore.conformance.anatomy.words.findings import first_finding
from adamcore.conformance.candidates import CandidateInfo, judged_hyper, served_probe
from adamcore.conformance.candidates.adapter.arguments import REQUIRED
from adamcore.conformance.candidates.adapter.base import describe
from adamcore.conformance.candidates.adapter.defaults import default_notes
from adamcore.conformance.checking.explain import explain
from adamcore.conformance.checking.runs import error_of_all, has_many, is_for, judge_run
from adamcore.conformance.checking.unclaimed import absence_probes, complex_probes
from adamcore.conformance.claims import (
    KEEPING_OF_TARGETS,
    Claim,
    axes_of,
    claim_for,
    claim_of_dialect,
    keeping_of,
    with_keeping,
)
from adamcore.conformance.report.report import Entry, Verdict
from adamcore.conformance.settings import NARROW, Ranks
from adamcore.conformance.types import Finding, Probe, Result, Run
from adamcore.conformance.verdict.meetings import Meeting
from adamcore.conformance.workers.pool import WorkerJob
from adamcore.dialects import OPTIONS, dialect, for_target, parse_option
from adamcore.errors import DialectError
from adamcore.storage.moments import IN_8_BITS

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


class ThirdParty(Subject):
    """A third party's Adam, under one claim."""

    always_measured = False  #: False if the parts are measured only after a failure
    required: Sequence[str] = REQUIRED  #: hyperparameters that its constructor has to have an argument for
    shares_worker = False  #: True if one worker may run it in all dtypes

    def plan_jobs(self) -> list[WorkerJob]:
        self.is_ours = self.target.startswith(OUR_OPTIMIZERS)
        self.claim: Claim | None = None
        if self.dialect:
            self.claim = with_keeping(claim_of_dialect(self.dialect, self.settings), self.keeping)
            nothing = [name for name, value in self.claim.defaults.items() if value == 0]
            self.required = [name for name in self.required if name not in nothing]
        self.effective: dict[str, Probe] = {}
        self.runs: dict[tuple[str, str], Run] = {}
        self.results: list[Result] = []
        self.ended = 0  #: jobs
        self.measured: dict[tuple[str, str], Run] = {}
        # Identification also needs probes that do not apply to the claim, but not those that set a state.
        probes = [*(EXPERIMENTS.values() if self.always_measured else ()), *self.probes]
        wanted = [not p.start or self.claim is None or p.applies_to(self.claim.adam) for p in probes]
        tasks = [(0, number) for number, asked in enumerate(wanted) if asked]
        # very many arrays take long, so they come early: the workers then end at different times, and judging
        # has the processor of the first; the first probe shows whether a step is taken apart (elementwise.py)
        tasks[1:] = sorted(tasks[1:], key=lambda task: not has_many(probes[task[1]]))
        shares = self.shares_worker and not self.target.startswith("cmd:")
        wide = [dtype for dtype in self.dtypes if dtype not in NARROW]

        def is_asked(probe: Probe, dtype: str) -> bool:
            """True if a probe is run in a dtype: very many arrays in the first one, histories in the last."""
            alone = wide[:1] if has_many(probe) else wide[-1:] if probe.drawn else wide
            return is_for(probe, dtype) and (dtype in alone or dtype in NARROW)

        return [
            WorkerJob(
                self.target,
                dtype,
                [None],
                probes,
                [task for task in tasks if is_asked(probes[task[1]], dtype)],
                self.settings,
                self.device,
                self.required,
                shares,
                self.ranks,
            )
            for dtype in self.dtypes
        ]

    def on_ready(self, info: CandidateInfo) -> None:
        super().on_ready(info)
        if self.claim is None:
            try:
                options = {**info.extra, **self.settings}  # what a partial gives, and --set
                claim = claim_for(self.target, self.dialect, info.dialect, options)
                self.claim = with_keeping(claim, self.keeping)
            except DialectError as error:
                self.on_end("broken", f"its attribute dialect: {error}")
        if self.claim is not None and info.kind == "kernel":  # whose code may have the option as a constant
            row = dialect(dialect_of(self.claim.name))
            known = {name for option in row.options for name in parse_option(option)} | {*info.extra}
            if strange := [name for name in self.settings if name in OPTIONS - known]:
                self.on_end(
                    "broken", f"--set {strange[0]}: neither the kernel nor {row.name} has such an option"
                )

    def on_end(self, problem: Verdict | None, reason: str) -> None:
        """While another worker still runs, work out what is needed after the last one."""
        super().on_end(problem, reason)
        self.ended += 1
        if problem is None and self.claim and self.info and self.ended < len(self.jobs):
            from adamcore.conformance.verdict.identify import prepare

            probes = [self.effective_probe(probe) for probe in self.probes]
            try:
                prepare(self.claim.adam, probes, flushes=self.info.flushes)
            except Exception as error:
                super().on_end("broken", own_fault(error))

    def effective_probe(self, probe: Probe) -> Probe:
        assert self.info is not None
        if probe.name not in self.effective:
            defaults = {} if self.claim is None else self.claim.defaults
            hyper = judged_hyper(probe.hyper, self.info.lacks, self.info.fixed, defaults)
            served = served_probe(probe, self.info.lacks, self.info.fixed)
            same = hyper == dict(probe.hyper)
            self.effective[probe.name] = served if same else dataclasses.replace(served, hyper=hyper)
        return self.effective[probe.name]

    def judge(self, job: WorkerJob, task: int, run: Run) -> None:
        if self.claim is None or self.info is None:
            return
        probe = self.effective_probe(job.probe_of(task))
        if probe.name.startswith(EXPERIMENT):
            self.measured[probe.name, job.dtype] = run
            return
        self.runs[probe.name, job.dtype] = run
        if not probe.applies_to(self.claim.adam):
            return

        flushes = self.info.flushes

        def judged(claim: Adam) -> Result:
            return judge_run(claim, probe, job.dtype, run, flushes=flushes, our_bits=self.is_ours)

        result = judged(self.claim.adam)
        in_blocks = any(self.keeping.get(name) in IN_8_BITS for name in MOMENT_STORAGE)
        if result.status == "failed" and in_blocks and not self.is_ours:
            plain = judged(dataclasses.replace(self.claim.adam, m_storage="plain", v_storage="plain"))
            result = plain if plain.status == "passed" else result  # arrays that it keeps with more digits
        self.results.append(result)

    def entries(self) -> list[Entry]:
        claim = self.claim or claim_for(self.target, None)
        order = {probe.name: number for number, probe in enumerate(self.probes)}
        self.results.sort(key=lambda r: (self.dtypes.index(r.dtype), order[r.probe]))
        self.set_anatomy()
        entry = self.entry(claim, self.results, self.runs)
        entry.anatomy = self.anatomy
        return [entry]

    def diagnose(
        self, entry: Entry, claim: Claim, runs: dict[tuple[str, str], Run], unclaimed: frozenset[str]
    ) -> None:
        super().diagnose(entry, claim, runs, unclaimed)
        if self.info is not None and not self.always_measured:  # who asks what it is has no defaults in mind
            entry.findings += default_notes(self.info.defaults, dialect(dialect_of(claim.name)))

    def set_anatomy(self) -> None:
        """Measure the parts from the runs of the experiments, once they were made."""
        if self.anatomy is None:
            try:
                self.anatomy = self.measured_parts(self.served(self.claim or claim_for(self.target, None)))
                self.difference = None if self.anatomy is None else first_finding(self.anatomy)
            except Exception as error:
                self.on_end("broken", own_fault(error))

    def served(self, claim: Claim) -> Claim:
        """Return the claim for the parts: an absent gradient is an error if the candidate claims none."""
        probes = {p.name: self.effective_probe(p) for p in self.probes}
        if self.info is None or not absence_probes(self.info, self.runs, probes):
            return claim
        return dataclasses.replace(claim, adam=dataclasses.replace(claim.adam, missing="error"))

    @property
    def is_explained(self) -> bool:
        """True if a part that is not as claimed was measured, or none could be."""
        return self.problem is not None or self.anatomy is None or self.difference is not None

    def dtype_to_measure(self) -> str | None:
        """Return the dtype in which the parts are still to be measured, or None.

        It is one in which the candidate failed a probe that it must pass, or the other one if the candidate
        does not have the dtype in which its parts were to be measured.
        """
        if self.clip is not None:  # the experiments are made for Adams that do not clip
            return None
        if self.problem is not None or any(run.unsupported is None for run in self.measured.values()):
            return None
        if tried := {dtype for _, dtype in self.measured}:
            dtypes = [dtype for dtype in self.dtypes if dtype not in tried]
        else:
            own = {probe.name: bool(probe.dtypes) for probe in self.probes if probe.level == "must"}
            failed = [r for r in self.results if r.status == "failed" and r.probe in own]
            # one array of a probe that has dtypes of its own may fail as it does in its own dtype
            dtypes = [r.dtype for r in failed if not own[r.probe]] or [r.dtype for r in failed]
        return max((dtype for dtype in dtypes if dtype not in NARROW), default=None)  # float64 before float32

    def measuring_job(self, dtype: str) -> WorkerJob:
        """Return the job that measures the parts of the candidate."""
        probes = list(EVERY_EXPERIMENT.values())
        return self.job_of(dtype, probes, self.ranks)

    def job_of(self, dtype: str, probes: Sequence[Probe], ranks: Ranks | None) -> WorkerJob:
        """Return a job of other probes in one dtype."""
        tasks = [(0, number) for number in range(len(probes))]
        return WorkerJob(
            self.target, dtype, [None], probes, tasks, self.settings, self.device, self.required, ranks=ranks
        )

    def measured_parts(self, claim: Claim) -> Anatomy | None:
        """Return the measured parts, in the first dtype that all experiments were tried in.

        A dtype that the candidate has comes before one that it does not have.  The rule is read off the
        parts at once, since every report has it.
        """
        needed = [probe.name for probe in EXPERIMENTS.values()]

        def has_none_of(dtype: str) -> bool:
            return all(run.unsupported for (_, other), run in self.measured.items() if other == dtype)

        for dtype in sorted(sorted(self.dtypes, reverse=True), key=has_none_of):  # float64 before float32
            if all((name, dtype) in self.measured for name in needed):
                ran = [p for p in EVERY_EXPERIMENT.values() if (p.name, dtype) in self.measured]
                runs = {probe.name: self.measured[probe.name, dtype] for probe in ran}
                probes = {probe.name: self.effective_probe(probe) for probe in ran}
                lacks = () if self.info is None else self.info.lacks
                anatomy = anatomy_of(runs, probes, dtype, claim.adam, lacks)
                _ = anatomy.equations if self.always_measured else anatomy.beside
                return anatomy
        return None


class Unidentified(ThirdParty):
    """A third party's optimizer of which nothing is known: its parts are measured."""

    always_measured = True
    required = ()
    shares_worker = True  # to import a library takes longer than all the runs of an identification

    def prepare(self) -> None:
        from adamcore.conformance.verdict.identify import prepare

        if self.claim is None and (row := for_target(self.target)):
            prepare(claim_of_dialect(row.name, self.settings).adam, self.probes)


def dialect_of(claimed: str) -> str:
    """Return the dialect of a claim's name.

    >>> dialect_of("torch.Adam(amsgrad=True), clip norm=1"), dialect_of("BertAdam")
    ('torch.Adam', 'BertAdam')
    """
    return claimed.partition("(")[0].partition(",")[0]


def own_fault(error: Exception) -> str:
    """Return that the check failed, and with which error."""
    return f"the check itself failed: {describe(error)}; a fault of adamcore, not of the candidate"

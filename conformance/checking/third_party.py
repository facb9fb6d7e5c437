"""A third party's Adam under check: its claim, its runs, and its parts as measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from adamcore import Adam
from adamcore.config import MOMENT_STORAGE
from adamcore.conformance.anatomy.anatomy import EVERY_EXPERIMENT, Anatomy, anatomy_of
from adamcore.conformance.anatomy.experiments import EXPERIMENT, EXPERIMENTS
from adamcore.conformance.anatomy.words.findings import first_finding
from adamcore.conformance.candidates import CandidateInfo, judged_hyper, served_probe
from adamcore.conformance.candidates.adapter.arguments import REQUIRED
from adamcore.conformance.candidates.adapter.defaults import default_notes
from adamcore.conformance.checking.runs import has_many, is_for, judge_run
from adamcore.conformance.checking.subjects import OUR_OPTIMIZERS, Subject, dialect_of, own_fault
from adamcore.conformance.checking.unclaimed import absence_probes
from adamcore.conformance.claims import (
    Claim,
    claim_for,
    claim_of_dialect,
    with_keeping,
)
from adamcore.conformance.report.report import Entry, Verdict
from adamcore.conformance.settings import NARROW, Ranks
from adamcore.conformance.types import Probe, Result, Run
from adamcore.conformance.workers.pool import WorkerJob
from adamcore.dialects import OPTIONS, dialect, for_target, parse_option
from adamcore.errors import DialectError
from adamcore.storage.moments import IN_8_BITS


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

"""A backend of adamcore under check."""

from __future__ import annotations

import dataclasses

from adamcore import Adam
from adamcore.conformance.checking.runs import is_for, judge_run
from adamcore.conformance.checking.subjects import Subject
from adamcore.conformance.claims import Claim, all_claims, claim_of_dialect, fields_of, with_keeping
from adamcore.conformance.oracle.sharing import equivalent_claim
from adamcore.conformance.report.report import Entry
from adamcore.conformance.types import Result, Run
from adamcore.conformance.workers.pool import WorkerJob


class OwnBackend(Subject):
    """A backend of adamcore, under one dialect or under all of them.

    Claims that a probe cannot tell apart share one run and one judgement.  The claim always has coefficients
    in double precision, also for a dialect whose implementations form them in float32.
    """

    claim_follows_target = False
    required_rules = ("CLK.3", "NUM.3")

    def plan_jobs(self) -> list[WorkerJob]:
        claims = [claim_of_dialect(self.dialect)] if self.dialect else all_claims()
        self.claims = [with_keeping(claim, self.keeping) for claim in claims]
        self.runs: dict[tuple[str, str, Adam], Run] = {}
        self.results: dict[tuple[str, str, Adam], Result] = {}
        distinct: dict[Adam, int] = {}
        tasks: list[tuple[int, int]] = []
        for number, probe in enumerate(self.probes):
            applicable = [c.adam for c in self.claims if probe.applies_to(c.adam)]
            if probe.is_large:  # how many arrays there are has nothing to do with the axes
                applicable = applicable[:1]
            for adam in dict.fromkeys(equivalent_claim(claim, probe) for claim in applicable):
                tasks.append((distinct.setdefault(adam, len(distinct)), number))
        self.distinct_claims = list(distinct)
        fields = [fields_of(adam) for adam in self.distinct_claims]
        return [
            WorkerJob(
                self.target,
                dtype,
                fields,
                self.probes,
                [task for task in tasks if is_for(self.probes[task[1]], dtype)],
                self.settings,
                self.device,
                ranks=self.ranks,
            )
            for dtype in self.dtypes
        ]

    def judge(self, job: WorkerJob, task: int, run: Run) -> None:
        assert self.info is not None
        number, index = job.tasks[task]
        adam, probe = self.distinct_claims[number], self.probes[index]
        key = probe.name, job.dtype, adam
        self.runs[key] = run
        claim = equivalent_claim(adam, probe, exact=True)
        self.results[key] = judge_run(claim, probe, job.dtype, run, flushes=self.info.flushes, our_bits=True)

    def entries(self) -> list[Entry]:
        return [self.entry(self.in_double(claim), *self.results_of(claim)) for claim in self.claims]

    def in_double(self, claim: Claim) -> Claim:
        return dataclasses.replace(claim, adam=dataclasses.replace(claim.adam, coefficients="double"))

    def results_of(self, claim: Claim) -> tuple[list[Result], dict[tuple[str, str], Run]]:
        """Return the results and the runs of one claim."""
        results, runs = [], {}
        for dtype in self.dtypes:
            for probe in self.probes:
                key = probe.name, dtype, equivalent_claim(claim.adam, probe)
                if probe.applies_to(claim.adam) and key in self.results:
                    results.append(self.results[key])
                    runs[probe.name, dtype] = self.runs[key]
        return results, runs

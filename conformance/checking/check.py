"""The check: select probes and targets, run the targets in worker processes, return the report."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from adamcore.conformance.candidates import is_own_backend
from adamcore.conformance.checking.alone import blame_runs_before
from adamcore.conformance.checking.meetings import find_meeting
from adamcore.conformance.checking.own_backends import OwnBackend
from adamcore.conformance.checking.ranks import blame_ranks
from adamcore.conformance.checking.runs import has_many
from adamcore.conformance.checking.selection import default_targets, keepings, select_probes
from adamcore.conformance.checking.subjects import Subject, own_fault
from adamcore.conformance.checking.third_party import ThirdParty, Unidentified
from adamcore.conformance.checking.validate import validate_options, validate_ranks, validate_target
from adamcore.conformance.errors import SettingError, UsageError
from adamcore.conformance.probes.clipping import for_clipping
from adamcore.conformance.progress import Watcher, watched
from adamcore.conformance.report.report import Entry, Report, environment
from adamcore.conformance.settings import (
    DTYPES,
    HISTORIES,
    MEMORY,
    MOMENT_POLICIES,
    NARROW,
    PARALLEL,
    PROCESSORS,
    TIMEOUT,
    parse_clipping,
    parse_settings,
)
from adamcore.conformance.workers.pool import EndEvent, Event, ReadyEvent, RunEvent, WorkerJob, run_jobs

Progress = Callable[[str, int, int], None]  #: (what is done now, number of pieces done, number of pieces)
EXPLAINING = 60  #: pieces that the explanation of a subject's runs counts for
#: The stages of an explanation, each with the shares of it at which it begins and ends.
STAGES = {"its parts": (0.0, 0.05), "which Adam it is": (0.05, 0.45), "what is wrong with it": (0.45, 1.0)}


def check(
    targets: Sequence[str] = (),
    *,
    dialect: str | None = None,
    dtypes: Sequence[str] = DTYPES,
    device: str | None = None,
    settings: Mapping[str, str] | None = None,
    probes: Sequence[str] = (),
    timeout: float = TIMEOUT,
    parallel: int = PARALLEL,
    memory: float = MEMORY,
    quick: bool = False,
    histories: int = HISTORIES,
    ranks: int | None = None,
    layout: str | None = None,
    processes: bool = False,
    storage: Sequence[str] = (),
    moments: str | None = None,
    clip: str | None = None,
    identifying: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Run targets on the probes, judge them and return the report; see docs/checking.md.

    Args:
        targets: what to check; none means every backend of adamcore, on every device.
        dialect: the claim of all targets.  Without it a backend of adamcore is checked under every dialect.
            Any other target is checked under its row in the table of dialects, else under its attribute
            ``dialect``, else under Algorithm 1.
        dtypes: "float32", "float64" or both; "bfloat16" and "float16", in which only the small probes of real
            numbers are run, have to be asked for.
        device: the device of torch and JAX targets that do not name one.
        settings: constructor arguments: {"amsgrad": "True"}, or {"noise_factor": "@eps"}.
        probes: patterns of probe names or rules; none means all probes.
        timeout: seconds that a candidate has to start, and then for each probe.
        parallel: how many worker processes run at the same time.
        memory: MB that a candidate's processes may use.
        quick: True runs only the probes for which :func:`selection.is_quick` is true.
        histories: how many probes are drawn at random, 0 or more.
        ranks: on how many processes of PyTorch, or devices of JAX, each target makes its steps together;
            None: on one.
        layout: how parameters lie on these: "fsdp" (shards of the first dimension), "tp" (of the last), "2d"
            (of both), "ddp" (all of them on each), "zero" (likewise, with each state on one rank alone), or
            "shard_map" (as "fsdp"; each device of JAX makes a step of its own parts).
        processes: True if each rank of JAX is a process, joined by ``jax.distributed``; False if the ranks
            are devices of one process.  Those of PyTorch are processes in any case.
        storage: how the claim keeps parameters of 16 bits: policies of docs/precision.md, or "all" of them.
            Each target is held to each policy.
        moments: the dtype in which the claim keeps moments, or how it keeps them: "companded8" or
            "blockwise8" in 8 bits, "stochastic" rounded at random to the parameter's dtype; None is that
            dtype, and of targets that are known for it 8 bits.
        clip: how the claim clips gradients: "global_norm=1.0", "norm=1.0" or "value=1.0", with ",eps=1e-6"
            behind a norm; None is not at all.  A third party's candidate has to clip so by itself.
        identifying: True also measures the parts of each target, takes optimizers that have no argument for
            b1, b2 or eps, and without ``probes`` runs only those that tell one Adam from another.
        progress: called before and after each piece of work with what is done now, the number of pieces done,
            and of all.  A piece is a probe that is run, or a part of the explanation of a target's runs.

    Raises:
        UsageError: a target of no known form, an unknown dtype, a pattern that matches no probe, or a
            setting that the constructor does not have.
        DialectError: an unknown dialect.
    """
    for target in targets:
        validate_target(target)
    validate_options(dialect, dtypes, device, settings, probes, timeout, parallel, memory, histories)
    together = validate_ranks(ranks, layout, targets, processes=processes)
    if moments is not None and moments not in (kinds := (*DTYPES, *NARROW, *MOMENT_POLICIES)):
        raise UsageError(f"moments={moments!r}: expected one of {', '.join(kinds)}")
    if identifying and (narrow := [dtype for dtype in dtypes if dtype in NARROW]):
        raise UsageError(f"dtype {narrow[0]!r}: what an Adam is shows in {' and '.join(DTYPES)} alone")
    if identifying and not probes and not quick:
        from adamcore.conformance.verdict.identify import TELLING

        probes = TELLING
    clipping = None if clip is None else parse_clipping(clip)
    chosen = for_clipping(select_probes(probes, quick=quick, histories=histories), clipping)
    if not chosen:
        raise UsageError("the probes that were asked for are of clipping: expected --clip with them")
    subjects: list[Subject] = []
    wanted = dict.fromkeys(targets) if targets else default_targets()
    try:
        parse_settings(settings or {})
    except SettingError as error:
        raise UsageError(str(error)) from error
    for target, only in wanted.items():
        theirs = Unidentified if identifying else ThirdParty
        kind = OwnBackend if is_own_backend(target) else theirs
        claim = dialect or only
        for keeping, where in keepings(storage, moments, dtypes):
            subject = kind(
                target,
                claim,
                dict(settings or {}),
                device,
                chosen,
                where,
                asked=bool(targets),
                ranks=together,
                keeping=keeping,
                clip=clip,
            )
            subjects.append(subject)
    run_subjects(subjects, timeout, parallel, memory, progress)
    entries: list[Entry] = []

    def run(job: WorkerJob) -> Iterable[Event]:
        return run_jobs([job], timeout, 1, memory)

    for number, checked in enumerate(subjects):
        with watched(explaining(checked.target, subjects, number, progress)):
            if isinstance(checked, ThirdParty):
                measure_parts(checked, run)
            for entry in checked.entries():
                entries.append(entry)
                if isinstance(checked, ThirdParty) and checked.ranks:
                    if entry.verdict == "deviates":
                        blame_ranks(checked, entry, run)
                    continue
                if isinstance(checked, ThirdParty) and entry.verdict == "deviates" and not identifying:
                    try:
                        add_minimal_example(checked, entry, run)
                    except Exception as error:  # the finding keeps the command that shows it again
                        warnings.warn(own_fault(error), stacklevel=2)
    if progress:
        progress("", pieces(subjects), pieces(subjects))
    devices = {s.target: s.info.device for s in subjects if s.info is not None}
    return Report(entries, environment(devices), quick=quick)


def pieces(subjects: Sequence[Subject], explained: int | None = None) -> int:
    """Return the number of pieces of work up to the explanation of so many subjects; None is of all."""
    whole = len(subjects) if explained is None else explained
    return sum(len(job.tasks) for subject in subjects for job in subject.jobs) + EXPLAINING * whole


def explaining(target: str, subjects: Sequence[Subject], number: int, progress: Progress | None) -> Watcher:
    """Return what moves the progress while the runs of subject ``number`` are explained."""
    begin, total = pieces(subjects, number), pieces(subjects)
    reached = begin

    def watcher(what: str, share: float) -> None:
        nonlocal reached
        first, last = STAGES.get(what, (0.0, 0.0))
        reached = max(reached, begin + int(EXPLAINING * (first + (last - first) * share)))
        if progress:
            progress(f"{target}: {what}", reached, total)

    watcher("its parts", 0.0)
    return watcher


def measure_parts(subject: ThirdParty, run: Callable[[WorkerJob], Iterable[Event]]) -> None:
    """Run the experiments on a candidate that failed a probe; without them its parts are not measured.

    A probe that it failed is run once more by itself.  If all parts are as claimed, what meets in one that it
    failed is taken away, one after the other.

    Args:
        subject: the candidate.
        run: runs a job and yields its events.
    """
    dtype = subject.dtype_to_measure()
    for event in () if dtype is None else run(subject.measuring_job(dtype)):
        if isinstance(event, RunEvent):
            subject.on_run(event.job, event.task, event.run)
    subject.set_anatomy()
    if dtype is None:
        return
    subject.difference = blame_runs_before(subject, run) or subject.difference
    if not subject.is_explained:
        subject.meeting = find_meeting(subject, run)


def add_minimal_example(
    subject: ThirdParty, entry: Entry, run: Callable[[WorkerJob], Iterable[Event]]
) -> None:
    """Add a program that shows the failure to the first deviation, if a smaller probe fails too.

    Args:
        subject: the candidate.
        entry: its entry, changed in place.
        run: runs a job and yields its events.
    """
    from adamcore.conformance.checking.repro import MinimalExample, shrink, write_program
    from adamcore.conformance.verdict.judge import judge

    k = next((k for k, f in enumerate(entry.findings) if f.level == "error" and f.evidence), None)
    if k is None or subject.claim is None or subject.info is None:
        return
    evidence = entry.findings[k].evidence
    assert evidence is not None
    dtype = next(r.dtype for r in entry.results if r.evidence == evidence)
    if dtype in NARROW:  # programs are written for float32 and float64
        return
    original = next(p for p in subject.probes if p.name == evidence.probe)
    meeting = subject.meeting
    if original.drawn and meeting and meeting.cut:
        evidence = meeting.cut.evidence or evidence
        original = replace(meeting.probe, name=f"{original.name}, cut down")
    probes = shrink(subject.effective_probe(original), evidence)
    for probe in probes:  # each in a process of its own, as the program
        job = WorkerJob(subject.target, dtype, [None], [probe], [(0, 0)], subject.settings, subject.device)
        for event in run(job):
            if not isinstance(event, RunEvent):
                continue
            result = judge(subject.claim.adam, probe, dtype, event.run, flushes=subject.info.flushes)
            if result.status == "failed" and result.evidence is not None:
                small = MinimalExample(probe, dtype, result.evidence)
                text = write_program(subject.target, subject.info, small)
                if text is not None:
                    entry.findings[k] = replace(entry.findings[k], repro=text)
                    return


def run_subjects(
    subjects: Sequence[Subject], timeout: float, parallel: int, memory: float, progress: Progress | None
) -> None:
    """Run the jobs of all subjects; each subject judges its runs while others are still running.

    A step of many arrays may take a worker as long as all its other probes.  Runs of others wait to be judged
    until it is done, if to judge them would take a processor from the workers.
    """
    owners = {job: subject for subject in subjects for job in subject.jobs}
    total, done = pieces(subjects), 0
    if progress:
        progress("", 0, total)
    started = dict.fromkeys(owners, 0)
    waiting: list[RunEvent] = []

    def prepare() -> None:
        for subject in subjects:
            subject.prepare()

    def judge_waiting() -> None:
        for run in waiting:
            owners[run.job].on_run(run.job, run.task, run.run)
        waiting.clear()

    for event in run_jobs(list(owners), timeout, parallel, memory, meanwhile=prepare):
        subject = owners[event.job]
        if isinstance(event, ReadyEvent):
            subject.on_ready(event.info)
        elif isinstance(event, RunEvent):
            waiting.append(event)
            started[event.job] += 1
            done += 1
            if min(len(started), parallel) < PROCESSORS or not any(map(is_at_many, started.items())):
                judge_waiting()
        elif isinstance(event, EndEvent):
            if event.problem == "usage":
                raise UsageError(f"{subject.target}: {event.reason}")
            judge_waiting()
            subject.on_end(event.problem, event.reason)
            done += len(event.job.tasks) - started.pop(event.job)  # the tasks that did not run
        if progress:
            progress(f"{subject.target} {event.job.dtype}", done, total)


def is_at_many(begun: tuple[WorkerJob, int]) -> bool:
    """True if a job, of which so many tasks were done, is now at a probe of many arrays."""
    job, done = begun
    return done < len(job.tasks) and has_many(job.probe_of(done))

"""The check: select probes and targets, run the targets in worker processes, return the report."""

from __future__ import annotations

import difflib
import shlex
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from adamcore.conformance.candidates import is_own_backend
from adamcore.conformance.checking.ranks import blame_ranks
from adamcore.conformance.checking.subjects import OwnBackend, Subject, ThirdParty, Unidentified, own_fault
from adamcore.conformance.errors import SettingError, UsageError
from adamcore.conformance.probes.clipping import for_clipping
from adamcore.conformance.progress import Watcher, watched
from adamcore.conformance.report.report import Entry, Report, environment
from adamcore.conformance.settings import (
    DTYPES,
    LAYOUTS,
    MEMORY,
    NARROW,
    OWN_TARGETS,
    PARALLEL,
    POLICIES,
    QUICK,
    TIMEOUT,
    Ranks,
    parse_clipping,
    parse_settings,
)
from adamcore.conformance.types import Probe
from adamcore.conformance.workers.pool import EndEvent, Event, ReadyEvent, RunEvent, WorkerJob, run_jobs
from adamcore.dialects import DIALECTS
from adamcore.registry import announced

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
    ranks: int | None = None,
    layout: str = "fsdp",
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
        quick: True runs only the probes for which :func:`is_quick` is true.
        ranks: on how many processes of PyTorch, or devices of JAX, each target makes its steps together;
            None: on one.
        layout: how parameters lie on these: "fsdp" (shards of the first dimension), "tp" (of the last), "2d"
            (of both), "ddp" (all of them on each), "zero" (likewise, with each state on one rank alone), or
            "shard_map" (as "fsdp"; each device of JAX makes a step of its own parts).
        processes: True if each rank of JAX is a process, joined by ``jax.distributed``; False if the ranks
            are devices of one process.  Those of PyTorch are processes in any case.
        storage: how the claim keeps parameters of 16 bits: policies of docs/precision.md, or "all" of them.
            Each target is held to each policy.
        moments: the dtype in which the claim keeps moments; None is the parameter's.
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
    validate_options(dialect, dtypes, device, settings, probes, timeout, parallel, memory)
    together = validate_ranks(ranks, layout, targets, processes=processes)
    if moments is not None and moments not in (*DTYPES, *NARROW):
        raise UsageError(f"moments={moments!r}: expected one of {', '.join((*DTYPES, *NARROW))}")
    if identifying and (narrow := [dtype for dtype in dtypes if dtype in NARROW]):
        raise UsageError(f"dtype {narrow[0]!r}: what an Adam is shows in {' and '.join(DTYPES)} alone")
    if identifying and not probes and not quick:
        from adamcore.conformance.verdict.identify import TELLING

        probes = TELLING
    clipping = None if clip is None else parse_clipping(clip)
    chosen = for_clipping(select_probes(probes, quick=quick), clipping)
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


def keepings(
    storage: Sequence[str], moments: str | None, dtypes: Sequence[str]
) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Yield the ways to keep numbers that are asked for, each with the dtypes that have it.

    Raises:
        UsageError: a policy is unknown, or has no meaning in any of the dtypes.

    >>> [keeping["p_storage"] for keeping, _ in keepings(["all"], None, ["float16"])]
    ['plain', 'master', 'split', 'kahan', 'stochastic']
    """
    wide = {} if moments is None else {"moment_dtype": moments}
    policies = dict.fromkeys(POLICIES if "all" in storage else storage)
    if unknown := [policy for policy in policies if policy not in POLICIES]:
        raise UsageError(f"unknown policy {unknown[0]!r}; expected all, {', '.join(POLICIES)}")
    if not policies:
        yield wide, list(dtypes)
    for policy in policies:
        where = [d for d in dtypes if (policy, d) != ("split8", "float16")]  # STORE.1
        if where:
            yield {"p_storage": policy} | wide, where
        elif "all" not in storage:
            raise UsageError(f"policy {policy!r} with dtype {dtypes[0]!r}: expected bfloat16")


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

    Args:
        subject: the candidate.
        run: runs a job and yields its events.
    """
    dtype = subject.dtype_to_measure()
    for event in () if dtype is None else run(subject.measuring_job(dtype)):
        if isinstance(event, RunEvent):
            subject.on_run(event.job, event.task, event.run)


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
    """Run the jobs of all subjects; each subject judges its runs while others are still running."""
    owners = {job: subject for subject in subjects for job in subject.jobs}
    total, done = pieces(subjects), 0
    if progress:
        progress("", 0, total)
    started: dict[object, int] = dict.fromkeys(owners, 0)

    def prepare() -> None:
        for subject in subjects:
            subject.prepare()

    for event in run_jobs(list(owners), timeout, parallel, memory, meanwhile=prepare):
        subject = owners[event.job]
        if isinstance(event, ReadyEvent):
            subject.on_ready(event.info)
        elif isinstance(event, RunEvent):
            subject.on_run(event.job, event.task, event.run)
            started[event.job] += 1
            done += 1
        elif isinstance(event, EndEvent):
            if event.problem == "usage":
                raise UsageError(f"{subject.target}: {event.reason}")
            subject.on_end(event.problem, event.reason)
            done += len(event.job.tasks) - started[event.job]  # the tasks that did not run
        if progress:
            progress(f"{subject.target} {event.job.dtype}", done, total)


def select_probes(patterns: Iterable[str], *, quick: bool = False) -> list[Probe]:
    """Return the probes whose name or rule matches one of the patterns; no pattern selects all probes.

    Raises:
        UsageError: a pattern matches no probe, or none of the selected probes is quick.
    """
    from adamcore.conformance.probes import PROBES

    patterns = list(patterns)
    for pattern in patterns:
        if not any(matches(probe, pattern) for probe in PROBES.values()):
            near = difflib.get_close_matches(pattern, PROBES, n=3, cutoff=0.4)
            raise UsageError(f"no probe {pattern!r}" + (f"; nearest: {', '.join(near)}" if near else ""))
    fitting = [p for p in PROBES.values() if not patterns or any(matches(p, pattern) for pattern in patterns)]
    chosen = [p for p in fitting if is_quick(p)] if quick else fitting
    if not chosen:
        raise UsageError(f"--quick leaves none of these probes: {', '.join(p.name for p in fitting)}")
    return chosen


def is_quick(probe: Probe) -> bool:
    """True if the probe belongs to a quick check: it has at most QUICK updates of a parameter in all."""
    return probe.updates <= QUICK and not probe.is_large


def matches(probe: Probe, pattern: str) -> bool:
    """True if the probe's name or rule matches the pattern."""
    return fnmatchcase(probe.name, pattern) or fnmatchcase(probe.rule, pattern)


def default_targets() -> dict[str, str | None]:
    """Return every backend, of adamcore and of other packages, with its only claim; None for all dialects.

    Backends whose library is not installed are among them.
    """
    others = [f"array:{entry.name}" for entry in announced()]
    return OWN_TARGETS | {name: None for name in others if name not in OWN_TARGETS}


def validate_options(
    dialect: Any,
    dtypes: Any,
    device: Any,
    settings: Any,
    probes: Any,
    timeout: Any,
    parallel: Any,
    memory: Any,
) -> None:
    """Raise :class:`UsageError` if an argument of :func:`check` makes no sense."""
    for name, value in (("dialect", dialect), ("device", device)):
        if value is not None and not isinstance(value, str):
            raise UsageError(f"{name}={value!r}: expected text or None")
    for name, values in (("dtypes", dtypes), ("probes", probes)):
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise UsageError(f"{name}={values!r}: expected a list, such as [{str(values)!r}]")
        if odd := [value for value in values if not isinstance(value, str)]:
            raise UsageError(f"{name} has {odd[0]!r}: expected text")
    known = (*DTYPES, *NARROW)
    if unknown := [dtype for dtype in dtypes if dtype not in known]:
        raise UsageError(f"unknown dtype {unknown[0]!r}; expected {' or '.join(known)}")
    if not dtypes:
        raise UsageError(f"dtypes is empty; expected {' or '.join(DTYPES)}")
    if settings is not None and not isinstance(settings, Mapping):
        raise UsageError(f"settings={settings!r}: expected a mapping, such as {{'amsgrad': 'True'}}")
    for name, value in (settings or {}).items():
        if not isinstance(value, str):
            raise UsageError(f"settings[{name!r}]={value!r}: expected text, as after --set: {str(value)!r}")
    for name, number in (("timeout", timeout), ("parallel", parallel), ("memory", memory)):
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not number > 0:
            raise UsageError(f"{name}={number!r}: expected a number above 0")
    if parallel != int(parallel):
        raise UsageError(f"parallel={parallel!r}: expected a whole number")


def validate_ranks(
    ranks: Any, layout: Any, targets: Sequence[str], *, processes: bool = False
) -> Ranks | None:
    """Return the ranks on which the targets run, None for one; raise :class:`UsageError` if in vain."""
    if layout not in LAYOUTS:
        raise UsageError(f"layout={layout!r}: expected one of {', '.join(LAYOUTS)}")
    if ranks is None:
        if processes:
            raise UsageError("processes without ranks: expected --ranks N with it, the number of processes")
        return None
    if isinstance(ranks, bool) or not isinstance(ranks, int) or ranks < 1:
        raise UsageError(f"ranks={ranks!r}: expected a whole number above 0")
    others = [target for target in targets if has_no_ranks(target)]
    if others or not targets:
        named = others[0] if others else "no target"
        raise UsageError(
            f"ranks={ranks} with {named}: expected torch optimizers or optax factories (module:attr), torch, "
            "jax, jax:jit or jax:native"
        )
    return Ranks(ranks, layout, bool(processes))


def has_no_ranks(target: str) -> bool:
    """True if a target is of a kind that runs on one rank alone."""
    if is_own_backend(target):
        return target.startswith(("numpy", "array:")) or target == "torch:compile"
    return target.startswith(("cmd:", "kernel:"))


def validate_target(target: Any) -> None:
    """Raise :class:`UsageError` if the target is no text, or has none of the forms of a target."""
    if not isinstance(target, str):
        raise UsageError(
            f"target {target!r}: expected text, such as 'module:attr'; "
            "assert_conforms takes a class or a factory"
        )
    if target.startswith("cmd:"):
        validate_command(target)
        return
    if is_own_backend(target) or ":" in target.removeprefix("kernel:").strip(":"):
        return
    known = [*OWN_TARGETS, *(path for row in DIALECTS.values() for path in row.targets)]
    own = DIALECTS[target].targets if target in DIALECTS else ()
    near = own or difflib.get_close_matches(target, known, n=3, cutoff=0.5)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    raise UsageError(
        f"unknown target {target!r}: expected numpy, torch, torch:cuda, torch:compile, jax, jax:jit, "
        "jax:native, array:MODULE, module:attr, path/file.py:attr, kernel:module:function or "
        f"cmd:COMMAND{hint}"
    )


def validate_command(target: str) -> None:
    """Raise :class:`UsageError` if ``cmd:`` has no command, or one that the shell's rules cannot split."""
    try:
        words = shlex.split(target.removeprefix("cmd:"))
    except ValueError as error:
        raise UsageError(f"{target!r}: {error}") from error
    if not words:
        raise UsageError(f"{target!r} has no command; expected cmd:COMMAND, such as cmd:./driver")

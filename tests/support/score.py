"""The suite's own score: every Adam of tests/corpus run, judged and diagnosed as ``adamcore check`` does.

docs/generate/score_page.py writes docs/score.md from it.
"""

from __future__ import annotations

import importlib
import math
import multiprocessing
import queue
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CORPUS = ROOT / "tests" / "corpus"
for folder in (HERE, CORPUS):
    if str(folder) not in sys.path:  # the corpus is a folder of candidates, not a package
        sys.path.insert(0, str(folder))

from register import ITEMS, Item, library_of  # noqa: E402 - found by the lines above

from adamcore.conformance.candidates.targets import make_candidate  # noqa: E402
from adamcore.conformance.checking.check import measure_parts  # noqa: E402
from adamcore.conformance.checking.third_party import ThirdParty  # noqa: E402
from adamcore.conformance.probes import PROBES  # noqa: E402
from adamcore.conformance.probes.clipping import for_clipping  # noqa: E402
from adamcore.conformance.report.report import Entry  # noqa: E402
from adamcore.conformance.types import Result  # noqa: E402
from adamcore.conformance.workers.pool import Event, RunEvent, WorkerJob  # noqa: E402
from adamcore.conformance.workers.worker import try_probe  # noqa: E402

#: What Adams in 16 bits are scored on: short probes, since each step of one is judged by itself.
IN_16_BITS = (
    "STEP.1/fingerprint", "EPS.1/beside-small-root", "EPS.2/comparable", "EPS.1/small", "BC.1/first-steps",
    "DEC.5/order", "MOM.1/common", "MOM.2/large", "LR.1/odd-values", "NUM.4/decimals", "NUM.4/near-one",
    "BC.1/t300", "BC.1/t1e6", "F2/zero-element", "STORE.1/short-steps", "STORE.6/random", "STORE.16/random",
    "SCALE.1/scaled", "SCALE.1/changing", "SCALE.2/skipped", "SCALE.2/backoff", "STATE.4/uninterrupted",
    "STATE.4/resumed",
)  # fmt: skip
PROCESSES = 2
CHUNK = 24  #: Adams in one piece of work; they have one claim, so that they share what is cached


@dataclass(frozen=True)
class Score:
    """What the suite says of one Adam of the corpus."""

    target: str
    verdict: str
    area: str  #: the area of the first finding
    rule: str  #: the rule of the first finding
    observed: str  #: what the first finding says
    identified: bool  #: whether identification found values on every axis
    worst32: float  #: the largest error over its bound in float32, or in its first dtype
    worst64: float  #: the same in float64, or in its last dtype
    probe: str  #: the probe of ``worst32``
    undecided: int  #: the number of undecided results
    findings: tuple[str, ...]  #: the area of each deviation

    @property
    def item(self) -> Item:
        return ITEMS[self.target]

    @property
    def worst(self) -> float:
        return max(self.worst32, self.worst64)

    @property
    def killed(self) -> bool:
        return self.verdict == "deviates"

    @property
    def named(self) -> bool:
        """True if the first finding has the right area."""
        return self.area in self.item.areas

    @property
    def good(self) -> bool:
        """True if the suite says what it should say."""
        kind = self.item.kind
        if kind == "wrong":
            return self.killed and self.named
        if kind == "other":
            return self.killed and not self.identified
        return self.verdict == "conforms"


def files(library: str = "") -> list[str]:
    """Return the names of the corpus's modules, or of those that need one library."""
    names = sorted(file.stem for file in CORPUS.glob("*_*.py"))
    return [name for name in names if not library or library_of(name) == library]


def load(names: Iterable[str] = ()) -> dict[str, Item]:
    """Import these modules of the corpus, or all, and return every Adam that is loaded."""
    for name in names or files():
        importlib.import_module(name)
    return ITEMS


def surroundings(library: str, dtype: str) -> AbstractContextManager[object]:
    """Return a context in which a candidate runs: JAX has float64 only if it is asked to."""
    if library != "jax":
        return nullcontext()
    import jax

    context: AbstractContextManager[object] = jax.enable_x64(dtype == "float64")
    return context


def entry(item: Item, names: Iterable[str] = (), dtypes: Sequence[str] = ()) -> Entry:
    """Run, judge and diagnose one Adam, in this process, as a check does in others."""
    return subject_and_entry(item, names, dtypes)[1]


def subject_and_entry(
    item: Item, names: Iterable[str] = (), dtypes: Sequence[str] = ()
) -> tuple[ThirdParty, Entry]:
    """Return one Adam as the subject of a check, and its entry."""
    names = tuple(names) or (IN_16_BITS if item.is_narrow else tuple(PROBES))
    probes = for_clipping([PROBES[name] for name in names], None)
    dtypes = tuple(dtypes) or item.dtypes
    subject = ThirdParty(item.target, item.claim, item.options, None, probes, dtypes)
    with np.errstate(all="ignore"):
        candidate = make_candidate(item.target, item.made, item.options, None)
        subject.on_ready(candidate.info)

        def run(job: WorkerJob) -> Iterator[Event]:
            with surroundings(item.library, job.dtype):
                for number in range(len(job.tasks)):
                    yield RunEvent(job, number, try_probe(candidate, job.probe_of(number), job.dtype)[0])

        # A check measures in a process of its own, in which no probe was run before.
        first = {d: list(run(subject.measuring_job(d))) for d in dtypes[-1:] if not item.is_narrow}
        for event in (event for job in subject.jobs for event in run(job)):
            assert isinstance(event, RunEvent)
            subject.on_run(event.job, event.task, event.run)
        measure_parts(subject, lambda job: first.pop(job.dtype, None) or run(job))
        [made] = subject.entries()
    return subject, made


def examine(item: Item) -> Score:
    """Return what a check with all probes says of one Adam."""
    seen = entry(item)
    first = next((f for f in seen.findings if f.level == "error"), None)
    judged = [r for r in seen.results if r.probe not in seen.advisory]
    worst = [largest([r for r in judged if r.dtype == dtype]) for dtype in item.dtypes]
    return Score(
        item.target,
        seen.verdict,
        first.area if first else "",
        first.rule if first else "",
        first.observed if first else "",
        all(seen.axes.values()),
        worst[0].worst_ratio,
        worst[-1].worst_ratio,
        worst[0].probe,
        sum(r.status == "undecided" for r in seen.results),
        tuple(f"{f.area} {f.rule}" for f in seen.findings if f.level == "error"),
    )


def largest(results: Sequence[Result]) -> Result:
    """Return the result with the largest finite ratio above 1, or else with the largest ratio."""
    worst = max(results, key=lambda r: r.worst_ratio if math.isfinite(r.worst_ratio) else -1.0)
    return worst if worst.worst_ratio > 1 else max(results, key=lambda r: r.worst_ratio)


def pieces(items: Sequence[Item]) -> Iterator[tuple[str, list[str]]]:
    """Yield the work in chunks of one claim and library, each with the name of the library."""

    def key(item: Item) -> tuple[str, str, str]:
        return item.library, item.claim, str(item.options)

    for (library, *_), group in groupby(sorted(items, key=lambda i: (*key(i), i.target)), key):
        targets = [item.target for item in group]
        for start in range(0, len(targets), CHUNK):
            yield library, targets[start : start + CHUNK]


def examine_all(piece: tuple[str, list[str]], tell: Callable[[Score], object] | None = None) -> list[Score]:
    """Do one piece of work, in a process that may have nothing loaded; tell each score as it is made."""
    library, targets = piece
    load(files(library))
    scores = []
    for target in targets:
        scores.append(examine(ITEMS[target]))
        if tell is not None:
            tell(scores[-1])
    return scores


def run(items: Sequence[Item], processes: int = PROCESSES) -> Iterator[Score]:
    """Yield the scores as they come in."""
    work = sorted(pieces(items), key=lambda piece: -len(piece[1]))
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(processes, context) as pool:
        told = manager.Queue()
        futures = [pool.submit(examine_all, piece, told.put) for piece in work]
        left = len(items)
        while left:
            try:
                yield told.get(timeout=1.0)
                left -= 1
            except queue.Empty:
                for future in futures:
                    if future.done():
                        future.result()  # raises the error of a process

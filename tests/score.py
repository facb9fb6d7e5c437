"""The suite's own score: every Adam of tests/corpus run, judged and diagnosed as ``adamcore check`` does."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CORPUS = Path(__file__).parent / "corpus"
sys.path.insert(0, str(CORPUS))

from register import ITEMS, Item  # noqa: E402 - the corpus is a folder of candidates, not a package

from adamcore.conformance.candidates.targets import adapter  # noqa: E402
from adamcore.conformance.probes import PROBES  # noqa: E402
from adamcore.conformance.settings import DTYPES  # noqa: E402
from adamcore.conformance.subjects import Foreign  # noqa: E402
from adamcore.conformance.worker import run_one  # noqa: E402


@dataclass(frozen=True)
class Score:
    """What the suite said of one Adam of the corpus."""

    target: str
    verdict: str
    area: str  #: the first finding's
    observed: str
    rule: str
    identified: str | None
    axes_fit: bool  #: whether identification found values on every axis
    worst: float  #: its largest error over the bound, on the probe named next
    probe: str
    undecided: tuple[str, ...]
    skipped: int

    @property
    def item(self) -> Item:
        return ITEMS[self.target]

    @property
    def killed(self) -> bool:
        return self.verdict == "deviates"

    @property
    def named(self) -> bool:
        """Whether the first finding has the right area."""
        return self.area in self.item.areas


def load() -> dict[str, Item]:
    """The whole corpus."""
    for file in sorted(CORPUS.glob("*_*.py")):
        importlib.import_module(file.stem)
    return ITEMS


def examine(item: Item) -> Score:
    """Run, judge and diagnose one Adam, in this process, exactly as a check does in others."""
    probes = list(PROBES.values())
    subject = Foreign(item.target, item.claim, item.options, None, probes, DTYPES)
    with np.errstate(all="ignore"):
        candidate = adapter(item.target, item.made, item.options, None)
        subject.ready(candidate.info)
        for job in subject.jobs:
            for number, (_, index) in enumerate(job.tasks):
                run, _ = run_one(candidate, probes[index], job.dtype)
                subject.done(job, number, run)
        [entry] = subject.entries()
    errors = [f for f in entry.findings if f.level == "error"]
    first = errors[0] if errors else None
    judged = [r for r in entry.results if r.probe not in entry.advisory]
    worst = max(judged, key=lambda r: (r.worst_ratio if math.isfinite(r.worst_ratio) else -1.0))
    if not any(0 < r.worst_ratio < math.inf and r.status == "failed" for r in judged):
        worst = max(judged, key=lambda r: r.worst_ratio)
    return Score(
        item.target, entry.verdict, first.area if first else "", first.observed if first else "",
        first.rule if first else "", entry.identified, all(entry.axes.values()),
        worst.worst_ratio, f"{worst.probe} {worst.dtype}",
        tuple(f"{r.probe} {r.dtype}" for r in entry.results if r.status == "undecided"),
        sum(r.status == "skipped" for r in entry.results),
    )  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Score what matches the arguments, or all."""
    import time

    load()
    chosen: Iterable[Item] = [i for t, i in ITEMS.items() if not arguments or any(a in t for a in arguments)]
    for item in chosen:
        start = time.time()
        s = examine(item)
        ok = {"right": not s.killed, "equivalent": not s.killed, "wrong": s.killed and s.named, "other": s.killed and not s.axes_fit}
        print(
            "ok " if ok[item.kind] else "BAD", item.kind, item.name, item.areas, "->", s.verdict, s.area, s.rule,
            "|", s.observed[:90], "|", f"{s.worst:.3g}", s.probe, s.identified, s.undecided[:2], f"{time.time() - start:.1f}s", flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])

"""Timing, interleaved: all contenders of a framework take turns, so that what slows one slows all.

The order of a round is drawn anew for each, the same on every run.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from adamcore.backends.kernels import llvm
from adamcore.conformance.bench import steps_cuda
from adamcore.conformance.bench.contenders import Contender, fits, installed
from adamcore.conformance.bench.steps import Step, memory_traffic
from adamcore.conformance.bench.workloads import WORKLOADS, Shapes, elements

ROUNDS = 60  #: at most
LEAST = 5  #: at least, whatever the budget says
WARM = 3  #: steps before the first round
LONG = 1.0  #: seconds of a step that is warm after one


@dataclass
class Row:
    """One contender on one work."""

    framework: str
    work: str
    name: str
    ours: bool
    baseline: bool
    rounds: int
    seconds: float  #: median
    quartiles: tuple[float, float]
    ratio: float | None  #: to the baseline, the median over rounds
    ratio_quartiles: tuple[float, float] | None
    of_floor: float | None  #: to the memory traffic of the same round, likewise
    first: float  #: seconds of the first step, compilation included
    extra_bytes: int | None  #: peak memory of a step beyond what stood before it
    bytes: int | None = None
    passes: int | None = None
    compilations: int | None = None


@dataclass
class Timing:
    """One contender at work."""

    contender: Contender | None
    step: Step
    first: float = 0.0
    times: list[float] = field(default_factory=list)

    def tick(self, repeat: int) -> None:
        start = time.perf_counter()
        for _ in range(repeat):
            self.step()
        self.times.append((time.perf_counter() - start) / repeat)


def run_all(
    names: Sequence[str], framework: str | None, budget: float, progress: Callable[[str], None]
) -> list[Row]:
    """Time every contender on every work; ``budget`` is the seconds for one framework on one work."""
    rows: list[Row] = []
    frameworks = list(dict.fromkeys(each.framework for each in installed(framework)))
    for name in names:
        for each in frameworks:
            those = [c for c in installed(each) if fits(c, WORKLOADS[name])]
            rows += run_workload(name, WORKLOADS[name], those, budget, progress)
    return rows


def run_workload(
    name: str,
    shapes: Shapes,
    contenders: Sequence[Contender],
    budget: float,
    progress: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    clocks: list[Timing] = []
    if any(each.framework == "torch:cuda" for each in contenders):
        clocks.append(Timing(None, steps_cuda.memory_traffic(shapes)))
    elif llvm.available():
        clocks.append(Timing(None, memory_traffic(shapes, contenders[0].framework)))
    for contender in contenders:
        progress(f"{name}, {contender.framework}: {contender.name}, the first step")
        start = time.perf_counter()
        step = contender.make(shapes)
        step()
        clocks.append(Timing(contender, step, time.perf_counter() - start))
    once = 0.0
    for clock in clocks:
        for _ in range(WARM + 1):
            clock.tick(1)
            if clock.times[-1] > LONG:
                break
        once += clock.times[-1]
        clock.times.clear()
    repeat = 10 if elements(shapes) < 10_000 else 1  # the clock itself takes time
    rounds = max(LEAST, min(ROUNDS, int(budget / (once * repeat + 1e-9))))
    progress(f"{name}, {contenders[0].framework}: {rounds} rounds of {once * repeat:.3g} s")
    turns, order = list(clocks), Random(0)
    for _ in range(rounds):
        order.shuffle(turns)  # nobody always follows the same one, whose threads may still be spinning
        for clock in turns:
            clock.tick(repeat)
    base = next((c for c in clocks if c.contender and c.contender.baseline), None)
    traffic = next((c for c in clocks if c.contender is None), None)
    return [make_row(name, shapes, clock, base, traffic) for clock in clocks]


def make_row(name: str, shapes: Shapes, clock: Timing, base: Timing | None, traffic: Timing | None) -> Row:
    who = clock.contender
    ratios = None if base is None or who is None else ratios_of(clock, base)
    compilations = getattr(clock.step, "compilations", None)
    return Row(
        framework=who.framework if who else base.contender.framework if base and base.contender else "",
        work=name,
        name=who.name if who else "memory traffic",
        ours=bool(who and who.ours),
        baseline=bool(who and who.baseline),
        rounds=len(clock.times),
        seconds=statistics.median(clock.times),
        quartiles=quartiles(clock.times),
        ratio=None if ratios is None else statistics.median(ratios),
        ratio_quartiles=None if ratios is None else quartiles(ratios),
        of_floor=None if traffic is None else statistics.median(ratios_of(clock, traffic)),
        first=clock.first,
        extra_bytes=extra_memory(clock.step) if elements(shapes) >= 1 << 20 else None,
        bytes=getattr(clock.step, "bytes", None),
        passes=getattr(clock.step, "passes", None),
        compilations=None if compilations is None else compilations(),
    )


def ratios_of(a: Timing, b: Timing) -> list[float]:
    return [x / y for x, y in zip(a.times, b.times, strict=True)]


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """The lower and the upper quartile."""
    lower, _, upper = statistics.quantiles(values, n=4, method="inclusive")
    return lower, upper


def extra_memory(step: Step) -> int | None:
    """Peak memory of a step above what stood before it; None where the system can't say.

    Resident memory, or that of the device where a step knows it.
    """
    if hasattr(step, "extra_memory"):
        return int(step.extra_memory())
    clear, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    try:
        step()
        before = read_status(status, "VmRSS")
        clear.write_text("5", encoding="utf-8")  # starts the peak anew
        step()
        return max(0, read_status(status, "VmHWM") - before)
    except OSError:
        return None


def read_status(status: Path, name: str) -> int:
    line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024

"""Timing: all contenders of a framework take turns, so that a busy machine slows all of them.

Each round has another random order, the same in every run of the program.
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

ROUNDS = 60  #: the largest number of rounds
LEAST = 5  #: the smallest number of rounds, for any budget
WARM = 3  #: steps before the first round
LONG = 1.0  #: seconds of a step that needs only one step before the first round


@dataclass
class Row:
    """The figures of one contender on one workload.  The names of the fields are those of the stored run."""

    framework: str
    work: str
    name: str
    ours: bool
    baseline: bool
    rounds: int
    seconds: float  #: median time of a step
    quartiles: tuple[float, float]
    ratio: float | None  #: time over that of the baseline, the median over rounds
    ratio_quartiles: tuple[float, float] | None
    of_floor: float | None  #: time over that of the memory traffic in the same round, the median over rounds
    first: float  #: seconds of the first step, with its compilation
    extra_bytes: int | None  #: peak memory of a step above the memory before it
    bytes: int | None = None  #: bytes that a step moves, if known
    passes: int | None = None  #: fusions and custom calls of a compiled step
    compilations: int | None = None  #: programs that all steps together compiled


@dataclass
class Timing:
    """The step of one contender and its times."""

    contender: Contender | None  #: None for the memory traffic
    step: Step
    first: float = 0.0
    times: list[float] = field(default_factory=list)

    def add_round(self, repeat: int) -> None:
        """Make ``repeat`` steps and keep the time of one."""
        start = time.perf_counter()
        for _ in range(repeat):
            self.step()
        self.times.append((time.perf_counter() - start) / repeat)


def run_all(
    names: Sequence[str], framework: str | None, budget: float, progress: Callable[[str], None]
) -> list[Row]:
    """Time every contender on every workload.

    Args:
        names: the workloads.
        framework: the only framework, or None for all that are available.
        budget: seconds for one framework on one workload.
        progress: called with a line of text before each part.
    """
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
    traffic: Step | None = None,
) -> list[Row]:
    """Time the contenders of one framework on one workload; the first row is the memory traffic.

    Args:
        name: the workload.
        shapes: its shapes.
        contenders: what is timed.
        budget: seconds for all of it.
        progress: called with a line of text before each part.
        traffic: the memory traffic; None takes that which is known for the framework.
    """
    timings: list[Timing] = []
    if traffic is not None:
        timings.append(Timing(None, traffic))
    elif any(each.framework == "torch:cuda" for each in contenders):
        timings.append(Timing(None, steps_cuda.memory_traffic(shapes)))
    elif llvm.available():
        timings.append(Timing(None, memory_traffic(shapes, contenders[0].framework)))
    for contender in contenders:
        progress(f"{name}, {contender.framework}: {contender.name}, the first step")
        start = time.perf_counter()
        step = contender.make(shapes)
        step()
        timings.append(Timing(contender, step, time.perf_counter() - start))
    once = 0.0
    for timing in timings:
        for _ in range(WARM + 1):
            timing.add_round(1)
            if timing.times[-1] > LONG:
                break
        once += timing.times[-1]
        timing.times.clear()
    repeat = 10 if elements(shapes) < 10_000 else 1  # reading the time takes time too
    rounds = max(LEAST, min(ROUNDS, int(budget / (once * repeat + 1e-9))))
    progress(f"{name}, {contenders[0].framework}: {rounds} rounds of {once * repeat:.3g} s")
    turns, order = list(timings), Random(0)
    for _ in range(rounds):
        order.shuffle(turns)  # the threads of the step before may still spin, so that one must vary
        for timing in turns:
            timing.add_round(repeat)
    base = next((c for c in timings if c.contender and c.contender.baseline), None)
    floor = next((c for c in timings if c.contender is None), None)
    return [make_row(name, shapes, timing, base, floor) for timing in timings]


def make_row(name: str, shapes: Shapes, timing: Timing, base: Timing | None, traffic: Timing | None) -> Row:
    who = timing.contender
    ratios = None if base is None or who is None else ratios_of(timing, base)
    compilations = getattr(timing.step, "compilations", None)
    return Row(
        framework=who.framework if who else base.contender.framework if base and base.contender else "",
        work=name,
        name=who.name if who else "memory traffic",
        ours=bool(who and who.ours),
        baseline=bool(who and who.baseline),
        rounds=len(timing.times),
        seconds=statistics.median(timing.times),
        quartiles=quartiles(timing.times),
        ratio=None if ratios is None else statistics.median(ratios),
        ratio_quartiles=None if ratios is None else quartiles(ratios),
        of_floor=None if traffic is None else statistics.median(ratios_of(timing, traffic)),
        first=timing.first,
        extra_bytes=extra_memory(timing.step) if elements(shapes) >= 1 << 20 else None,
        bytes=getattr(timing.step, "bytes", None),
        passes=getattr(timing.step, "passes", None),
        compilations=None if compilations is None else compilations(),
    )


def ratios_of(a: Timing, b: Timing) -> list[float]:
    return [x / y for x, y in zip(a.times, b.times, strict=True)]


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the lower and the upper quartile."""
    lower, _, upper = statistics.quantiles(values, n=4, method="inclusive")
    return lower, upper


def extra_memory(step: Step) -> int | None:
    """Return the peak memory of a step above the memory before it, in bytes, or None if it is unknown.

    This is the memory of the device if the step measures it, and resident memory of the process otherwise.
    """
    if hasattr(step, "extra_memory"):
        return int(step.extra_memory())
    clear, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    try:
        step()
        before = read_status(status, "VmRSS")
        clear.write_text("5", encoding="utf-8")  # resets the peak
        step()
        return max(0, read_status(status, "VmHWM") - before)
    except OSError:
        return None


def read_status(status: Path, name: str) -> int:
    line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024

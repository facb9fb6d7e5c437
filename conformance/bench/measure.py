"""Timing: all contenders of a framework take turns, so that a busy machine slows all of them.

Each round has another random order, the same in every run of the program.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from adamcore.backends.kernels import llvm
from adamcore.conformance.bench import steps_cuda
from adamcore.conformance.bench.contenders import EVICT, Contender, fits, installed
from adamcore.conformance.bench.situations import Situation, between
from adamcore.conformance.bench.step import Step
from adamcore.conformance.bench.steps import memory_traffic
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
    situation: str  #: see :data:`adamcore.conformance.bench.situations.SITUATIONS`
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
    prepare: Callable[[], None] = lambda: None  #: called before each round, and not timed

    def add_round(self, repeat: int) -> None:
        """Make ``repeat`` steps and keep the time of one."""
        self.prepare()
        start = time.perf_counter()
        for _ in range(repeat):
            self.step()
        self.times.append((time.perf_counter() - start) / repeat)


def run_all(
    names: Sequence[str],
    situations: Sequence[Situation],
    framework: str | None,
    budget: float,
    progress: Callable[[str], None],
) -> list[Row]:
    """Time every contender on every workload.

    Args:
        names: the workloads.
        situations: what surrounds the steps.
        framework: the only framework, or None for all that are available.
        budget: seconds for one framework on one workload, in all situations together.
        progress: called with a line of text before each part.
    """
    rows: list[Row] = []
    frameworks = list(dict.fromkeys(each.framework for each in installed(framework)))
    for name in names:
        for each in frameworks:
            those = [c for c in installed(each) if fits(c, WORKLOADS[name])]
            rows += run_workload(name, WORKLOADS[name], situations, those, budget, progress)
    return rows


def run_workload(
    name: str,
    shapes: Shapes,
    situations: Sequence[Situation],
    contenders: Sequence[Contender],
    budget: float,
    progress: Callable[[str], None] = lambda text: None,
    traffic: Step | None = None,
) -> list[Row]:
    """Time the contenders of one framework on one workload; the first row of a situation is the traffic.

    Args:
        name: the workload.
        shapes: its shapes.
        situations: what surrounds the steps.
        contenders: what is timed.
        budget: seconds for all of it.
        progress: called with a line of text before each part.
        traffic: the memory traffic; None takes that which is known for the framework.
    """
    timings: list[Timing] = []
    framework = contenders[0].framework
    if traffic is not None:
        timings.append(Timing(None, traffic))
    elif framework == "torch:cuda":
        timings.append(Timing(None, steps_cuda.memory_traffic(shapes)))
    elif llvm.available():
        timings.append(Timing(None, memory_traffic(shapes, framework)))
    for contender in contenders:
        progress(f"{name}, {framework}: {contender.name}, the first step")
        start = time.perf_counter()
        step = contender.make(shapes)
        step()
        timings.append(Timing(contender, step, time.perf_counter() - start))
    evict = EVICT[framework]()
    rows: list[Row] = []
    for situation in situations:
        taking_part = [
            replace(timing, prepare=prepare, times=[])
            for timing in timings
            if (prepare := between(situation, timing.step, evict)) is not None
        ]
        if any(timing.contender for timing in taking_part):
            label = f"{name}, {framework}, {situation.name}"
            take_turns(label, shapes, situation, taking_part, budget / len(situations), progress)
            base = next((c for c in taking_part if c.contender and c.contender.baseline), None)
            floor = next((c for c in taking_part if c.contender is None), None)
            rows += [make_row(name, situation, shapes, timing, base, floor) for timing in taking_part]
    return rows


def take_turns(
    label: str,
    shapes: Shapes,
    situation: Situation,
    timings: Sequence[Timing],
    budget: float,
    progress: Callable[[str], None],
) -> None:
    """Let the steps take turns for a number of rounds that keeps to the budget."""
    once = 0.0
    for timing in timings:
        for _ in range(WARM + 1):
            start = time.perf_counter()
            timing.add_round(1)
            took = time.perf_counter() - start
            if took > LONG:
                break
        once += took
        timing.times.clear()
    # reading the time takes time too
    repeat = 10 if elements(shapes) < 10_000 and not situation.training else 1
    rounds = max(LEAST, min(ROUNDS, int(budget / (once * repeat + 1e-9))))
    progress(f"{label}: {rounds} rounds of {once * repeat:.3g} s")
    turns, order = list(timings), Random(0)
    for _ in range(rounds):
        order.shuffle(turns)  # the threads of the step before may still spin, so that one must vary
        for timing in turns:
            timing.add_round(repeat)


def make_row(
    name: str,
    situation: Situation,
    shapes: Shapes,
    timing: Timing,
    base: Timing | None,
    traffic: Timing | None,
) -> Row:
    who, step = timing.contender, timing.step
    ratios = None if base is None or who is None else ratios_of(timing, base)
    return Row(
        framework=who.framework if who else base.contender.framework if base and base.contender else "",
        work=name,
        situation=situation.name,
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
        extra_bytes=extra_memory(step) if elements(shapes) >= 1 << 20 else None,
        bytes=step.bytes,
        passes=step.passes,
        compilations=None if step.compilations is None else step.compilations(),
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
    if step.extra_memory is not None:
        return step.extra_memory()
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

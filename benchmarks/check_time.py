"""Where the time of a check of one candidate goes: ``python benchmarks/check_time.py [TARGET]``.

Printed are CPU seconds of this process, which judges while the workers run, and of the workers,
for one probe (that is, start and framework import), for a full check and for a quick one; then the
parts of judging. Bounds and exact answers are kept within a process, so each has one of its own.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import resource
import subprocess
import sys
import time
from pathlib import Path

PARTS = {
    "bounds": ("tolerance.py", "bounds"),
    "exact answers": ("exact.py", "exact"),
    "comparison and the rest of judging": ("judge.py", "judge"),
    "identification, diagnosis": ("findings.py", "explain"),
}  # fmt: skip

KINDS = ("one probe", "full", "quick", "parts")


def measure(target: str, what: str) -> dict[str, float]:
    """One check, in this process and its workers."""
    from adamcore.conformance import check  # imported before the clock starts
    from adamcore.conformance.verdict import identify, judge  # imported before the clock starts

    assert identify is not None
    assert judge is not None
    wall, cpu = time.perf_counter(), time.process_time()
    report = check(
        target, quick=what == "quick", probes=["STEP.1/fingerprint"] if what == "one probe" else ()
    )
    found = {"wall, s": time.perf_counter() - wall, "CPU of the parent, s": time.process_time() - cpu}
    assert report.entries[0].verdict == "conforms", report.entries[0].reason
    workers = resource.getrusage(resource.RUSAGE_CHILDREN)
    found["CPU of the workers, s"] = workers.ru_utime + workers.ru_stime
    for who, name in ((resource.RUSAGE_SELF, "parent, MB"), (resource.RUSAGE_CHILDREN, "a worker, MB")):
        found[name] = resource.getrusage(who).ru_maxrss / 1024
    return found


def shares(target: str) -> dict[str, float]:
    """The parts of judging as fractions, by a profile."""
    from adamcore.conformance import check

    profile = cProfile.Profile(time.process_time)
    profile.runcall(check, target)
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    total = sum(row[2] for row in stats.values())
    taken = dict.fromkeys(PARTS, 0.0)
    for (file, _, name), row in stats.items():
        for part, where in PARTS.items():
            taken[part] += row[3] * ((Path(file).name, name) == where)
    taken["comparison and the rest of judging"] -= taken["bounds"] + taken["exact answers"]
    return {part: seconds / total for part, seconds in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("target", nargs="?", default="torch.optim:AdamW")
    parser.add_argument("--what", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.what:
        found = shares(options.target) if options.what == "parts" else measure(options.target, options.what)
        print(json.dumps(found))
        return
    for what in KINDS:
        words = [sys.executable, __file__, options.target, "--what", what]
        found = json.loads(subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout)
        print(f"{what}, {options.target}")
        for name, value in found.items():
            print(f"  {value:8.0%}  {name}" if what == "parts" else f"  {value:8.1f}  {name}")


if __name__ == "__main__":
    main()

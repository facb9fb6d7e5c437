"""A run as rows of text, for the terminal and for docs/performance.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adamcore.conformance.bench.situations import SITUATIONS

HEAD = ("", "time", "ratio", "quartiles", "of traffic", "extra", "moved", "passes", "first", "compiled")
ABOUT = (
    "ratio: to the framework's own, the median over the rounds; of traffic: to reading p, g, m, v and "
    "writing p, m, v in the same round; extra: peak memory of a step beyond what stood before it; moved: "
    "bytes an element, where they are known; passes: fusions and custom calls; first: the first step, "
    "compilation included; compiled: how many programs all steps took"
)


def tables(document: dict[str, Any]) -> list[tuple[str, list[Sequence[str]]]]:
    """Return the title and the rows of each workload in each situation, in the order of the run."""
    works = {row["work"]: None for row in document["rows"]}
    return [
        (f"{work}, {situation}", rows)
        for work in works
        for situation in SITUATIONS
        if (rows := [cells(r) for r in document["rows"] if (r["work"], r["situation"]) == (work, situation)])
    ]


TARGET_HEAD = ("", "time", "GB/s", "of a copy", "first", "compiled")
TARGET_ABOUT = (
    "GB/s: 28 bytes for each element over the time; of a copy: the speed of reading p, g, m, v and writing "
    "p, m, v in the same round is 1; first: the first step, compilation included; compiled: how many programs"
)


def target_cells(row: dict[str, Any]) -> Sequence[str]:
    """Return the row of a candidate that is timed beside a copy of memory."""
    return (
        row["work"],
        seconds(row["seconds"]),
        f"{row['bytes'] / row['seconds'] / 1e9:.3g}",
        "" if row["of_floor"] is None else f"{1 / row['of_floor']:.2f}",
        seconds(row["first"]),
        str(row["compilations"] or 0),
    )


def cells(row: dict[str, Any]) -> Sequence[str]:
    from adamcore.conformance.bench.workloads import WORKLOADS, elements

    name = f"{row['framework']}: {row['name']}"
    moved = None if row["bytes"] is None else row["bytes"] / elements(WORKLOADS[row["work"]])
    return (
        name,
        seconds(row["seconds"]),
        "" if row["ratio"] is None else f"{row['ratio']:.2f}",
        "" if row["ratio_quartiles"] is None else "{:.2f}-{:.2f}".format(*row["ratio_quartiles"]),
        "" if row["of_floor"] is None else f"{row['of_floor']:.2f}",
        "" if row["extra_bytes"] is None else f"{row['extra_bytes'] / 2**20:.1f} MB",
        "" if moved is None else f"{moved:.0f}",
        "" if row["passes"] is None else str(row["passes"]),
        seconds(row["first"]) if row["first"] else "",
        "" if row["compilations"] is None else str(row["compilations"]),
    )


def seconds(value: float) -> str:
    """Return a time with three digits and a unit.

    >>> seconds(0.0123456), seconds(4.2e-6)
    ('12.3 ms', '4.2 us')
    """
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if value * factor >= 1.0 or unit == "us":
            break
    scaled = value * factor
    return f"{scaled:.0f} {unit}" if scaled >= 100 else f"{scaled:.3g} {unit}"


def environment_text(document: dict[str, Any]) -> str:
    """Return the environment in one line."""
    e = document["environment"]
    packages = ", ".join(f"{name} {version}" for name, version in e["packages"].items() if version)
    load = "" if e["load"] is None else f", load {e['load']} before the run"
    machine = f"{e['processor']}, {e['cores']} core{'s' * (e['cores'] != 1)}{load}"
    return f"{machine}; {e['system']}, Python {e['python']}, {packages}; {e['date']}"


def unsupported_lines(document: dict[str, Any]) -> list[str]:
    """Return a line for each framework with the examples that its fast path does not support, and the prices.

    A run that was stored before prices were measured has none.
    """
    prices = document.get("prices", {})
    lines = []
    for framework, reasons in document["unserved"].items():
        paid = {name: f", {ratio:.3g} times" for name, ratio in prices.get(framework, {}).items()}
        if reasons:
            words = [f"{name} ({why}{paid.get(name, '')})" for name, why in reasons.items()]
            lines.append(f"{framework}: " + "; ".join(words))
    return lines

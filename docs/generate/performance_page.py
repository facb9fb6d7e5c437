"""docs/performance.md, from the template performance.in.md and the stored runs in docs/results/.

``python docs/generate/performance_page.py`` writes the page and its plot.  With ``--check`` it writes
nothing and exits with 1 if the page or the plot would change.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from adamcore.conformance.bench import plot, results
from adamcore.conformance.bench import text as bench_text
from adamcore.conformance.bench.situations import SITUATIONS

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent
TEMPLATE = HERE / "performance.in.md"
PAGE, PLOT = DOCS / "performance.md", DOCS / "performance.svg"
RUN, DRIFT = DOCS / "results" / "bench-cpu.json", DOCS / "results" / "drift.json"
NARROW = DOCS / "results" / "narrow.json"
THREADS = [DOCS / "results" / f"bench-{name}.json" for name in ("bfloat16", "float16")]

OPTIMIZER, PLAIN = "adamcore.backends.torch.Adam", "adamcore without machine code"

#: (description, framework, workload, situation, contender, figure, must, aim); "" repeats the description
TARGETS = (
    ("torch.optim.Optimizer, to fused=True", "torch", "100", "training", OPTIMIZER, "ratio", 0.5, 0.3),
    ("", "torch", "1000x1000", "training", OPTIMIZER, "ratio", 0.3, 0.2),
    ("", "torch", "1M", "training", OPTIMIZER, "ratio", 0.75, 0.65),
    ("", "torch", "16M", "training", OPTIMIZER, "ratio", 0.85, 0.8),
    ("", "torch", "gpt2", "training", OPTIMIZER, "ratio", 0.85, 0.8),
    ("", "torch", "16M", "hot", OPTIMIZER, "ratio", 1.0, 0.93),
    ("", "torch", "gpt2", "hot", OPTIMIZER, "ratio", 1.0, 0.93),
    ("Adam.step in PyTorch, to fused=True", "torch", "100", "training", "adamcore", "ratio", 0.5, 0.3),
    ("", "torch", "1000x1000", "training", "adamcore", "ratio", 0.3, 0.2),
    ("", "torch", "16M", "training", "adamcore", "ratio", 0.85, 0.8),
    ("NumPy, to the usual", "numpy", "100", "hot", "adamcore", "ratio", 1.0, 0.7),
    ("NumPy, to memory traffic", "numpy", "16M", "hot", "adamcore", "of_floor", 1.15, 1.03),
    ("NumPy without machine code, to the usual", "numpy", "1M", "hot", PLAIN, "ratio", 0.3, 0.22),
    ("", "numpy", "16M", "hot", PLAIN, "ratio", 0.3, 0.22),
    ("JAX, to optax under jit with donation", "jax", "100", "hot", "adamcore", "ratio", 1.2, 1.0),
    ("", "jax", "1000x1000", "hot", "adamcore", "ratio", 1.0, 0.5),
    ("", "jax", "16M", "training", "adamcore", "ratio", 1.0, 0.6),
    ("in your jit, native()", "jax", "16M", "training", "adamcore under jit, native()", "ratio", 1.0, 0.6),
    ("JAX, the state packed", "jax", "1000x1000", "hot", "adamcore, packed", "ratio", 1.0, 0.5),
    ("JAX, leaves in one vector", "jax", "1000x1000", "hot", "adamcore, flat", "ratio", 0.15, 0.05),
)  # fmt: skip


def main() -> int:
    text, drawing = page(), plot.svg(results.load(RUN))
    if "--check" in sys.argv:
        return int(PAGE.read_text(encoding="utf-8") != text or PLOT.read_text(encoding="utf-8") != drawing)
    PAGE.write_text(text, encoding="utf-8")
    PLOT.write_text(drawing, encoding="utf-8")
    return 0


def page() -> str:
    run, drift = results.load(RUN), json.loads(DRIFT.read_text(encoding="utf-8"))
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, lines in {
        "reached": reached(run),
        "timings": timings(run),
        "left_out": left_out(run),
        "exactness": exactness(drift),
        "dtypes": dtypes(json.loads(NARROW.read_text(encoding="utf-8"))),
        "threads": threads([json.loads(path.read_text(encoding="utf-8")) for path in THREADS]),
    }.items():
        text = text.replace("{" + name + "}", "\n".join(lines))
    return text.rstrip() + "\n"


def reached(run: dict[str, Any]) -> Iterable[str]:
    yield "## Goals\n"
    yield "Each number is a ratio within one run, the median over its rounds; lower is better."
    yield "`must` and `aim` are the goals, and the last column says which of them the run reached.\n"
    lines = []
    what = ""
    for title, framework, work, situation, name, figure, must, aim in TARGETS:
        what = title or what
        row = find(run, framework, work, situation, name)
        if row is None and work == "gpt2":  # of a run with --small
            row, work = find(run, framework, f"{work}-31M", situation, name), f"{work}-31M"
        if row is None or row[figure] is None:
            lines.append((f"{what}, {work}, {situation}", "not in the run", f"{must:.2f}", f"{aim:.2f}", ""))
            continue
        value = row[figure]
        verdict = "aim" if value <= aim else "must" if value <= must else "**missed**"
        lines.append((f"{what}, {work}, {situation}", f"{value:.2f}", f"{must:.2f}", f"{aim:.2f}", verdict))
    yield table(("", "measured", "must", "aim", "reached"), lines)


def timings(run: dict[str, Any]) -> Iterable[str]:
    environment, about = bench_text.environment_text(run), sentence(bench_text.ABOUT)
    yield f"## The run\n\n{environment}.\n\n![ratios](performance.svg)\n\n{about}\n"
    yield "\n".join(f"- **{each.name}**: {each.about}." for each in SITUATIONS.values()) + "\n"
    for title, rows in bench_text.tables(run):
        yield f"### {title}\n"
        used = [k for k in range(len(bench_text.HEAD)) if k == 0 or any(row[k] for row in rows)]
        yield table([bench_text.HEAD[k] for k in used], [[row[k] for k in used] for row in rows])


def left_out(run: dict[str, Any]) -> Iterable[str]:
    yield "## What the fast paths do not serve\n"
    yield (
        "In these cases the backend runs the definition, operation by operation. `adamcore bench` measures\n"
        "the price on your machine: the time of such a step over that of a float32 vector of as many bytes.\n"
    )
    yield "\n".join(f"- {line}" for line in bench_text.unsupported_lines(run)) + "\n"


def dtypes(run: dict[str, Any]) -> Iterable[str]:
    """Yield the table of docs/results/narrow.json."""
    lines = []
    for row in (row for row in run["rows"] if row["whose"] == "adamcore"):
        policy = "" if row["p_storage"] == "plain" else f", `{row['p_storage']}`"
        figure, must = goal(row)
        lines.append(
            (
                f"{row['work']}, {row['p']}{policy}, moments in {row['moments']}",
                f"{row['bytes']:.3g}",
                bench_text.seconds(row["seconds"]),
                f"{row['ratio']:.2f}",
                f"{row['to_float32']:.2f}",
                "" if must is None else f"{must:.2f} {'' if figure == 'ratio' else 'to float32'}".strip(),
                "" if must is None else "must" if row[figure] <= must else "**missed**",
            )
        )
    yield table(("", "bytes an element", "time", "ratio", "to float32", "must", "reached"), lines)
    yield f"{bench_text.environment_text(run)}; {run['rounds']} rounds.\n"


def goal(row: dict[str, Any]) -> tuple[str, float | None]:
    """Return the figure of a row for which there is a goal, and the goal; None if there is none."""
    if row["moments"] == "companded8":
        return "to_float32", 0.75
    if row["p_storage"] == "plain":
        return "ratio", 0.6 if row["p"] == row["moments"] != "float32" else None
    aimed = row["p_storage"] in ("split", "split8", "stochastic") and row["p"] == row["moments"] == "bfloat16"
    return "to_float32", 0.7 if aimed else None


def threads(runs: Sequence[dict[str, Any]]) -> Iterable[str]:
    """Yield the table of the stored runs of the bench in 16 bits, as in training."""
    lines = []
    for run in runs:
        for row in run["rows"]:
            if (row["name"], row["situation"]) == ("adamcore.backends.torch.Adam", "training"):
                lines.append(
                    (
                        f"{row['work']}, {row['framework'].partition(':')[2]}",
                        bench_text.seconds(row["seconds"]),
                        f"{row['ratio']:.2f}",
                        "{:.2f} to {:.2f}".format(*row["ratio_quartiles"]),
                        f"{row['of_floor']:.2f}",
                    )
                )
    yield table(("", "time", "ratio", "quartiles", "of traffic"), lines)
    yield f"{bench_text.environment_text(runs[0])}.\n"


def exactness(drift: dict[str, Any]) -> Iterable[str]:
    steps = sorted({row["step"] for row in drift["rows"]})
    for kind in dict.fromkeys(row["gradients"] for row in drift["rows"]):
        rows = [row for row in drift["rows"] if row["gradients"] == kind]
        lines = []
        for name in dict.fromkeys(row["name"] for row in rows):
            mine = {row["step"]: row for row in rows if row["name"] == name}
            lines.append((name, *(f"{mine[t]['median']:.1f} / {mine[t]['p99']:.0f}" for t in steps)))
        yield table((f"{kind} gradients", *(f"{t} steps" for t in steps)), lines)


def find(run: dict[str, Any], framework: str, work: str, situation: str, name: str) -> dict[str, Any] | None:
    wanted = framework, work, situation, name
    keys = ("framework", "work", "situation", "name")
    return next((row for row in run["rows"] if tuple(row[key] for key in keys) == wanted), None)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


if __name__ == "__main__":
    sys.exit(main())

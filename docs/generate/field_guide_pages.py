"""docs/field-guide/: a table of all implementations measured, and a page for each.

``python docs/generate/field_guide_pages.py [FOLDER]`` writes the pages from docs/results/fieldguide/.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(DOCS.parent))

import readme_results  # noqa: E402 - beside this file

from adamcore import AXES, Adam  # noqa: E402 - fieldguide is found by the line above
from fieldguide.entry import Entry, load_entries  # noqa: E402
from fieldguide.results import Document, load  # noqa: E402
from fieldguide.score import (  # noqa: E402
    Measured,
    against_documentation,
    is_told_apart,
    open_axes,
    score,
    unconfirmed,
)

FOLDER = DOCS / "field-guide"
HEAD = """\
# Field guide: Adams of the world

<!-- Written by `make fieldguide`; do not edit. -->

Each implementation runs in an environment of its own, with the version that its row names.
`adamcore check` holds it to what its source computes, `adamcore identify` finds out which Adam it is, and
a run of up to 10,000 steps shows how far it drifts. Each name leads to a page with the measured equations,
the findings, and a program that shows them.

"""
COLUMNS = (
    "- *differs from Algorithm 1 in*: the measured value on each [axis](../spec.md) on which it is not the "
    "paper's Adam.\n"
    "- *error / bound*: the largest error of any element after any step in any probe, over the "
    "[bound](../tolerance.md) derived for it. Above 1 that probe fails; under the verdict `conforms` it is "
    "one that does not count against an implementation, such as a gradient whose square overflows.\n"
    "- *coefficients*: how 1 - b**t is formed in float32.\n"
    "- *drift*: the median error of 64 parameters after so many steps of float32, in ULP; of 8 parameters "
    "in float64 where there is no float32. It is measured against the Adam that was found, or against the "
    "row of the table of dialects if none was.\n"
    "- *documentation*: the axes on which it does not do what its documentation says.\n"
)
TABLE = (
    "implementation",
    "version",
    "verdict",
    "behaves like",
    "differs from Algorithm 1 in",
    "absent gradient",
    "clock",
    "error / bound, float32",
    "float64",
    "coefficients",
    "drift",
    "documentation",
)
NEAR_MISSES = "They are no Adam, and look like one. `adamcore identify` has to tell them from every Adam.\n"
APART = ("implementation", "version", "what it is", "told apart")
STATUSES = ("passed", "failed", "skipped", "undecided")
FREEZE = ("missing", "clock", "all_missing")
SHOWN_APART = (*FREEZE, "coefficients", "complex")
ADD = """\
## Add an entry

`python -m fieldguide --help` says how to measure. An entry is a table in a file of `fieldguide/entries/`.
The file is the environment that its entries share:

```toml
[environment]
base = "project"                  # on top of what `make` has installed; or "python3.10", bare
packages = ["river==0.26.1"]      # for pip; also without_dependencies, npm, debian, build, variables

[[entry]]
id = "river-adam"                 # the name of its page
name = "river.optim.Adam"
package = "river"
version = "0.26.1"
target = "fieldguide/drivers/river_adam.py:Adam"   # what adamcore check takes
dialect = "river.Adam"            # the row of adamcore/dialects.py that says what its source computes
says = "..."                      # what its documentation says, in your words
link = "https://..."
documented = { epsilon = "outside-uncorrected" }   # the values on axes that it states

[[entry.confirmed]]               # a deviation that was found, once you have read it in the source
area = "epsilon"
rule = "EPS.1"
says = "..."
file = "river/optim/adam.py, lines 1-2"
```

`near_miss = "..."` says what an implementation is that is no Adam, and must be told from one.
"""


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def number(x: float | None) -> str:
    """Return a number with two digits.

    >>> number(0.567), number(6793.95), number(None)
    ('0.57', '6.8e3', '-')
    """
    if x is None:
        return "-"
    return f"{x:.2g}".replace("e+0", "e").replace("e+", "e")


def values(document: Document, axis: str) -> str:
    found = document["axes"].get(axis, [])
    return " or ".join(map(str, found)) if len(found) < len(AXES[axis]) else "any"


def differences(document: Document) -> str:
    """Return the axes on which an implementation is surely not Algorithm 1, with their values."""
    plain = Adam()
    texts = [
        f"{axis}: {values(document, axis)}"
        for axis in AXES
        if axis not in SHOWN_APART
        and document["axes"].get(axis)
        and getattr(plain, axis) not in document["axes"][axis]
    ]
    return ", ".join(texts)


def largest(document: Document, dtype: str) -> str:
    found = document["errors"].get(dtype, {})
    return number(found.get("ratio"))


def drift(document: Document) -> str:
    if not document["drift"]:
        return "-"
    last = document["drift"][-1]
    return f"{number(last['median'])} after {last['steps']:,}{in_float64(document)}"


def in_float64(document: Document) -> str:
    return " in float64" if document["drift"][-1].get("dtype") == "float64" else ""


def behaves_like(entry: Entry, document: Document) -> str:
    if document["identified"]:
        return str(document["identified"])
    if document["fault"]:
        return str(document["fault"])
    return entry.near_miss.partition(":")[0] if entry.near_miss else "an Adam without a row"


def row(entry: Entry, document: Document | None) -> list[str]:
    """Return an entry's cells of the table."""
    name = f"[{entry.name}]({entry.id}.md)"
    if document is None or document["status"] != "measured":
        return [name, entry.version, unmeasured(document), *[""] * (len(TABLE) - 3)]
    return [
        name,
        document["version"],
        document["verdict"],
        behaves_like(entry, document),
        differences(document),
        values(document, "missing") if any(document["axes"].values()) else "",
        values(document, "clock") if any(document["axes"].values()) else "",
        largest(document, "float32"),
        largest(document, "float64"),
        document["precision"] or "-",
        drift(document),
        ", ".join(against_documentation(entry, document)) or ("as stated" if entry.documented else "-"),
    ]


def table(rows: Iterable[Sequence[str]], head: Sequence[str]) -> str:
    """Return a table in Markdown."""
    lines = [list(head), ["---"] * len(head), *[[cell(text) for text in each] for each in rows]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def near_miss_row(entry: Entry, document: Document | None) -> list[str]:
    """Return a near miss' cells of their table."""
    name, what = f"[{entry.name}]({entry.id}.md)", entry.near_miss
    if document is None or document["status"] != "measured":
        return [name, entry.version, what, unmeasured(document)]
    told = "yes" if is_told_apart(entry, document) else f"no, taken for {behaves_like(entry, document)}"
    return [name, document["version"], what, told]


def unmeasured(document: Document | None) -> str:
    return "not measured yet" if document is None else "could not be measured, see its page"


def index(entries: Sequence[Entry], results: dict[str, Document | None]) -> str:
    """Return the text of docs/field-guide/README.md."""
    measured: list[Measured] = [(e, d) for e in entries if (d := results[e.id]) is not None]
    lines = "".join(f"- {line}\n" for line in score(measured, len(entries)).lines)
    adams = [row(entry, results[entry.id]) for entry in entries if entry.dialect or not entry.near_miss]
    others = [
        near_miss_row(entry, results[entry.id]) for entry in entries if not entry.dialect and entry.near_miss
    ]
    return (
        f"{HEAD}{lines}\n## Adams\n\n{table(adams, TABLE)}\n{COLUMNS}\n"
        f"## Near misses\n\n{NEAR_MISSES}\n{table(others, APART)}\n{ADD}"
    )


def page(entry: Entry, document: Document | None) -> str:
    """Return the page of one entry."""
    out = [f"# {entry.name}\n\n<!-- Written by `make fieldguide`; do not edit. -->\n"]
    link = f" ([documentation]({entry.link}))" if entry.link else ""
    out.append(f"`{entry.package}` {entry.version}{link}. {entry.says}".strip() + "\n")
    if entry.near_miss:
        out.append(f"It is no Adam of the table: {entry.near_miss}.\n")
    if entry.note:
        out.append(f"{entry.note}\n")
    if document is None:
        return "\n".join([*out, "It has not been measured yet.\n"])
    if document["status"] != "measured":
        return "\n".join([*out, f"It could not be measured:\n\n```text\n{document['reason']}\n```\n"])
    out += [verdict(entry, document), equations(document), axes(entry, document)]
    out += [precision(document), deviations(entry, document), how(entry, document)]
    return "\n".join(filter(None, out))


def verdict(entry: Entry, document: Document) -> str:
    who = document["identified"]
    if who:
        text = f"It behaves like `{who}`"
        if document["sureness"]:
            text += f"; the next best combination of axes is {number(document['sureness'])} bounds away"
    elif document["fault"]:
        text = (
            f"It is {document['fault']}"
            if document["fault"].startswith("like ")
            else (f"It is an Adam with a fault: {document['fault']}")
        )
    elif any(document["axes"].values()):
        text = "It is an Adam that no row of the table describes"
    else:
        text = "It is none of the Adams known here, nor one with a known fault"
    text += ".\n"
    if entry.dialect:
        text += f"Held to `{document['claimed']}`, what its source computes, it {document['verdict']}.\n"
    elif is_told_apart(entry, document):
        text += "It is told apart from every Adam, as it should be.\n"
    return text


def equations(document: Document) -> str:
    if not document["equations"]:
        return ""
    levers = ", ".join(f"{name}={value:g}" for name, value in document["levers"].items())
    width = max(len(part) for part, _ in document["equations"]) + 2
    lines = "".join(f"{part:<{width}}{text}\n" for part, text in document["equations"])
    return f"## As measured\n\nWith {levers}:\n\n```text\n{lines}```\n"


def axes(entry: Entry, document: Document) -> str:
    if not any(document["axes"].values()):
        return ""
    against = against_documentation(entry, document)
    rows = [
        [f"`{axis}`", values(document, axis), str(entry.documented.get(axis, ""))
         + (" (not so)" if axis in against else "")]
        for axis in AXES
    ]  # fmt: skip
    text = f"## On every axis\n\n{table(rows, ('axis', 'measured', 'documented'))}"
    if left := [axis for axis in open_axes(document) if values(document, axis) != "any"]:
        text += f"\nThe probes leave more than one value of {', '.join(f'`{a}`' for a in left)}.\n"
    return text


def precision(document: Document) -> str:
    rows = []
    for dtype, found in document["errors"].items():
        counts = ", ".join(f"{found[s]} {s}" for s in STATUSES if found[s])
        where = f"`{found['probe']}`" if "probe" in found else ""
        rows.append([dtype, counts, number(found.get("ratio")), where])
    text = f"## Precision\n\n{table(rows, ('dtype', 'probes', 'largest error / bound', 'in'))}"
    if document["precision"]:
        text += f"\nCoefficients in float32: {document['precision']}.\n"
    if document["drift"]:
        steps = [[f"{d['steps']:,}", number(d["median"]), number(d["largest"])] for d in document["drift"]]
        head = (f"steps{in_float64(document) or ' in float32'}", "median error, ULP", "largest error, ULP")
        text += f"\n{table(steps, head)}"
    return text


def deviations(entry: Entry, document: Document) -> str:
    parts = [finding(entry, document, each) for each in document["findings"] if each["level"] == "error"]
    notes = [
        f"- {n['expected']} ({n['rule']}): {n['observed']}"
        for n in document["findings"]
        if n["level"] == "note"
    ]
    text = "## Deviations\n\n" + "\n".join(parts) if parts else ""
    if notes:
        text += ("\n" if text else "") + "## Notes\n\n" + "\n".join(notes) + "\n"
    return text


def finding(entry: Entry, document: Document, found: Document) -> str:
    lines = [f"### {found['observed']}\n", f"{found['rule']} asks: {found['expected']}."]
    if found["measured"]:
        lines.append(f"Measured: {found['measured']}.")
    seen = found["evidence"]
    if seen:
        lines.append(
            f"First in `{seen['probe']}`, step {seen['step']}, parameter {seen['element']}: {seen['got']} "
            f"where {seen['want']} is exact, {number(seen['ulp'])} ULP off; "
            f"the bound is {number(seen['bound_ulp'])} ULP."
        )
    if found["also"]:
        lines.append(f"It also fails {', '.join(found['also'])}.")
    sources = [c for c in entry.confirmed if (c.area, c.rule) == (found["area"], found["rule"])]
    for each in sources:
        lines.append(f"\nIn its source ({each.file}): {each.says}")
    if (found["area"], found["rule"]) in unconfirmed(entry, document):
        lines.append("\nThis has not been compared with its source yet.")
    if found["repro"]:
        language = "py" if "\n" in found["repro"] else "text"  # the tests run what is "python"
        lines.append(f"\n```{language}\n{found['repro'].rstrip()}\n```")
    return "\n".join(lines) + "\n"


def how(entry: Entry, document: Document) -> str:
    where = document["environment"]
    kind = "the short probes, " if document["quick"] else ""
    changed = [
        f"- {c['what']}: {c['before']} in {c['versions'][0]}, {c['after']} in {c['versions'][1]}"
        for c in document.get("changed", [])
        if c["versions"][0] != c["versions"][1]  # else the suite has changed, not the implementation
    ]
    text = "## Measured\n\n"
    text += f"{document['date']}, {kind}Python {where['python']} on {where['machine']}.\n\n"
    text += f"    python -m fieldguide --again --only {entry.id}\n"
    if changed:
        text += "\nChanged since the version before:\n\n" + "\n".join(changed) + "\n"
    return text


def pages() -> dict[str, str]:
    """Return every page by its file's name."""
    entries = load_entries()
    results = {entry.id: load(entry.id) for entry in entries}
    made: dict[str, Any] = {f"{entry.id}.md": page(entry, results[entry.id]) for entry in entries}
    return {"README.md": index(entries, results)} | made


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    made = pages()
    for old in folder.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(*sys.argv[1:2] or [str(FOLDER)]))
    if not sys.argv[1:]:
        readme_results.write()

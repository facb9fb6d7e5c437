"""docs/score.md: how many wrong Adams the suite finds and names, and how many right ones it fails.

``python docs/generate/score_page.py`` writes the page, and with ``--16-bits`` the section on 16 bits alone.
With words as arguments it prints the Adams whose target has one of them and writes nothing.

Every score is kept as soon as it is made, in the file after ``--kept``, or else in build/score.jsonl.  A run
that was broken off goes on from there, as long as no file of the code or the corpus has changed.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1]
CORPUS = DOCS.parent / "tests" / "corpus"
for folder in (CORPUS.parent / "support", CORPUS):
    sys.path.insert(0, str(folder))

from kept_scores import run_kept  # noqa: E402 - found by the lines above
from register import ITEMS  # noqa: E402
from score import IN_16_BITS, Score, load  # noqa: E402

HEAD = """# The suite's score

`make score` writes this page. It runs the suite on `tests/corpus`, which has Adams with one rule broken,
right Adams written in other ways, Adams that look wrong and are right, and optimizers that are no Adam.
Each is held to the claim in its row, as by `adamcore check FILE:NAME --dialect CLAIM`, on every probe in
float32 and float64. A wrong Adam is *killed* if it does not conform. It is *named* if the first finding has
the right area. Which area is right was decided from the code of the Adam, never from what the suite says.
"""

SETS: Mapping[str, Any] = tomllib.loads((CORPUS / "blind_sets.toml").read_text(encoding="utf-8"))
"""What the first score of each set that was written blind said, by how the names of its modules begin."""

HELD_OUT = f"""The faults that the suite knows were written beside this corpus, so the suite was taught what
is scored here. {len(SETS)} sets are exceptions. Each was written by somebody who had not seen how the suite
names a fault, from the specification and from bugs found in the wild. All were scored once before anything in
the suite was changed because of them, `blind_*.py` in part. From the second on, all Adams of a set were
labelled before any of them was scored. The figures at first sight are with these labels. What was mended
because of a set stands above its table; of the first one:

{SETS["held_out"]["note"]}"""

BLIND = tuple(name for name in SETS if name.endswith("blind"))  #: the sets that have tables of their own

GENERATED = """A generator (`tests/corpus/orders.py`) takes the definition and writes its sums, products,
roots and averages in random other forms that are the same function of real numbers, within the family of
[tolerance.md](tolerance.md). The seeds are fixed. Each row has the form of the parameter's update. The slow
tests draw sixty more.
"""

MUTANTS = """A second generator (`tests/corpus/mutants.py`) breaks Adam in one place at random. It has the
text of a step in eleven dialects, each line with the part of the definition that it stands for, and changes
one node of one line: it leaves a term out or doubles it, takes another operand, sign, function, constant or
format, or does so under a condition (a step, a size, a place, a dtype). Or it moves a line, or changes what
is around the step: absent gradients, a saved state, groups, rates, starts. The area follows from the line and
the kind of the change before anything is scored. Its mutants are none of the Adams counted above.

| seeds | named by the parts in float64 | what was mended then |
| --- | --- | --- |
| 0 to 249 | 188 of 250 | what reads a NaN, or arrays that differ, as something else; labels |
| 1000 to 1149 | 133 of 150 | corrections against schedules, what is small, formats of 53 bits; labels |
| 2000 to 2079 | 75 of 80 | places and sizes of arrays (of five, one is right, one wrong in float32 alone) |
| 4000 to 4079 | 67 of 80 | squares below 0, signs, what an array's size cuts, what small numbers lose |
| 4100 to 4179 | 73 of 80 | squares that are lost (of seven, one is right, three are wrong in float32 alone) |
| 4200 to 4279 | 73 of 80 | parameters that are replaced, NaN beside a maximum (of seven, one is right) |
| 4300 to 4379 | 74 of 80 | a parameter whose sign turns (of six, four are wrong in float32 alone) |
"""

SECTION = "## In 16 bits"
NARROW = """`low_precision_*.py` has Adams whose parameters are of bfloat16 or float16, under every policy of
[precision.md](precision.md), which the claim names. Each is held to it in one dtype, as by `adamcore check
FILE:NAME --dtype DTYPE` with `--storage` and `--moments`, on {probes} short probes. They were written beside
the faults that the suite knows in 16 bits (`conformance/verdict/narrow_faults.py`), so that the share of
those named is what it was taught. None of them is counted in the tables above.
"""

MARGIN = """A *margin* is the largest error as a fraction of its bound, over all probes; above 1 a run fails.
An Adam is near the edge if its margin is near 1: from above for a wrong Adam, from below for a right one.
`exact` stands for a failure without such a number: something moved that must stand still, a step raised or
should have raised, or a NaN.
"""


def page(scores: Iterable[Score]) -> str:
    """The whole page, the same for the same scores."""
    scores = sorted(scores, key=lambda s: (s.item.file, s.item.name))
    narrow, scores = [s for s in scores if s.item.is_narrow], [s for s in scores if not s.item.is_narrow]
    of = {
        kind: [s for s in scores if s.item.kind == kind] for kind in ("wrong", "right", "equivalent", "other")
    }
    generated = [s for s in of["right"] if s.item.generated]
    of["right"] = [s for s in of["right"] if not s.item.generated]
    clean = of["right"] + of["equivalent"] + generated
    parts = [HEAD, summary(of, clean), HELD_OUT, held_out(scores), MARGIN, edge(of["wrong"], clean)]
    parts += ["## Wrong Adams\n", wrong_table([s for s in of["wrong"] if not is_blind(s)])]
    parts += ["## Right Adams\n", right_table([s for s in of["right"] if not is_blind(s)])]
    parts += ["## Generated orders of evaluation\n", GENERATED, right_table(generated)]
    parts += ["## Broken at random\n", MUTANTS]
    for name in BLIND:
        of_set = [s for s in scores if s.item.file.startswith(name)]
        parts += [f"## {heading(name)}\n", SETS[name]["note"], blind_table(of_set)]
    parts += ["## Looks wrong, is right\n", equivalent_table(of["equivalent"])]
    parts += ["## No Adam\n", other_table(of["other"]), narrow_section(narrow)]
    return "\n".join(parts)


def narrow_section(scores: Sequence[Score]) -> str:
    """The Adams in 16 bits."""
    scores = sorted(scores, key=lambda s: (s.item.kind == "right", s.item.file, s.item.name))
    wrong = [s for s in scores if s.item.kind == "wrong"]
    right = [s for s in scores if s.item.kind == "right"]
    counts = [
        ("wrong Adams in 16 bits that are killed", share(sum(s.killed for s in wrong), len(wrong))),
        ("with the right area first", share(sum(s.killed and s.named for s in wrong), len(wrong))),
        ("right Adams in 16 bits", alarms(right)),
    ]
    rows = [
        (
            code(s),
            s.item.about,
            ways(s.item.options),
            " and ".join(s.item.dtypes),
            " or ".join(s.item.areas) or "right",
            s.item.rule,
            "killed" if s.killed else "passed" if s.verdict == "conforms" else f"**{s.verdict}**",
            ((s.area if s.named else f"**{s.area}**") + f" {s.rule}").strip() if s.area else "",
            s.item.like,
        )
        for s in scores
    ]
    head = ("Adam", "what it does", "policy", "dtype", "area", "rule", "", "named first", "like")
    return "\n".join(
        [f"{SECTION}\n", NARROW.format(probes=len(IN_16_BITS)), table(("", ""), counts), table(head, rows)]
    )


def ways(options: Mapping[str, str]) -> str:
    """How an Adam keeps its parameters, and its moments if they are not kept plainly."""
    moments = options.get("v_storage")
    return options.get("p_storage", "plain") + (f", moments {moments}" if moments else "")


def with_section(page: str, section: str) -> str:
    """The page with another section on 16 bits at its end."""
    return page.partition(f"\n{SECTION}\n")[0].rstrip("\n") + f"\n\n{section}"


def summary(of: dict[str, list[Score]], clean: Sequence[Score]) -> str:
    wrong, other = of["wrong"], of["other"]
    generated = [s for s in clean if s.item.generated]
    killed = sum(s.killed for s in wrong)
    named = sum(s.killed and s.named for s in wrong)
    libraries = Counter(s.item.library for s in wrong)
    rows = [
        ("wrong Adams", f"{len(wrong)} ({', '.join(f'{libraries[n]} {n}' for n in sorted(libraries))})"),
        ("killed", share(killed, len(wrong))),
        ("right area named first", share(named, len(wrong))),
        ("right and equivalent Adams", f"{len(of['right'])} and {len(of['equivalent'])}"),
        ("right Adams in generated orders of evaluation", alarms(generated)),
        ("false alarms", str(sum(s.verdict != "conforms" for s in clean))),
        (
            "no Adam: killed, and identified as none",
            f"{sum(s.killed for s in other)} and {sum(not s.identified for s in other)} of {len(other)}",
        ),
        ("claims held to", str(len({(s.item.claim, str(s.item.options)) for s in [*wrong, *clean, *other]}))),
    ]
    return table(("", ""), rows)


def alarms(right: Sequence[Score]) -> str:
    """How many right Adams there are, and how many of them fail."""
    failed = sum(s.verdict != "conforms" for s in right)
    return f"{len(right)}, {failed or 'no'} alarm{'s' if failed > 1 else ''}"


def held_out(scores: Sequence[Score]) -> str:
    """The scores of the sets that were held out, at first sight and now."""
    rows = []
    for name, first in SETS.items():
        chosen = [s for s in scores if s.item.file.startswith(name)]
        wrong = [s for s in chosen if s.item.kind == "wrong"]
        failed = sum(s.verdict != "conforms" for s in chosen if s.item.kind == "right")
        now = sum(s.killed for s in wrong), sum(s.killed and s.named for s in wrong)
        rows.append(
            (
                f"`{name}_*.py`",
                *(share(first[what], first["wrong"]) for what in ("killed", "named")),
                first["alarms"],
                *(share(count, len(wrong)) for count in now),
                failed,
            )
        )
    return table(
        ("held out", "killed at first sight", "named", "alarms", "killed now", "named", "alarms"), rows
    )


def edge(wrong: Sequence[Score], clean: Sequence[Score]) -> str:
    ratios = [s.worst for s in clean if s.verdict == "conforms"]
    margins = [s.worst for s in wrong if s.killed]
    single = [s.worst32 for s in wrong if s.killed]
    rows = [
        (
            "right Adams beyond 1/2 of the bound: they would fail if it were halved",
            sum(r > 0.5 for r in ratios),
        ),
        ("right Adams beyond 1/4 of it: if it were quartered", sum(r > 0.25 for r in ratios)),
        ("wrong Adams within 2 bounds: they would pass if it were doubled", sum(r <= 2 for r in margins)),
        ("wrong Adams within 10 bounds", sum(r <= 10 for r in margins)),
        ("wrong Adams that float32 alone does not kill", sum(r <= 1 for r in single)),
        ("wrong Adams within 10 bounds in float32", sum(1 < r <= 10 for r in single)),
        ("the right Adam nearest to the edge", digits(max(ratios, default=0.0))),
        ("the wrong Adam nearest to the edge", digits(min(margins, default=math.inf))),
    ]
    return table(("How far from the edge", ""), rows)


def wrong_table(scores: Sequence[Score]) -> str:
    rows = [
        (
            code(s),
            s.item.about,
            claim(s),
            " or ".join(s.item.areas),
            s.item.rule,
            "killed" if s.killed else f"**{s.verdict}**",
            (s.area if s.named else f"**{s.area or 'nothing'}**") + f" {s.rule}".rstrip(),
            digits(s.worst32),
            digits(s.worst64),
            s.probe,
            s.item.like,
        )
        for s in scores
    ]
    return table(
        (
            "Adam",
            "what it does",
            "claim",
            "area",
            "rule",
            "",
            "named first",
            "float32",
            "float64",
            "probe",
            "like",
        ),
        rows,
    )


def is_blind(score: Score) -> bool:
    return score.item.file.startswith(BLIND)


def heading(name: str) -> str:
    """Return the heading of a set that was written blind.

    >>> heading("blind"), heading("twentyfirst_blind")
    ('Written blind', 'Written blind a twenty-first time')
    """
    time = re.sub("^(twenty|thirty)(?!_)", r"\1-", name.removesuffix("blind").rstrip("_"))
    return f"Written blind a {time} time" if time else "Written blind"


def blind_table(scores: Sequence[Score]) -> str:
    """A set that was held out: wrong Adams, then right ones."""
    rows = [
        (
            code(s),
            s.item.about,
            claim(s),
            " or ".join(s.item.areas) or "right",
            s.item.rule,
            "killed" if s.killed else "passed" if s.verdict == "conforms" else f"**{s.verdict}**",
            ((s.area if s.named else f"**{s.area}**") + f" {s.rule}").strip() if s.area else "",
            digits(s.worst),
            s.item.like,
        )
        for s in sorted(scores, key=lambda s: s.item.kind == "right")
    ]
    return table(("Adam", "what it does", "claim", "area", "rule", "", "named first", "margin", "like"), rows)


def right_table(scores: Sequence[Score]) -> str:
    rows = [
        (code(s), s.item.about, claim(s), passed(s), digits(s.worst32), digits(s.worst64), s.probe)
        for s in sorted(scores, key=lambda s: (-s.worst, s.target))
    ]
    return table(("Adam", "what it does", "claim", "", "float32", "float64", "probe"), rows)


def equivalent_table(scores: Sequence[Score]) -> str:
    rows = [(code(s), s.item.about, s.item.why, claim(s), passed(s), digits(s.worst)) for s in scores]
    return table(("Adam", "what it does", "why it is right", "claim", "", "worst"), rows)


def other_table(scores: Sequence[Score]) -> str:
    rows = [
        (
            code(s),
            s.item.about,
            s.item.like,
            claim(s),
            "killed" if s.killed else f"**{s.verdict}**",
            "**an Adam**" if s.identified else "none",
            digits(s.worst),
        )
        for s in scores
    ]
    return table(("optimizer", "what it does", "after", "claim", "", "identified", "margin"), rows)


def line(score: Score) -> str:
    """One score for a terminal."""
    item = score.item
    said = f"{score.area} {score.rule}: {score.observed}" if score.area else ""
    mark = "ok  " if score.good else "BAD "
    expected = "|".join(item.areas) or item.kind
    return f"{mark}{item.name} [{expected}] {score.verdict} {digits(score.worst)} {score.probe} -> {said}"


def code(score: Score) -> str:
    return f"`{score.item.file}:{score.item.name}`"


def claim(score: Score) -> str:
    options = ", ".join(f"{name}={value}" for name, value in score.item.options.items())
    return score.item.claim + (f"({options})" if options else "")


def passed(score: Score) -> str:
    return "passed" if score.verdict == "conforms" else f"**{score.verdict}**: {score.observed}"


def share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / max(whole, 1):.1f} %)"


def digits(ratio: float) -> str:
    """Two digits, so that the last bits of a machine's library do not show."""
    if not math.isfinite(ratio):
        return "exact"
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0e}".replace("e+0", "e").replace("e+", "e")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return (
        "\n".join("| " + " | ".join(str(c).replace("|", "\\|") for c in row) + " |" for row in lines) + "\n"
    )


def main(arguments: Sequence[str]) -> None:
    """Score what matches the words and print it, or all and write docs/score.md."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    options = parsed(arguments)
    load()
    narrow = options.narrow and not options.words
    words = ["low_precision_"] if narrow else options.words
    chosen = [item for target, item in ITEMS.items() if not words or any(word in target for word in words)]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    scores = []
    with Progress(*columns) as progress:
        task = progress.add_task("scoring", total=len(chosen))
        for score in run_kept(chosen, options.kept):
            scores.append(score)
            progress.advance(task)
            if words or not score.good:
                progress.console.print(line(score), markup=False, highlight=False, soft_wrap=True)
    file = DOCS / "score.md"
    if narrow:
        text = with_section(file.read_text(encoding="utf-8"), narrow_section(scores))
        file.write_text(text, encoding="utf-8")
    elif not words:
        file.write_text(page(scores), encoding="utf-8")


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The score of the suite on tests/corpus, as docs/score.md.")
    parser.add_argument("words", nargs="*", help="print the Adams whose target has one of these words")
    parser.add_argument("--16-bits", dest="narrow", action="store_true", help="the section on 16 bits alone")
    kept = DOCS.parent / "build" / "score.jsonl"
    parser.add_argument("--kept", type=Path, default=kept, help="the file that keeps each score")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])

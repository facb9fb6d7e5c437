"""docs/spec.md against the code: its rules, its axes, its table of names."""

from __future__ import annotations

import re

from paths import ROOT

from adamcore.axes import AXES
from adamcore.dialects import DIALECTS, dialect

SPEC = (ROOT / "docs" / "spec.md").read_text(encoding="utf-8")
FAMILY = "MOM|BC|EPS|DEC|AMS|NES|MAX|STEP|CLK|LR|CPX|NF|NUM|STATE|STORE|SCALE|CLIP|SPARSE"
RULE = re.compile(rf"(?<![\w.])(?:(?:{FAMILY})\.\d+|F[1-6])(?![\w.]*\w)")
HEADINGS = re.findall(r"^### (\S+)", SPEC, re.MULTILINE)
SOURCES = [
    path
    for folder in ("adamcore", "backends", "conformance", "docs")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".md")
]


def test_every_rule_has_one_heading() -> None:
    assert len(HEADINGS) == len(set(HEADINGS))
    assert all(RULE.fullmatch(heading) for heading in HEADINGS)


def test_no_file_speaks_of_a_rule_that_is_not_there() -> None:
    spoken_of = {path: set(RULE.findall(path.read_text(encoding="utf-8"))) for path in SOURCES}
    assert {path: rules - set(HEADINGS) for path, rules in spoken_of.items() if rules - set(HEADINGS)} == {}


def test_every_rule_but_conventions_says_must_or_may() -> None:
    sections = re.split(r"^### ", SPEC, flags=re.MULTILINE)[1:]
    silent = {s.split()[0] for s in sections if not re.search(r"\b(MUST|SHOULD|MAY)\b", s)}
    assert silent == {"NES.2", "NES.3", "NF.3"}  # a table's row, another row, a range left open


def test_the_axes_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", SPEC, re.MULTILINE)
    stated = {name: tuple(re.findall(r"`([^`]+)`", values)) for name, values in rows if name in AXES}
    assert stated == {name: tuple(map(str, values)) for name, values in AXES.items()}


def test_the_names_of_states_are_those_of_the_dialects() -> None:
    table = SPEC.split("| dialect | t | m | v | v_max |")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    assert len(rows) > 20
    for names, *cells in rows:
        stated = {
            ours: cell.split()[0] for ours, cell in zip(("t", "m", "v", "v_max"), cells, strict=True) if cell
        }
        for name in names.split(", "):
            assert dialect(name).state == stated, name


def test_every_dialect_that_the_rules_name_is_in_the_table() -> None:
    libraries = "|".join(sorted({re.escape(n.split(".")[0]) for n in DIALECTS if "." in n}))
    named = set(re.findall(rf"\b(?:{libraries})\.\w*Adam\w*|\boptax\.\w+|\bapex\.contrib\.\w+", SPEC))
    assert len(named) > 20
    assert named <= set(DIALECTS)

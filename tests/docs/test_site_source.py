"""The site: no link leaves it, each rule has its facts, and Sphinx builds it without a warning."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import site_source
import spec_facts
from docs_pages import pages
from paths import ROOT

from adamcore.axes import AXES
from adamcore.conformance.probes import PROBES
from adamcore.dialects import DIALECTS


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    site_source.stage(folder)
    return folder


def test_every_page_is_in_the_site(staged: Path) -> None:
    places = {site_source.place_of(ROOT / page) for page in pages()} - {None}
    assert len(places) > 25
    assert {place for place in places if not (staged / str(place)).exists()} == set()


def test_every_page_stands_in_a_table_of_contents(staged: Path) -> None:
    listed = set()
    for page in (ROOT / "docs" / "site").glob("*.md"):
        for tree in re.findall(r"^```\{toctree\}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
            listed |= {line for line in tree.splitlines() if line and not line.startswith(":")}
    written = {path.relative_to(staged).with_suffix("").as_posix() for path in staged.rglob("*.[mr][ds]*")}
    here = {name for name in written if not name.startswith(("source/", "index", "field-guide/"))}
    there = {name for name in listed if not name.startswith("field-guide/")}
    assert here - there == set(), "a page in no table of contents: name it in docs/site/use.md or a neighbour"
    assert there - here == set(), "a page that is not there"


def test_every_link_leads_to_a_page_of_the_site(staged: Path) -> None:
    lost = []
    for page in staged.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        if not page.is_relative_to(staged / "source"):
            for before, target, *_ in site_source.LINK.findall(site_source.FENCE.sub("", text)):
                name = target.partition("#")[0]
                if before and name and "://" not in name and not (page.parent / name).exists():
                    lost.append((page.name, target))
    assert [each for each in lost if "interactive/" not in each[1]] == []


def test_a_second_time_nothing_is_written(staged: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in staged.rglob("*") if path.is_file()}
    site_source.stage(staged)
    assert {path: path.stat().st_mtime_ns for path in staged.rglob("*") if path.is_file()} == before


def test_what_is_left_of_a_page_that_is_gone_is_removed(staged: Path) -> None:
    (staged / "gone.md").write_text("# Gone\n", encoding="utf-8")
    site_source.stage(staged)
    assert not (staged / "gone.md").exists()


def test_a_link_to_the_interactive_page_is_no_download(staged: Path) -> None:
    page = (staged / "explained.md").read_text(encoding="utf-8")
    assert '<a href="interactive/index.html">' in page
    assert "](interactive/" not in page


def test_every_public_name_is_in_the_reference() -> None:
    """What the build finds out in a minute: a name, or the module whose members are all taken."""
    pytest.importorskip("sphinx")
    import site_extension

    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs/site/api").glob("*.rst"))
    whole = re.findall(r"automodule:: (\S+)\n   :members:(.*)$", text, re.M)
    taken = {module: names.replace(" ", "").split(",") if names else [] for module, names in whole}
    missing = []
    for name in site_extension.public_names():
        module, _, attribute = name.rpartition(".")
        listed = module in taken and (not taken[module] or attribute in taken[module])
        if not (listed or re.search(rf":: (?:{re.escape(name)}|{attribute})$", text, re.M)):
            missing.append(name)
    assert missing == [], "name it in docs/site/api/"


# The rules ---------------------------------------------------------------------------------------


def test_every_probe_stands_at_its_rule(staged: Path) -> None:
    page = (staged / "spec.md").read_text(encoding="utf-8")
    assert {name for name in PROBES if f"- `{name}`: " not in page} == set()


def test_every_rule_has_an_anchor_and_its_own_text() -> None:
    spec = (ROOT / "docs" / "spec.md").read_text(encoding="utf-8")
    page = spec_facts.with_facts(spec)
    rules = re.findall(r"^### (\S+)", spec, re.M)
    assert re.findall(r"^\((\S+)\)=$", page, re.M) == rules
    boxes = re.compile(r"^\(\S+\)=\n|\n*^::::\{admonition\}.*?^::::\n", re.M | re.S)
    assert "".join(boxes.sub("", page).split()) == "".join(spec.split())  # nothing lost, nothing moved


@pytest.mark.parametrize("axis", AXES)
def test_each_dialect_has_one_value_on_an_axis(axis: str) -> None:
    named = [name for names in spec_facts.having(axis).values() for name in names if "(" not in name]
    assert sorted(named) == sorted(DIALECTS)


def test_an_axis_has_its_equation() -> None:
    assert r"\sqrt{v_t + \epsilon" in spec_facts.equation_of("EPS.3")
    assert spec_facts.equation_of("STATE.1") == ""


def test_a_rule_names_who_was_measured_to_break_it() -> None:
    assert "[keras.optimizers.Adam on PyTorch](field-guide/keras-torch-adam.md)" in spec_facts.broken_by(
        "STEP.1"
    )
    assert spec_facts.broken_by("STATE.9") == ""


def test_an_axis_names_who_was_measured_with_a_value() -> None:
    assert "[optax.adamw](field-guide/optax-adamw.md)" in spec_facts.measured_with("decay", "decoupled")
    assert "[optax.adamw](field-guide/optax-adamw.md)" not in spec_facts.measured_with("decay", "l2")


# The whole ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_needs_no_network(tmp_path: Path) -> None:
    pytest.importorskip("sphinx")
    pytest.importorskip("keras")
    command = [
        sys.executable,
        str(ROOT / "docs" / "generate" / "build_site.py"),
        "--out",
        str(tmp_path / "site"),
    ]
    done = subprocess.run(command, text=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "site" / "spec.html").read_text(encoding="utf-8")
    assert 'id="MOM.4"' in page
    assert "<math" in page
    fetched = re.compile(r"<(?:script|img|link)\b[^>]*(?:src|href)=\"(?:https?:)?//[^\"]*\"")
    for path in (tmp_path / "site").rglob("*.html"):
        assert fetched.findall(path.read_text(encoding="utf-8")) == [], path.name

"""The HTML page as a person sees it, in headless Chromium: light, dark, narrow, printed."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chromium import chromium, looking_at
from reports import full

from adamcore.conformance.report.html import render_html

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    return chromium(tmp_path_factory.mktemp("profiles"))


@pytest.fixture(scope="module")
def look(browser: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """What is seen of a page: ``look("dark", 1200)``."""
    text = render_html(full()).replace(
        "<head>", "<head><script>window.alert = () => window.alerted = true</script>", 1
    )
    return looking_at(browser, text, tmp_path_factory.mktemp("page"))


def test_the_outcome_comes_first(look: Callable[..., Any]) -> None:
    text = look("light")["text"]
    assert text.startswith(
        "my.adam:Mine deviates; my/a|dam.py:Bad is broken; my.adam:Old deviates as expected; "
        "torch:cuda is not available; numpy conforms\n"
    )
    text = text.partition("Environment")[2]  # what stands before are links to the parts
    order = [
        "my.adam:Mine is not torch.Adam; it behaves like apex",
        "EPS.1 asks: eps stands beside the root of the corrected v",
        "a program that shows it",
        "of 5 probes failed",
        "known.toml, line 3: unused",
        "Anatomy",
        "m = 0.8 m + 0.2 g",
        "Candidates",
        "Deviations",
        "First divergence",
        "Rules",
        "Dialects",
        "Probes and plots",
        "Environment",
    ]
    places = [text.find(part) for part in order]
    assert -1 not in places, dict(zip(order, places, strict=True))
    assert places == sorted(places)


def test_a_deviation_shows_its_evidence(look: Callable[..., Any]) -> None:
    text = " ".join(look("light")["text"].split())
    assert "First divergence: EPS.1/beside-small-root, step 2, parameter 0[1]" in text
    assert "got 0.75 0x1.8p-1 want 0.5 0x1.0p-1 error 40 ULP bound 4 ULP" in text
    assert "it behaves like apex" in text


def test_markup_in_what_a_candidate_says_is_text(look: Callable[..., Any]) -> None:
    assert "<script>alert('x')</script>" in look("light")["text"]
    assert not look("light")["alerted"]


def test_nothing_is_loaded(look: Callable[..., Any]) -> None:
    assert look("light")["loaded"] == 0


def test_cells_by_number_sign_and_colour(look: Callable[..., Any]) -> None:
    rows = {row["rule"]: row["cells"] for row in look("light")["cells"]}
    assert [cell["text"] for cell in rows["EPS.1"]] == ["✗ 25", "≠ 25", ""]
    assert [cell["text"] for cell in rows["F1"]] == ["✗ !", "≠ !", ""]
    assert [cell["text"] for cell in rows["STEP.1"]] == [".25", ".25", ".25"]
    assert [cell["text"] for cell in rows["F3"]] == ["-", "-", ""]
    assert rows["MOM.2"][0]["text"] == "? .50"
    assert rows["NUM.3"][0]["text"] == "~ 2.0"
    colours = [rows[rule][0]["colour"] for rule in ("STEP.1", "DEC.1", "EPS.1", "F1", "MOM.2")]
    assert len(set(colours)) == len(colours)


def test_what_failed_is_open_and_the_rest_is_not(look: Callable[..., Any]) -> None:
    seen = look("light")
    open_ = {name for name, is_open in seen["open"] if is_open}
    assert open_ == {"c1-EPS.1", "c1-F1"}
    assert {plot["name"] for plot in seen["plots"] if plot["shown"]} == {"beside-small-root", "absent-middle"}


def test_plot_shows_the_error_leave_the_bound(look: Callable[..., Any]) -> None:
    plot = next(p for p in look("light")["plots"] if p["name"] == "beside-small-root" and p["shown"])
    _, top, width, height = plot["svg"]
    assert width > 200
    assert height > 60
    assert plot["error"][1] < plot["bound"][1] - 10, "the curve rises above the bound"
    assert plot["error"][1] + plot["error"][3] > plot["bound"][1], "and starts below it"
    assert plot["crosses"][2] > 50, "two crosses, a step apart"
    assert top <= plot["error"][1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(look: Callable[..., Any], scheme: str) -> None:
    """A contrast of 4.5 at least (WCAG 2, AA), in the plots too."""
    seen = look(scheme)
    assert len(seen["texts"]) > 100
    assert [text for text in seen["texts"] if text[1] < 4.5] == []


def test_dark_is_dark(look: Callable[..., Any]) -> None:
    assert look("dark")["background"] < 0.05
    assert look("light")["background"] > 0.9


@pytest.mark.parametrize("width", [1200, 500, 390])
def test_the_page_itself_never_scrolls_sideways(look: Callable[..., Any], width: int) -> None:
    assert look("light", width)["overflow"] <= 0


@pytest.mark.parametrize("width", [1200, 390])
def test_every_verdict_is_on_the_screen(look: Callable[..., Any], width: int) -> None:
    verdicts = look("light", width)["verdicts"]
    assert len(verdicts) == 5
    assert [box for box in verdicts if box[0] < 0 or box[0] + box[2] > width] == []


@pytest.mark.parametrize("width", [1200, 390])
def test_the_measured_parts_are_drawn(look: Callable[..., Any], width: int) -> None:
    """Four plots within the screen; what was measured is a dot where it is as claimed, else a cross."""
    drawn = look("light", width)["anatomy"]
    assert len(drawn) == 4
    for left, _, wide, high in (figure["svg"] for figure in drawn):
        assert left >= 0
        assert left + wide <= width
        assert wide > 250
        assert high > 90
    assert [figure["crosses"] for figure in drawn] == [False, False, False, True]
    assert all(figure["dots"][2] > 40 for figure in drawn)


@pytest.mark.parametrize("width", [1200, 390])
def test_names_over_the_matrix_do_not_overlap(look: Callable[..., Any], width: int) -> None:
    heads = look("light", width)["heads"]
    assert len(heads) > 2
    assert [pair for pair in itertools.combinations(heads, 2) if intersect(*pair)] == []


def intersect(a: list[float], b: list[float]) -> bool:
    """True if two boxes (left, top, width, height) share more than an edge."""
    return all(a[k] + a[k + 2] > b[k] + 1 and b[k] + b[k + 2] > a[k] + 1 for k in (0, 1))


def test_print_shows_what_was_folded(browser: Callable[..., str], tmp_path: Path) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext here (poppler-utils)")
    (tmp_path / "report.html").write_text(render_html(full()), errors="replace")
    pdf = tmp_path / "report.pdf"
    browser(f"--print-to-pdf={pdf}", "--no-pdf-header-footer", (tmp_path / "report.html").as_uri())
    text = subprocess.run(
        ["pdftotext", "-layout", pdf, "-"], capture_output=True, text=True, check=True
    ).stdout
    for name in ("fingerprint", "zero-gradient", "absent-middle", "step 1"):
        assert name in text, name
    assert "Deviations  " not in text.partition("Candidates")[0], "links within the page are not printed"

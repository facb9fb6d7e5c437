"""The site in headless Chromium, at the widths of a phone and of a desk, light and dark.

It looks at the folder that the variable SITE names: `make browser` builds the site and names it, while other
runs of the tests leave a site alone that may be an old one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from devtools import DESKTOP, PHONE, Page, opened
from paths import ROOT

pytestmark = pytest.mark.browser

SITE = Path(os.environ.get("SITE", "none")).resolve()
READABLE = (ROOT / "tests" / "support" / "readable.js").read_text(encoding="utf-8")
FOCUSED = """(async () => {
  await Promise.all(document.getAnimations().map((one) => one.finished));
  const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
  return { body: e === document.body, name: e.outerHTML.slice(0, 120),
    ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0,
    inside: box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth };
})()"""
LOOKS = [(PHONE, "light"), (PHONE, "dark"), (DESKTOP, "light"), (DESKTOP, "dark")]
STOPS = 40  #: times that Tab is pressed


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if not (SITE / "index.html").exists():
        pytest.skip("no site is named: make browser")
    with opened(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_page_can_be_read(page: Page, width: int, scheme: str) -> None:
    """Nothing is wider than the page, the console says no error, and the contrast is that of WCAG AA."""
    page.look(width, scheme)
    found: dict[str, Any] = {}
    for path in sorted(SITE.rglob("*.html")):
        if "_static" in path.parts:
            continue
        page.open(path.as_uri())
        seen = page.evaluate(READABLE)
        wrong = [*seen["pale"], *page.errors]
        if seen["overflow"] > 0:
            wrong.append(f"{seen['overflow']} pixels wider than the page")
        if wrong:
            found[path.relative_to(SITE).as_posix()] = wrong
    assert found == {}


@pytest.mark.parametrize("name", ["index.html", "start.html", "field-guide/README.html"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_the_keyboard_reaches_what_is_there_and_shows_where_it_is(page: Page, name: str, width: int) -> None:
    page.look(width, "light")
    page.open((SITE / name).as_uri())
    seen = []
    for _ in range(STOPS):
        page.press("Tab", 9)
        focused = page.evaluate(FOCUSED)
        if focused["body"]:
            break
        assert focused["ring"], focused["name"]
        assert focused["inside"], focused["name"]
        seen.append(focused["name"])
    assert len(seen) > 5
    assert len(set(seen)) > 0.8 * len(seen), "it does not turn in a circle"


def test_what_cannot_be_read_is_found(page: Page, tmp_path: Path) -> None:
    page.look(PHONE, "light")
    (tmp_path / "bad.html").write_text(
        "<!doctype html><meta name=viewport content='width=device-width'><body style='background:#fff'>"
        "<p style='color:#999'>pale</p><p style='color:#555'>dark enough</p>"
        "<p style='font-size:30px;color:#888'>large</p>"
        "<div style='background:rgba(0,0,0,.5)'><b style='color:#aaa'>on grey</b></div>"
        "<div style='width:600px'>wide</div><script>console.error('an error'); nowhere()</script>",
        encoding="utf-8",
    )
    page.open((tmp_path / "bad.html").as_uri())
    seen = page.evaluate(READABLE)
    assert [text.rpartition('"')[0].rpartition('"')[2] for text in seen["pale"]] == ["pale", "on grey"]
    assert seen["overflow"] >= 600 - PHONE
    assert len(page.errors) == 2

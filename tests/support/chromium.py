"""Headless Chromium, for tests that look at a page as a person does."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--virtual-time-budget=2000",
]
NARROWEST = 500  #: pixels; a window of Chromium is no narrower, a frame in it can be
LOOK = (ROOT / "tests" / "support" / "look.js").read_text()  #: what a person sees, as JSON in the page


def find_chromium() -> str:
    """Return the path of Chromium; skip the test if there is none."""
    for name in (os.environ.get("CHROMIUM", ""), *NAMES):
        if name and (path := shutil.which(name)):
            return path
    pytest.skip("no Chromium here: `make browser` says how to get one")


def chromium(profiles: Path) -> Callable[..., str]:
    """Return a function that runs Chromium once: ``browser(*arguments)`` is what it prints."""
    found = find_chromium()

    def run(*arguments: str) -> str:
        profile = tempfile.mkdtemp(dir=profiles)
        command = [found, *FLAGS, f"--user-data-dir={profile}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout

    return run


def in_frame(page: str, width: int) -> str:
    """Return a page that shows another in a frame and takes over what was seen there."""
    take = "document.body.append(document.adoptNode(this.contentDocument.getElementById('seen')))"
    frame = (
        f'<iframe style="width:{width}px; height:2000px" srcdoc="{escape(page)}" onload="{take}"></iframe>'
    )
    return f"<!doctype html><meta charset=utf-8><body>{frame}</body>"


def looking_at(browser: Callable[..., str], page: str, folder: Path) -> Callable[..., Any]:
    """Return ``look("dark", 1200)``: what is seen of a page, whose text is given."""
    path = folder / "page.html"
    text = page.replace("</body>", f"<script>{LOOK}</script></body>")

    @cache
    def seen(scheme: str, width: int = 1200) -> Any:
        path.write_text(text if width >= NARROWEST else in_frame(text, width), errors="replace")
        chosen = f"--blink-settings=preferredColorScheme={ {'dark': 0, 'light': 1}[scheme] }"
        out = browser(chosen, f"--window-size={max(width, NARROWEST)},2000", "--dump-dom", path.as_uri())
        packed = out.partition('<pre id="seen">')[2].partition("</pre>")[0]
        assert packed, out[-500:]
        return json.loads(base64.b64decode(packed))

    return seen

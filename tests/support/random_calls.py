"""What tests of random calls share: their number, files that are damaged, the command in this process."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from adamcore.conformance.cli.parser import main

#: How many calls a test makes: a few in every run, and a quarter of 50,000 among the slow tests.
CALLS = pytest.mark.parametrize("calls", [40, pytest.param(12_500, marks=pytest.mark.slow)])
#: Texts as people and machines give them: empty, long, of other scripts, with signs that mean something.
TEXTS = st.sampled_from(
    ["", "a.w", "0", "-1", "nan", "1e400", "ü 漢", "a,b", "=", "x" * 300, "None", "[]", "\n"]
)


def many(calls: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that runs a test of hypothesis on this many examples, however slow one is.

    A few examples are the same in every run; many are new ones.
    """
    return settings(
        max_examples=calls,
        deadline=None,
        database=None,
        derandomize=calls < 1000,
        suppress_health_check=list(HealthCheck),
    )


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Draw a file that is whole, cut off, lengthened, or has other bytes in some places."""
    kind = draw(st.sampled_from(["whole", "cut", "longer", "flipped", "head", "moved"]))
    if kind == "whole" or not content:
        return content
    at = draw(st.integers(0, len(content) - 1))
    if kind == "cut":
        return content[:at]
    if kind == "longer":
        return content + draw(st.binary(min_size=1, max_size=20))
    if kind == "moved":
        return content[at:] + content[:at]
    places = range(min(200, len(content))) if kind == "head" else range(len(content))
    changed = bytearray(content)
    for place in draw(st.lists(st.sampled_from(places), min_size=1, max_size=4)):
        changed[place] = draw(st.integers(0, 255))
    return bytes(changed)


def command(*words: str) -> tuple[int, str, str]:
    """Return the exit status of ``adamcore`` with these words, and what it said on both streams."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(list(words))
        except SystemExit as stop:  # argparse, after a word that it does not know, or --help
            status = int(stop.code or 0)
    return status, out.getvalue(), err.getvalue()

"""Every ``python`` block of every page runs, and every ``adamcore`` command on a page is one.

A block runs in an empty folder.  A comment ``# prints ...`` says what its line prints, further lines below
included.  A block that begins with ``# file: NAME`` is written to that file for the blocks that follow.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from docs_pages import code_blocks, pages
from paths import ROOT

from adamcore.conformance.cli.parser import build_parser

#: Pages whose code needs something around it; their own tests run it.
OWN = {
    "docs/audit.md": "test_audit",
    "docs/checking.md": "test_checking",
    "docs/embedding.md": "test_embedding",
    "docs/kernels.md": "test_kernels",
    "docs/precision.md": "test_precision",
    "docs/pytest.md": "test_reports",
    "docs/reports.md": "test_reports",
    "docs/freeze.zh.md": "test_freeze",
    "docs/sharding.md": "test_sharding",
    "docs/vectors.md": "test_vectors",
}
SLOW = ("docs/keras.md",)  #: pages whose libraries take long to load
LIBRARIES = ("dask", "equinox", "flax", "jax", "keras", "optax", "torch")

#: The programs of the field guide need the implementation that they are about.
RUNS = [
    page
    for page in pages()
    if code_blocks(page, "python") and page not in OWN and not page.startswith("docs/field-guide/")
]


def needed(text: str) -> set[str]:
    """Return the libraries that a block imports, ours aside."""
    named = re.findall(r"^\s*(?:from|import) ([\w., ]+)", text, re.M)
    words = {word.split(".")[0] for line in named for word in re.split(r"[, ]+", line)}
    own = {library for library in LIBRARIES if f"adamcore.backends.{library}" in text}
    return (words & set(LIBRARIES)) | own


def printed(text: str) -> list[str]:
    """Return the lines that a block says it prints."""
    found = re.findall(r"# prints (.*(?:\n#  +.*)*)", text)
    return [re.sub(r"^# +", "", line) for each in found for line in each.splitlines()]


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[pytest.mark.slow] * (page in SLOW)) for page in RUNS]
)
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_code_of_a_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = code_blocks(page, "python")
    for library in sorted(set().union(*map(needed, blocks))):
        pytest.importorskip(library)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for number, block in enumerate(blocks):
        if name := re.match(r"# file: (\S+)\n", block):
            tmp_path.joinpath(name[1]).parent.mkdir(parents=True, exist_ok=True)
            tmp_path.joinpath(name[1]).write_text(block, encoding="utf-8")
            importlib.invalidate_caches()
            continue
        assert output(page, block) == printed(block), f"{page}, block {number}"


def output(page: str, block: str) -> list[str]:
    """Return the lines that a block prints."""
    if page in SLOW:  # a process of its own, with a backend that is here
        command = [sys.executable, "-W", "ignore", "-c", block]
        env = os.environ | {"KERAS_BACKEND": "torch", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=env, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(block, page, "exec"), {"__name__": "__main__"})
    return out.getvalue().splitlines()


@pytest.mark.parametrize("page", OWN)
def test_a_page_with_a_test_of_its_own_has_it(page: str) -> None:
    assert code_blocks(page, "python")
    assert (ROOT / "tests" / "docs" / f"{OWN[page]}.py").exists()


def commands(page: str) -> list[str]:
    """Return the ``adamcore`` commands in the code of a page."""
    text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
    fenced = re.findall(r"^ *```\w*\n(.*?)^ *```$", text, flags=re.M | re.S)
    code = "\n".join([*fenced, *re.findall(r"^    .*$", text, re.M)])
    lines = re.findall(r"^ *(?:\$ |- run: )?adamcore ([a-z][^\n|]*)$", code, re.M)
    return [re.split(r"\s+(?:#|   )|\s{3,}| >|; ", line)[0] for line in lines]


@pytest.mark.parametrize("page", [page for page in pages() if commands(page)])
def test_the_commands_of_a_page_are_commands(page: str) -> None:
    parser = build_parser()
    assert {line: why for line in commands(page) if (why := refusal(parser, shlex.split(line)))} == {}


def refusal(parser: argparse.ArgumentParser, words: list[str]) -> str:
    """Return what the parser says against the words of a command; "" if nothing."""
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            parser.parse_args(words)
    except SystemExit as stop:
        return errors.getvalue() if stop.code else ""
    return ""

"""Reports as files: a wrong path is found before the check, and a file is written whole or not at all."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from html_reader import read
from reports import full

from adamcore.conformance.cli import main
from adamcore.conformance.errors import UsageError
from adamcore.conformance.report.html import render_html
from adamcore.conformance.report.junit import render_junit
from adamcore.conformance.report.markdown import render_markdown
from adamcore.conformance.report.report import Report
from adamcore.conformance.report.write import check_paths, write_all
from adamcore.conformance.settings import FORMATS


def test_empty_report() -> None:
    empty = Report([], full().environment)
    read(render_html(empty))
    ET.fromstring(render_junit(empty).encode())
    assert render_markdown(empty).startswith("# Is it Adam?")


@pytest.mark.parametrize("form", FORMATS)
def test_path_that_cannot_be_written_is_an_error_before_the_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """The candidate does not even exist: nobody looks for it."""
    for path in (tmp_path / "no" / "such" / "file", tmp_path):
        assert main(["check", "no_such_module:Adam", f"--{form}", str(path)]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith(f"adamcore: cannot write {path}: ")
        assert len(said.err.splitlines()) == 1


def test_one_path_for_two_reports(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--json and --html both write"):
        check_paths({"json": str(tmp_path / "a"), "html": f"{tmp_path}/./a"})


def test_a_dash_is_no_file_of_that_name() -> None:
    with pytest.raises(UsageError, match=r"--json -: expected a file; standard output, .* is /dev/stdout"):
        check_paths({"json": "-"})


def test_files_are_whole_or_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = {form: str(tmp_path / f"out.{form}") for form in FORMATS}
    assert write_all(full(), paths) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f"out.{form}" for form in FORMATS)
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}

    def no_space(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", no_space)
    problems = write_all(full(), paths)
    assert problems == [f"cannot write {path}: No space left on device" for path in paths.values()]
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_command_writes_all_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [word for form in FORMATS for word in (f"--{form}", str(tmp_path / form))]
    (tmp_path / "still.py").write_text(
        "class Still:\n def init(self, params, hyper): self.p = params\n"
        " def step(self, grads): return self.p\n"
    )
    target = f"{tmp_path / 'still.py'}:Still"
    assert main(["check", target, "--dtype", "float32", "--probe", "STEP.1/fingerprint", *options]) == 1
    assert "deviates" in capsys.readouterr().out
    assert ET.parse(tmp_path / "junit").getroot().attrib["failures"] == "1"
    drawn = read((tmp_path / "html").read_text())
    assert any("first beyond in step 1" in value for _, _, value in drawn.attributes)
    assert "STEP.1" in (tmp_path / "markdown").read_text()


def test_reports_into_one_pipe_follow_one_another(tmp_path: Path) -> None:
    """As with ``--json /dev/null --html /dev/null``; a file can be that of one report only."""
    os.mkfifo(tmp_path / "pipe")
    paths = {"json": str(tmp_path / "pipe"), "junit": str(tmp_path / "pipe")}
    end = os.open(tmp_path / "pipe", os.O_RDWR | os.O_NONBLOCK)
    try:
        check_paths(paths)
        assert write_all(Report([], full().environment), paths) == []
        said = os.read(end, 1 << 16)
    finally:
        os.close(end)
    assert said.startswith(b"{")
    assert b"<testsuites " in said

"""Output that ends no command: characters that do not fit, a pipe that is closed, a disk that is full."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from check_candidates import write

from adamcore.conformance.cli.output import Output

COMMAND = [sys.executable, "-m", "adamcore.conformance"]
QUICK = ("--quick", "--dtype=float32", "--probe=STEP.1/fingerprint")
FULL = Path("/dev/full")


def test_what_the_encoding_does_not_have_is_replaced() -> None:
    raw = io.BytesIO()
    out = Output(io.TextIOWrapper(raw, encoding="ascii"))
    print("für \ud800", file=out)
    out.flush()
    assert raw.getvalue() == b"f\\xfcr \\ud800\n"
    raw = io.BytesIO()
    out = Output(io.TextIOWrapper(raw, encoding="utf-8"))
    print("für \ud800", file=out)
    out.flush()
    assert raw.getvalue() == "für \\ud800\n".encode()


def test_after_an_error_the_rest_is_dropped() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    out = Output(Full())
    assert out.write("text") == 4
    out.write("more")
    out.flush()
    assert out.lost == "No space left on device"


def test_a_reader_that_went_away_has_lost_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        out = Output(stream)
        out.write("text")
        assert out.lost == ""
        assert out.error is not None


def test_a_process_without_standard_output() -> None:
    out = Output(None)
    assert out.write("text") == 4
    assert not out.isatty()
    assert out.lost == ""


def run(*arguments: str, stdout: int | None = subprocess.PIPE, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [*COMMAND, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=os.environ | environment,
        check=False,
        timeout=120,
    )
    return done.returncode, (done.stdout or b"").decode("ascii", "replace"), done.stderr.decode()


@pytest.mark.parametrize("denominator", ["np.sqrt(v_hat) + eps", "np.sqrt(v_hat + eps)"])
def test_the_status_is_the_verdict_whatever_becomes_of_the_text(tmp_path: Path, denominator: str) -> None:
    target, status = write(tmp_path, denominator), int("v_hat + eps" in denominator)
    reading, writing = os.pipe()
    os.close(reading)
    report = tmp_path / "report.json"
    assert run("check", target, *QUICK, f"--json={report}", stdout=writing)[::2] == (status, "")
    os.close(writing)
    assert '"verdict"' in report.read_text()
    if FULL.exists():
        with FULL.open("wb") as full:
            done = run("check", target, *QUICK, stdout=full.fileno())
        assert done[::2] == (status, "adamcore: standard output: No space left on device\n")


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
def test_a_list_that_was_not_written_is_no_success() -> None:
    with FULL.open("wb") as full:
        status, _, said = run("dialects", stdout=full.fileno())
    assert (status, said) == (2, "adamcore: standard output: No space left on device\n")


def test_text_of_a_candidate_reaches_an_ascii_terminal(tmp_path: Path) -> None:
    path = tmp_path / "says.py"
    path.write_text("raise ValueError('für \\udc80')", encoding="utf-8")
    reports = [f"--{form}={tmp_path / form}" for form in ("json", "junit", "markdown", "html")]
    status, text, said = run("check", f"{path}:Adam", *QUICK, *reports, PYTHONIOENCODING="ascii")
    assert (status, said) == (3, "")
    assert "ValueError: f\\xfcr \\udc80" in " ".join(text.split())  # a long path moves where a line ends
    assert all((tmp_path / form).stat().st_size for form in ("json", "junit", "markdown", "html"))


def test_colour_that_is_asked_for_brings_no_progress_into_a_file(tmp_path: Path) -> None:
    _, text, _ = run("check", write(tmp_path), *QUICK, FORCE_COLOR="1")
    assert "\x1b[1" in text  # bold
    assert "\r" not in text
    assert "checking" not in text


def test_the_width_is_that_of_COLUMNS(tmp_path: Path) -> None:
    target = write(tmp_path)
    assert "STEP.1" in run("probes", COLUMNS="0")[1]  # as if there were none
    for columns in (60, 140):
        _, text, _ = run("check", target, *QUICK, COLUMNS=str(columns))
        assert max(len(line) for line in text.splitlines() if target not in line) <= columns
    narrow = run("probes", "--help", COLUMNS="70")[1]
    usage = narrow[: narrow.index("\n\n")]
    assert max(map(len, usage.splitlines())) <= 70

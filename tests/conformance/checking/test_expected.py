"""Expected deviations: what is excused, that the rest is not, and that the file cannot go stale."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from adamcore.conformance.checking.expected import Expectations, read_expected
from adamcore.conformance.cli import main
from adamcore.conformance.errors import UsageError
from adamcore.conformance.report.report import Entry, Report
from adamcore.conformance.types import Evidence, Finding, Result

TODAY = dt.date(2026, 11, 1)
EVIDENCE = Evidence("EPS.1/beside-small-root", 2, "0[1]", "0x1.8p+0", "0x1.0p+0", 40.0, 4.0)


def report(*, verdict: str = "deviates") -> Report:
    """An Adam with two causes: its epsilon, in both dtypes and two probes, and its decay in one."""
    results = [
        Result("EPS.1/beside-small-root", "float32", "failed", 10.0),
        Result("EPS.1/beside-small-root", "float64", "failed", 10.0),
        Result("STEP.1/fingerprint", "float32", "failed", 3.0),
        Result("DEC.1/coupling", "float32", "failed", 7.0),
        Result("BC.1/first-steps", "float32", "passed", 0.3),
    ]
    findings = [
        Finding("epsilon", "EPS.1", "outside", "inside", evidence=EVIDENCE),
        Finding("decay", "DEC.1", "l2", "none", evidence=Evidence("DEC.1/coupling", 1, "0", "", "", 1, 1)),
    ]
    entry = Entry("my:Adam", "paper", {}, verdict, findings=findings, results=results)  # type: ignore[arg-type]
    return Report([entry], {})


def expectations(folder: Path, *entries: str) -> Expectations:
    """Entries of one target that expire next year, written as ``key = value; key = value``."""
    text = "".join(
        "[[expected]]\n"
        + entry.replace("; ", "\n")
        + "\n"
        + ("" if "target" in entry else 'target = "my:*"\n')
        + ("" if "expires" in entry else "expires = 2027-01-31\n")
        + ("" if "reason" in entry else 'reason = "known"\n')
        for entry in entries
    )
    path = folder / "expected.toml"
    path.write_text(text)
    return read_expected(path)


def applied(folder: Path, *entries: str, narrowed: bool = False, verdict: str = "deviates") -> Report:
    seen = report(verdict=verdict)
    expectations(folder, *entries).apply(seen, today=TODAY, narrowed=narrowed)
    return seen


@pytest.mark.parametrize(
    "entries",
    [
        ('probe = "*"',),
        ('rule = "*"',),
        ('area = "epsilon"', 'area = "decay"'),
        ('rule = "EPS.*"', 'probe = "STEP.1/*"', 'area = "decay"'),
        ('rule = "EPS.1"; dtype = "float32"', 'rule = "EPS.1"; dtype = "float64"', 'rule = "[SD]*"'),
    ],
)  # fmt: skip
def test_all_expected(tmp_path: Path, entries: tuple[str, ...]) -> None:
    seen = applied(tmp_path, *entries)
    [entry] = seen.entries
    assert entry.as_expected
    assert (seen.exit_code, seen.unmet, entry.verdict) == (0, [], "deviates")
    assert set(entry.waived.values()) == {"known"}
    assert len(entry.waived) == 4


@pytest.mark.parametrize(
    "entries",
    [
        (),
        ('area = "epsilon"',),
        ('rule = "EPS.*"', 'rule = "STEP.1"'),
        ('rule = "EPS.*"; dtype = "float64"', 'rule = "STEP.1"', 'rule = "DEC.1"'),
        ('probe = "EPS.1/*"', 'area = "decay"'),
    ],
)
def test_what_was_not_expected_still_fails(tmp_path: Path, entries: tuple[str, ...]) -> None:
    seen = applied(tmp_path, *entries)
    assert not seen.entries[0].as_expected
    assert (seen.exit_code, seen.unmet) == (1, [])


def test_area_does_not_excuse_another_cause_of_the_same_probe(tmp_path: Path) -> None:
    seen = report()
    del seen.entries[0].results[3]  # only the finding says that decay is wrong too
    expectations(tmp_path, 'area = "epsilon"').apply(seen, today=TODAY)
    assert seen.exit_code == 1


def test_unused_entry_fails(tmp_path: Path) -> None:
    seen = applied(tmp_path, 'probe = "*"', 'rule = "BC.1"', 'target = "other:*"; rule = "EPS.1"')
    assert seen.entries[0].as_expected
    assert seen.exit_code == 1
    assert [problem.split(": ")[1] for problem in seen.unmet] == ["unused, nothing of this failed"] * 2
    assert "line 6: unused" in seen.unmet[0]
    assert seen.unmet[0].endswith("my:*, rule BC.1")


def test_expired_entry_excuses_nothing_and_fails(tmp_path: Path) -> None:
    seen = applied(tmp_path, 'probe = "*"; expires = 2026-10-31')
    assert not seen.entries[0].as_expected
    assert "expired on 2026-10-31" in seen.unmet[0]
    assert seen.exit_code == 1


def test_last_day_is_valid(tmp_path: Path) -> None:
    assert applied(tmp_path, 'probe = "*"; expires = 2026-11-01').exit_code == 0


def test_entry_about_what_was_not_run_is_let_be(tmp_path: Path) -> None:
    """--probe and --dtype narrow a check: what lies outside is neither used nor unused."""
    seen = applied(tmp_path, 'probe = "*"', 'rule = "NES.1"', 'rule = "BC.1"', narrowed=True)
    assert [problem.split(": ")[-1] for problem in seen.unmet] == ["my:*, rule BC.1"]


def test_nothing_is_said_of_a_target_that_did_not_run(tmp_path: Path) -> None:
    seen = applied(tmp_path, 'rule = "BC.1"', verdict="broken")
    assert (seen.unmet, seen.exit_code) == ([], 3)


HEAD = '[[expected]]\ntarget = "a:b"\nreason = "r"\nexpires = 2027-01-01\n'
MALFORMED = {
    "[[expected]\n": "not TOML",
    "expected = 3\n": "each entry begins with",
    "[expected]\ntarget = 'a:b'\n": "each entry begins with",
    "[[expect]]\ntarget = 'a:b'\n": "unknown key 'expect'",
    HEAD: "line 1: nothing given, expected one of probe, rule, area",
    HEAD + "rule = 'EPS.1'\narea = 'epsilon'\n": "rule and area given",
    HEAD + "rule = 'EPS.11'\n": "no rule 'EPS.11'; nearest: EPS.1",
    HEAD + "probe = 'STEP.1/fingerprnt'\n": "nearest: STEP.1/fingerprint",
    HEAD + "area = 'epsilom'\n": "no area 'epsilom'; nearest: epsilon",
    HEAD + "area = 5\n": "area is 5, expected text",
    HEAD + "rule = 'EPS.1'\ndtype = 'half'\n": "unknown dtype 'half'",
    HEAD + "rule = 'EPS.1'\ntraget = 'x'\n": "unknown key 'traget'; nearest: target",
    HEAD.replace("2027-01-01", "'2027-01-01'") + "rule = 'EPS.1'\n": "without quotes",
    HEAD.replace("reason = \"r\"", "reason = ' '") + "rule = 'EPS.1'\n": "reason is ' '",
    HEAD.replace('reason = "r"\n', "") + "rule = 'EPS.1'\n": "no 'reason'",
    HEAD + "rule = 'EPS.1'\n\n# why\n" + HEAD + "rule = 'EPS.0'\n": "line 8: no rule 'EPS.0'",
}  # fmt: skip


@pytest.mark.parametrize("text", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "expected.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_expected(path)
    assert MALFORMED[text] in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe", ""])
def test_file_that_cannot_be_read(tmp_path: Path, content: bytes | str | None) -> None:
    path = tmp_path / "expected.toml"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.mkdir()
    with pytest.raises(UsageError, match=r"cannot read|is not UTF-8"):
        read_expected(path)


CANDIDATE = """
class Still:
    def init(self, params, hyper):
        self.p = params
    def step(self, grads):
        return self.p
"""


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A real deviation, excused; an entry about a dtype that was not run; one that is too old."""
    (tmp_path / "still.py").write_text(CANDIDATE)
    path = tmp_path / "expected.toml"
    arguments = [
        "check",
        f"{tmp_path / 'still.py'}:Still",
        "--dtype",
        "float64",
        "--probe",
        "STEP.1/fingerprint",
        "--expected",
        str(path),
    ]
    entry = HEAD.replace("a:b", "*").replace("2027", "2999") + "rule = 'STEP.1'\n"
    path.write_text(entry + entry + "dtype = 'float32'\n")
    assert main(arguments) == 0
    assert "1 deviates as expected" in capsys.readouterr().out
    path.write_text(entry.replace("2999", "2020"))
    assert main(arguments) == 1
    said = capsys.readouterr().out
    assert "expired on 2020-01-01" in " ".join(said.split())
    path.write_text("[[expected]]\n")
    assert main(arguments) == 2
    assert "line 1: no 'target'" in capsys.readouterr().err

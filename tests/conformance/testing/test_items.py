"""The tests that the plugin collects, with real candidates in real processes."""

from __future__ import annotations

import re

import pytest
from plugin_project import NEEDED, run, started

from adamcore.conformance.checking.expected import Expectations
from adamcore.conformance.testing import items

pytest_plugins = ["pytester"]


FEW = (
    "--adam-probe=STEP.1/fingerprint",
    "--adam-probe=EPS.1/beside-small-root",
    "--adam-probe=F3/mask",
    "--adam-dtype=float32",
)


@NEEDED
def test_a_test_for_each_probe(project: pytest.Pytester) -> None:
    """Collected without running it; a path adds the project's own tests; -k chooses."""
    result = run(project, "--adam-target=mine:Right", "--collect-only", "-q", *FEW)
    assert [line for line in result.outlines if "::" in line] == [
        f"mine:Right::{name}[float32]"
        for name in ("STEP.1/fingerprint", "EPS.1/beside-small-root", "F3/mask")
    ]
    result = run(
        project, "test_own.py", "--adam-target=mine:Right", "--collect-only", "-q", "-k", "own or EPS", *FEW
    )
    assert [line for line in result.outlines if "::" in line] == [
        "test_own.py::test_own",
        "mine:Right::EPS.1/beside-small-root[float32]",
    ]
    assert started(project) == 0
    result = run(
        project, "--adam-target=mine:Right", "--adam-dialect=optax.adam", "--collect-only", "-q", *FEW
    )
    assert not any("F3" in line for line in result.outlines), "a probe that this claim has no use for"


@NEEDED
@pytest.mark.slow
def test_16_bits_and_a_policy(project: pytest.Pytester) -> None:
    chosen = ("--adam-probe=STEP.1/fingerprint", "--adam-probe=STORE.*", "--adam-probe=CPX.1/*")
    asked = (
        "--adam-target=mine:Right",
        "--adam-dtype=bfloat16",
        "--adam-storage=split",
        "--collect-only",
        "-q",
    )
    result = run(project, *asked, "--adam-dialect=torch.AdamW", *chosen)
    assert [line for line in result.outlines if "::" in line] == [
        "mine:Right::STEP.1/fingerprint[bfloat16]",
        "mine:Right::STORE.1/short-steps[bfloat16]",
    ]
    result = run(project, *asked[:2], "--adam-storage=half")
    assert any("unknown policy 'half'; expected all, plain" in line for line in result.errlines)


@NEEDED
def test_passes_and_skips(project: pytest.Pytester) -> None:
    result = run(project, "--adam-target=mine:Right", "-rs", *FEW)
    result.assert_outcomes(passed=2, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED * it has no masks of presence"])
    assert started(project) == 1, "one process for all of its probes"


@NEEDED
def test_failure_says_what_is_wrong_and_where(project: pytest.Pytester) -> None:
    """Beside the project's own tests, in two processes of xdist."""
    result = run(project, "test_own.py", "--adam-target=mine:Wrong", "-n", "2", *FEW)
    result.assert_outcomes(passed=1, failed=2, skipped=1)
    text = result.stdout.str()
    assert "epsilon (EPS.1)" in text
    assert "observed  epsilon=inside-corrected" in text
    assert re.search(r"first divergence\n +probe STEP.1/fingerprint, step 1, parameter 0\[0\]\n +got ", text)
    assert re.search(r"  again\n    .*\bmine\b", text, flags=re.S), "how to see it again"
    assert "Traceback" not in text
    assert ".py:" not in text.partition("FAILURES")[2], "a line of Python"
    result.stdout.fnmatch_lines(
        ["FAILED mine:Wrong::STEP.1/fingerprint[[]float32] - parameter 0[[]0[]] leaves*"]
    )
    assert started(project) <= 6, "for each of xdist's: to run the probes, to measure, to shrink what failed"


@NEEDED
def test_broken_candidate(project: pytest.Pytester) -> None:
    result = run(project, "--adam-target=mine:Exits", *FEW)
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(["mine:Exits is broken: exited with status 3 at probe STEP.1/fingerprint"])


@NEEDED
def test_expected_deviations(project: pytest.Pytester) -> None:
    head = '[[expected]]\ntarget = "mine:*"\nreason = "before our time"\nexpires = 2999-01-01\n'
    path = project.path / "known.toml"
    path.write_text(head + 'area = "epsilon"\n')
    result = run(project, "--adam-target=mine:Wrong", "--adam-expected=known.toml", "-rx", *FEW)
    result.assert_outcomes(xfailed=2, skipped=1, passed=1)
    result.stdout.fnmatch_lines(["XFAIL mine:Wrong::STEP.1/fingerprint* - before our time"])
    path.write_text(
        head + 'rule = "EPS.1"\n' + head + 'rule = "F3"\n' + head.replace("2999", "2020") + 'rule = "*"\n'
    )
    result = run(project, "--adam-target=mine:Wrong", "--adam-expected=known.toml", *FEW)
    result.assert_outcomes(xfailed=1, failed=3, skipped=1, passed=1)
    said = result.stdout.str()
    assert "known.toml, line 6: unused, nothing of this failed: mine:*, rule F3" in said
    assert "known.toml, line 11: expired on 2020-01-01" in said


def test_a_check_that_fails_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def fails(targets: list[str], **_: object) -> None:
        made.append(targets)
        raise KeyError("weight_decay")

    monkeypatch.setattr(items, "check", fails)
    checks = items.TargetChecks(["m:A"], Expectations([]))
    for _ in range(2):
        with pytest.raises(KeyError):
            checks.report("m:A")
    assert made == [["m:A"]]

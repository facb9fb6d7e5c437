"""The pytest plugin: its options, and that it does nothing without a target."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from plugin_project import NEEDED, run, started

pytest_plugins = ["pytester"]


@NEEDED
def test_does_nothing_until_asked(project: pytest.Pytester) -> None:
    result = run(project)
    result.assert_outcomes(passed=1)
    assert started(project) == 0


def test_import_loads_nothing_heavy() -> None:
    code = "import sys, json, adamcore.conformance.testing.plugin; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert loaded & {"numpy", "flint", "torch", "jax", "rich", "jinja2"} == set()
    mine = {name for name in json.loads(done.stdout) if name.startswith("adamcore.conformance")}
    packages = {"adamcore.conformance", "adamcore.conformance.testing"}
    assert mine == {*packages, "adamcore.conformance.testing.plugin"}


@NEEDED
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--adam-target=mine",), "ERROR: unknown target 'mine'*"),
        (("--adam-target=mine:Right", "--adam-dialect=torch.Addam"), "*nearest: torch.Adam*"),
        (("--adam-target=mine:Right", "--adam-probe=EPS.99"), "ERROR: no probe 'EPS.99'*"),
        (("--adam-target=mine:Right", "--adam-set=lr"), "ERROR: --set lr: expected NAME=VALUE"),
        (
            ("--adam-target=mine:Right", "--adam-expected=no.toml"),
            "ERROR: cannot read no.toml: No such file*",
        ),
        (("--adam-dialect=paper",), "ERROR: --adam-dialect has no meaning without --adam-target"),
        (
            ("-p", "no:adamcore", "--adam-target=mine:Right"),
            "*unrecognized arguments: --adam-target=mine:Right*",
        ),
    ],
)
def test_usage_errors(project: pytest.Pytester, arguments: tuple[str, ...], said: str) -> None:
    result = run(project, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (result.stdout if "INTERNALERROR" in result.stdout.str() else result.stderr).fnmatch_lines([said])

"""The pytest plugin and assert_conforms, with real candidates in real processes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adamcore.conformance import assert_conforms
from adamcore.conformance.errors import ConformanceError, UsageError
from adamcore.conformance.testing.asserting import importable_target
from adamcore.errors import AdamcoreError

pytest_plugins = ["pytester"]

NEEDED = pytest.mark.skipif(
    not any(e.group == "pytest11" and e.name == "adamcore" for d in distributions() for e in d.entry_points),
    reason="adamcore is not installed, so that pytest does not know its plugin: make installs it",
)
ADAM = '''
import os
import numpy as np

class Right:
    """Counts in a file how often it was started."""

    def init(self, params, hyper):
        self.p, self.h, self.t = params, hyper, 0
        self.m = [np.zeros_like(p) for p in params]
        self.v = [np.zeros_like(p) for p in params]

    def root(self, v, eps):
        return np.sqrt(v) + eps

    def step(self, grads):
        h, self.t = self.h, self.t + 1
        for i, g in enumerate(grads):
            f = g.dtype.type
            g = g + f(h["weight_decay"]) * self.p[i]
            self.m[i] = self.m[i] + f(1 - h["b1"]) * (g - self.m[i])
            self.v[i] = self.v[i] + f(1 - h["b2"]) * (g * g - self.v[i])
            m, v = self.m[i] / f(1 - h["b1"]**self.t), self.v[i] / f(1 - h["b2"]**self.t)
            self.p[i] = self.p[i] - f(h["lr"]) * m / self.root(v, f(h["eps"]))
        return self.p

class Wrong(Right):
    def root(self, v, eps):
        return np.sqrt(v + eps)

class Exits(Right):
    def step(self, grads):
        os._exit(3)

with open("started", "a") as file:
    file.write("x")
'''
FEW = (
    "--adam-probe=STEP.1/fingerprint",
    "--adam-probe=EPS.1",
    "--adam-probe=F3/mask",
    "--adam-dtype=float32",
)


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with candidates and one test of its own."""
    pytester.makepyfile(mine=ADAM, test_own="def test_own(): pass")
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_subprocess("-p", "no:cacheprovider", *arguments, timeout=120)


def started(project: pytest.Pytester) -> int:
    path = project.path / "started"
    return len(path.read_text()) if path.exists() else 0


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
        "test_own.py::test_own", "mine:Right::EPS.1/beside-small-root[float32]"
    ]  # fmt: skip
    assert started(project) == 0
    result = run(
        project, "--adam-target=mine:Right", "--adam-dialect=optax.adam", "--collect-only", "-q", *FEW
    )
    assert not any("F3" in line for line in result.outlines), "a probe that this claim has no use for"


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
    assert re.search(r"first divergence\n +probe STEP.1/fingerprint, step 1, parameter 0\[\]\n +got ", text)
    assert re.search(r"  again\n    .*\bmine\b", text, flags=re.S), "how to see it again"
    assert "Traceback" not in text
    assert ".py:" not in text.partition("FAILURES")[2], "a line of Python"
    result.stdout.fnmatch_lines(
        ["FAILED mine:Wrong::STEP.1/fingerprint[[]float32] - parameter 0[[][]] leaves*"]
    )
    assert started(project) <= 4, "a process in each of xdist's, and one to shrink what failed"


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


# --- from Python ---


class Still:
    """An Adam that stands still; here, so that another process can import it from this file or not."""

    def init(self, params: list[np.ndarray], hyper: dict[str, float]) -> None:
        self.p = params

    def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
        return self.p


FAST: Any = {"probes": ["STEP.1/fingerprint"], "dtypes": ["float32"]}


def test_assert_conforms_raises_with_the_findings() -> None:
    """Of a class that only this test has."""

    class Sitting(Still):
        pass

    assert importable_target(Sitting) is None
    with pytest.raises(ConformanceError) as caught:
        assert_conforms(Sitting, **FAST)
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value, AdamcoreError)
    message = str(caught.value)
    assert message.splitlines()[0].endswith(":Sitting deviates from paper")
    assert "probe STEP.1/fingerprint, step 1, parameter 0[]" in message
    assert message.endswith("1 of 1 probes failed")


def test_assert_conforms_of_a_torch_optimizer() -> None:
    torch = pytest.importorskip("torch")

    Mine = type("Mine", (torch.optim.AdamW,), {})
    report = assert_conforms(Mine, "torch.AdamW", **FAST)
    assert report.entries[0].verdict == "conforms"
    with pytest.raises(ConformanceError, match=r"deviates from torch\.Adam"):
        assert_conforms(Mine, "torch.Adam", **FAST)


def test_assert_conforms_of_an_optax_factory() -> None:
    optax = pytest.importorskip("optax")

    def mine(learning_rate: float, b1: float, b2: float, eps: float) -> Any:
        return optax.adam(learning_rate, b1, b2, eps)

    report = assert_conforms(mine, "optax.adam", **FAST | {"dtypes": ["float32", "float64"]})
    assert [r.status for r in report.entries[0].results] == ["passed", "passed"]


def test_object_that_another_process_can_import_runs_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "far_adam.py").write_text(ADAM.replace("class Exits", "class Mine"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    import far_adam  # type: ignore[import-not-found]

    assert importable_target(far_adam.Right) == "far_adam:Right"
    assert importable_target(far_adam.Right()) is None
    with pytest.raises(ConformanceError, match="far_adam:Mine is broken: exited with status 3"):
        assert_conforms(far_adam.Mine, **FAST)  # os._exit: in this process it would end the tests


def test_assert_conforms_by_name() -> None:
    assert assert_conforms("numpy", "paper", **FAST).exit_code == 0
    with pytest.raises(ConformanceError, match="no_such:Adam is unavailable: no_such is not installed"):
        assert_conforms("no_such:Adam", **FAST)
    with pytest.raises(UsageError, match="unknown target"):
        assert_conforms("nunpy", **FAST)

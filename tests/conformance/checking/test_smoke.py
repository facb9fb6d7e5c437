"""``adamcore smoke``: what is broken is told from what is wrong, for every kind of target."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from paths import ROOT
from smoke_candidates import CANDIDATE, WRONG, write

from adamcore.conformance.checking.smoke import ChecklistItem, smoke
from adamcore.conformance.errors import UsageError

DRIVER = ROOT / "examples" / "drivers" / "minimal.py"
NAMES = [
    "start", "init", "step", "finite", "direction", "five steps", "repeated", "new lr", "absent", "resumed",
    "stop",
]  # fmt: skip


def tried(target: str, timeout: float = 60) -> dict[str, ChecklistItem]:
    return {line.name: line for line in smoke(target, dtypes=["float64"], timeout=timeout)}


@pytest.mark.parametrize("target", [f"cmd:{sys.executable} {DRIVER}", "numpy", "torch.optim:AdamW"])
def test_what_works_has_a_whole_checklist(target: str) -> None:
    if target.startswith("torch"):
        pytest.importorskip("torch")
    lines = tried(target)
    assert list(lines) == NAMES
    assert {line.status for line in lines.values()} == {"ok"}


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_what_works_in_16_bits_has_a_whole_checklist(dtype: str) -> None:
    pytest.importorskip("ml_dtypes")
    lines = smoke("numpy", dtypes=[dtype])
    assert [line.name for line in lines] == NAMES
    assert {(line.dtype, line.status) for line in lines} == {(dtype, "ok")}


def test_wrong_implementation_is_not_broken(tmp_path: Path) -> None:
    lines = tried(write(tmp_path, WRONG))
    assert {name for name, line in lines.items() if line.status != "ok"} == {"resumed"}
    assert lines["resumed"].status == "skipped"


@pytest.mark.parametrize(
    ("step", "name", "detail"),
    [
        ("pass", "direction", "parameter 0 stayed where it was"),
        ("self.p = [p + g for p, g in zip(self.p, grads)]", "direction", "did not all go against"),
        ("self.p = [p * np.nan for p in self.p]", "finite", "parameter 0 is [nan nan nan]"),
        ("self.p = self.p[:1]", "step", "the step gave 1 parameters of 2"),
        ("self.p = [p.ravel() for p in self.p]", "step", "parameter 1 came back with shape (4,)"),
        ("self.p = [p.astype('float32') for p in self.p]", "step", "parameter 0 came back as float32"),
        (
            f"{WRONG}; self.p[0] = self.p[0] + 1e-6 * np.random.rand(3)",
            "repeated",
            "step 1 gives other numbers",
        ),
        (f"assert self.n < 3; {WRONG}", "five steps", "step 3: AssertionError"),
        ("os._exit(3)", "init, step", "exited with status 3"),
        pytest.param(
            f"{WRONG}; time.sleep(60 * (grads[1] is None))",
            "absent",
            "gave no answer for 9 s",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_first_thing_that_fails_is_named(tmp_path: Path, step: str, name: str, detail: str) -> None:
    lines = tried(write(tmp_path, step), timeout=9)
    failed = [line for line in lines.values() if line.status == "failed"]
    assert failed[0].name == name
    assert detail in failed[0].detail


@pytest.mark.parametrize("how", ["raise ValueError('all of them, please')", "raise NotImplementedError"])
def test_absent_gradient_may_be_refused_politely(tmp_path: Path, how: str) -> None:
    (tmp_path / "candidate.py").write_text(
        CANDIDATE.format(step=f"if any(g is None for g in grads): {how}\n        {WRONG}")
    )
    lines = tried(f"{tmp_path / 'candidate.py'}:Candidate")
    assert lines["absent"].status == "ok"
    assert lines["absent"].detail.startswith("refused: ")
    assert lines["stop"].status == "ok"


@pytest.mark.slow
def test_driver_that_does_not_end(tmp_path: Path) -> None:
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER.read_text() + "\nimport time; time.sleep(60)\n")
    lines = tried(f"cmd:{sys.executable} {driver}", timeout=8)
    assert (lines["stop"].status, lines["stop"].detail) == ("failed", "did not end after stop: killed")


def test_dtype_that_is_not_taken_is_skipped_and_none_at_all_is_broken() -> None:
    target = f"cmd:{sys.executable} {DRIVER}"
    both = [line for line in smoke(target) if line.name == "init"]
    assert [line.status for line in both] == ["skipped", "ok"]
    assert both[0].detail == "it takes float64, not float32"
    [alone] = [line for line in smoke(target, dtypes=["float32"]) if line.name == "init"]
    assert alone.status == "failed"


def test_an_own_backend_takes_no_settings() -> None:
    with pytest.raises(UsageError, match="has no meaning"):
        smoke("numpy", settings={"amsgrad": "True"}, dtypes=["float64"])

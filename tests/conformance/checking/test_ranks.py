"""A fault of sharding is named as one: what fails on several processes alone."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("torch")

from paths import ROOT

from adamcore.conformance import check

sys.path.append(str(ROOT / "tests" / "corpus"))

from sharded_torch import SHARDED

PROBES = [
    "STEP.1/shapes",
    "STEP.1/fingerprint",
    "LR.1/every-array",
    "F2/zero-row",
    "LR.4/groups-decay",
    "DEC.2/lr-changed",
    "STATE.4/resumed",
]
WRONG = [each for each in SHARDED.values() if each.says is not None]


NAMES = [each.cls.__name__ for each in WRONG]
OTHERS = [pytest.param(name, marks=[pytest.mark.slow]) for name in NAMES[1:]]


@pytest.mark.parametrize("name", [NAMES[0], *OTHERS])
def test_the_finding_says_sharding(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    each = SHARDED[name]
    assert each.says is not None
    report = check(each.target, ranks=2, layout=each.layout, dtypes=["float32"], probes=PROBES)
    [entry] = report.entries
    assert entry.verdict == "deviates"
    first = entry.findings[0]
    assert first.area == "sharding", (first.area, first.observed)
    assert each.says in first.observed, first.observed
    assert f"--ranks 2 --layout {each.layout}" in (first.repro or "")


@pytest.mark.slow
def test_a_fault_that_one_process_has_too_is_no_fault_of_sharding() -> None:
    report = check("torch.optim:RMSprop", ranks=2, dtypes=["float32"], probes=PROBES, dialect="torch.AdamW")
    assert all(found.area != "sharding" for found in report.entries[0].findings)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["fsdp", "tp", "ddp", "zero"])
@pytest.mark.parametrize("target", ["torch.optim:AdamW", "adamcore.backends.torch:AdamW"])
def test_right_ones_conform(target: str, layout: str) -> None:
    [entry] = check(target, ranks=2, layout=layout).entries
    assert entry.verdict == "conforms", entry.findings

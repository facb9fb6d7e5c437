"""docs/anatomy.md does what it says."""

from __future__ import annotations

import re

import pytest
from paths import ROOT

PAGE = (ROOT / "docs" / "anatomy.md").read_text(encoding="utf-8")


def test_the_example_runs_and_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    [code] = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S)
    exec(compile(code, "docs/anatomy.md", "exec"), {"__name__": "__main__"})
    said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    shown = re.findall(r"^# (?:prints|      ) (.*)$", code, flags=re.M)
    assert said == [" ".join(line.split()) for line in shown]


def test_the_rule_of_rmsprop_is_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    from adamcore.conformance.cli import main

    options = ["--dtype", "float64", "--probe", "STEP.1/fingerprint"]
    assert main(["identify", "torch.optim:RMSprop", *options]) == 0
    said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    shown = PAGE.partition("$ adamcore identify torch.optim:RMSprop")[2].partition("\n\n")[0].splitlines()[1:]
    assert shown
    assert [" ".join(line.split()) for line in shown] == said

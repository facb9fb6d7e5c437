"""docs/torch.md does what it says."""

from __future__ import annotations

import re

import pytest
from paths import ROOT

PAGE = ROOT / "docs" / "torch.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S)


def test_has_examples() -> None:
    assert len(BLOCKS) == 4


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_example_runs(block: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each for itself, and a comment ``# prints ...`` says what it prints."""
    exec(compile(block, PAGE.name, "exec"), {"__name__": "docs"})
    said = re.findall(r"# prints (.*)$", block, flags=re.M)
    assert capsys.readouterr().out.splitlines() == said


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", PAGE.read_text(encoding="utf-8")):
        assert "://" in target or PAGE.parent.joinpath(target).exists(), target

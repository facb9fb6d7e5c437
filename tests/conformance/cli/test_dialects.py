"""`adamcore dialects`: the table, and one row of it."""

from __future__ import annotations

import pytest

from adamcore.conformance.cli import parser
from adamcore.dialects import DIALECTS


def test_dialects(capsys: pytest.CaptureFixture[str]) -> None:
    assert parser.main(["dialects"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in DIALECTS)
    assert parser.main(["dialects", "torch.AdamW"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "decay decoupled" in text
    assert "default weight_decay: 0.01" in text
    assert "option amsgrad=True: amsgrad=uncorrected" in text
    assert parser.main(["dialects", "torch.adamw"]) == 2
    assert "nearest: torch.AdamW" in capsys.readouterr().err


def test_on_a_narrow_terminal_each_dialect_has_lines_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert parser.main(["dialects"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("torch.AdamW")
    assert lines[at + 1 : at + 3] == ["  decay=decoupled", "  target torch.optim:AdamW"]

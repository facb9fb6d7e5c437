"""`adamcore smoke`: its exit status and what it prints."""

from __future__ import annotations

from pathlib import Path

import pytest
from smoke_candidates import WRONG, write

from adamcore.conformance.cli import main


def test_exit_status_and_what_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fine, broken = write(tmp_path, WRONG), tmp_path / "broken.py"
    assert main(["smoke", fine, "--dtype", "float32"]) == 0
    assert "fine: whatever adamcore check finds is in the implementation" in capsys.readouterr().out
    broken.write_text("1 / 0")
    assert main(["smoke", f"{broken}:X", "--dtype", "float32"]) == 3
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert main(["smoke", "cmd:/no/such", "--dtype", "float32"]) == 2
    assert "No such file" in capsys.readouterr().out
    assert main(["smoke", "nonsense"]) == 2
    assert "unknown target 'nonsense'" in capsys.readouterr().err

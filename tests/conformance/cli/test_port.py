"""`adamcore port`: its lines, and an exit status that says how near they come."""

from __future__ import annotations

import pytest

from adamcore.conformance.cli import main


@pytest.mark.parametrize(("target", "status"), [("optax", 0), ("keras", 1)])
def test_exit_status(target: str, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["port", "torch.AdamW", "--to", target, "--steps", "3"]) == status
    assert capsys.readouterr().out.startswith("import ")


def test_an_unknown_framework_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["port", "torch.AdamW", "--to", "x"]) == 2
    assert capsys.readouterr().err.startswith("adamcore: no framework 'x'")

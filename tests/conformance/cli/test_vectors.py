"""`adamcore vectors`: wrong usage, and the list of what there is."""

from __future__ import annotations

import pytest

from adamcore.conformance.cli import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--for", "json", "--dialect", "torch.adamw"], "nearest: torch.AdamW"),
        (["--for", "C", "--dialect", "keras.Nadam"], "has no vectors for keras.Nadam"),
        (["--long"], "--write"),
        (["--dialect", "torch.Adam"], "--dialect torch.Adam goes with --for LANGUAGE"),
        (["--check", "--dtype", "float64"], "--dtype float64 goes with --for LANGUAGE"),
        (["--check", "--from", "here"], "--from here goes with --for LANGUAGE"),
        (["--for", "C", "--from", "nowhere"], "No such file"),
        (["--write", __file__], "cannot write"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vectors", *arguments]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""  # it is told before anything is computed


def test_lists_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vectors"]) == 0
    out = capsys.readouterr().out
    assert "torch.AdamW" in out
    assert "VectorTail" in out

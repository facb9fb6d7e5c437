"""The command line as a user finds it: help, version, and errors of usage in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from adamcore.conformance.cli import parser
from adamcore.conformance.cli.parser import COMMANDS


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], *([name] for name in COMMANDS)):
        with pytest.raises(SystemExit) as stop:
            parser.main([*arguments, "--help"])
        text = capsys.readouterr().out
        assert stop.value.code == 0
        assert "examples:" in text
        assert "exit status: 0 " in text
        assert max(map(len, text.splitlines())) <= 110
    with pytest.raises(SystemExit):
        parser.main(["--help"])
    assert "exit status: 0 all conform" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser.main(["--version"])
    assert capsys.readouterr().out.startswith("adamcore 0.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "nunpy"], "nearest: numpy"),
        (["probes", "nosuch"], "no probe 'nosuch'; `adamcore probes` lists all"),
        (["check", "--dialect", "torch.adamw"], "nearest: torch.AdamW"),
        (["check", "numpy", "--json", "no/such/folder/r.json"], "cannot write no/such/folder/r.json"),
        (["check", "numpy", "--json", "."], "cannot write ."),
        (["check", "numpy", "--set", "amsgrad"], "--set amsgrad: expected NAME=VALUE"),
        (["check", "torch.optim:Adam", "--set", "x=@y"], "--set x=@y: expected one of @lr"),
        (["check", "torch.optim:Adam", "--set", "lr=-1"], "torch.optim:Adam: --set lr=-1: lr=-1.0: expected"),
        (["check", "torch.optim:Adam", "--set", "x=1"], "torch.optim:Adam: --set x: the constructor has no"),
    ],
)
def test_usage_errors_are_one_line(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert parser.main(arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("arguments", [["check", "--timeout", "0"], ["check", "-j", "0"], ["chekc"], []])
def test_wrong_arguments_are_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        parser.main(arguments)
    assert stop.value.code == 2


def test_an_option_that_a_command_does_not_know_is_refused_with_its_usage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        parser.main(["dialects", "--nosuch"])
    said = capsys.readouterr().err
    assert said.startswith("usage: adamcore dialects")
    assert said.endswith("error: unrecognized arguments: --nosuch\n")


def test_missing_extra_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "NEEDED", ("no_such_package",))
    assert parser.main(["dialects"]) == 2
    assert capsys.readouterr().err == (
        "adamcore: not installed: no_such_package; pip install 'adamcore[conformance]'\n"
    )


def test_a_fault_of_adamcores_own_has_not_the_status_of_a_deviation(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> int:
        raise KeyError("weight_decay")

    monkeypatch.setattr("adamcore.conformance.cli.probes.run", fails)
    assert parser.main(["probes"]) == 3
    written = capsys.readouterr().err
    assert "KeyError: 'weight_decay'" in written
    assert written.endswith("adamcore: a fault of adamcore, not of what it was given\n")

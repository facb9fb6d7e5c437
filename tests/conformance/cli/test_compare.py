"""`adamcore compare`: what it prints, its plot and its errors."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from adamcore.conformance.cli import main


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plot = tmp_path / "gap.svg"
    arguments = [
        "compare",
        "torch.Adam",
        "keras.Adam",
        "--steps",
        "5",
        "--set",
        "eps=1e-3",
        "--svg",
        str(plot),
    ]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert re.search(r"^epsilon +outside-corrected +outside-uncorrected", said, flags=re.M)
    assert "what remains: epsilon" in said
    root = ET.parse(plot).getroot()
    assert len(root.findall("{http://www.w3.org/2000/svg}polyline")) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["torch.adamw"], "no dialect 'torch.adamw'"),
        (["torch.AdamW", "--set", "b1=2"], "b1=2.0: expected"),
        (["torch.AdamW", "--set", "b1=x"], "--set b1=x: expected a number"),
        (
            ["torch.AdamW", "--set", "momentum=0.9"],
            "--set momentum=0.9: expected a hyperparameter: lr",
        ),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "torch.Adam", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_run_has_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["compare", "torch.Adam", "torch.AdamW", "--steps", "-1"])
    assert "--steps: -1: expected 1 or more" in capsys.readouterr().err

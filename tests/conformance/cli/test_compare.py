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
    for wrong in (["torch.Adam", "torch.adamw"], ["torch.Adam", "torch.AdamW", "--set", "b1=2"]):
        assert main(["compare", *wrong]) == 2
        assert capsys.readouterr().err.startswith("adamcore: ")

"""docs/pictures/: drawings of real runs, which fetch nothing."""

from __future__ import annotations

import re

import pytest
import terminal_pictures
from paths import ROOT
from rich.console import Console

START = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", terminal_pictures.PICTURES)
def test_a_picture_fetches_nothing(name: str) -> None:
    svg = (terminal_pictures.FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    assert re.findall(r"(?:url\(|href=)[\"']?(?!#)", svg) == []
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", svg) == []


def test_only_these_pictures_are_there() -> None:
    here = {path.stem for path in terminal_pictures.FOLDER.glob("*.svg")}
    assert set(terminal_pictures.PICTURES) <= here


def test_a_line_that_is_too_wide_goes_on_below() -> None:
    def output(console: Console) -> None:
        console.print("x " * 60, soft_wrap=True)

    svg = terminal_pictures.drawing("wide", "adamcore check <&>", output)
    assert svg.count("x&#160;x") >= 2
    assert "&lt;&amp;&gt;" in svg
    widths = [float(x) for x in re.findall(r'textLength="([\d.]+)"', svg)]
    assert max(widths) <= float(re.findall(r'viewBox="0 0 ([\d.]+)', svg)[0])


def test_the_example_of_the_page_is_the_one_that_is_checked() -> None:
    [block] = re.findall(r"^```python\n(.*?)^```", START, re.M | re.S)
    example = terminal_pictures.EXAMPLE.read_text(encoding="utf-8")

    def code(text: str) -> list[list[str]]:
        text = text[text.index("class MyAdam") :]
        text = re.sub(
            r'"""[^"]*"""|: (?:list\[[^,()]*\]|dict\[str, float\])(?=[,)])| -> [^:]*(?=:$)',
            "",
            text,
            flags=re.M,
        )
        return [line.split("  #")[0].split() for line in text.splitlines() if line.split("  #")[0].strip()]

    assert code(block) == code(example)


@pytest.mark.slow
@pytest.mark.parametrize("name", terminal_pictures.PICTURES)
def test_a_picture_is_what_the_command_prints(name: str) -> None:
    svg = (terminal_pictures.FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    assert svg == terminal_pictures.svg(name, terminal_pictures.PICTURES[name]), "run `make pages`"

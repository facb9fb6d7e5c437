"""docs/pictures/: what the terminal shows, drawn as SVG from real runs of the command.

``python docs/generate/terminal_pictures.py [FOLDER]`` runs each command of :data:`PICTURES` and draws its
output.  The drawings name no font that has to be fetched.
"""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "pictures"
EXAMPLE = ROOT / "examples" / "my_adam.py"
SLIP, MENDED = "self.b2**2)", "self.b2 ** self.t[i])"
WIDTH = 84  #: columns

THEME = TerminalTheme(
    (22, 27, 34),
    (230, 237, 243),
    [(72, 79, 88), (255, 123, 114), (86, 211, 100), (227, 179, 65), (121, 192, 255), (210, 168, 255),
     (86, 212, 221), (230, 237, 243)],
    [(110, 118, 129), (255, 161, 152), (126, 231, 135), (242, 204, 96), (165, 214, 255), (226, 197, 255),
     (120, 223, 233), (255, 255, 255)],
)  # fmt: skip

#: rich's drawing without the fonts that it has fetched from the network, and without a window's buttons
FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>{title}</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
<rect fill="#161b22" stroke="#8b949e" width="100%" height="100%" rx="8"/>
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


class Picture(NamedTuple):
    """One drawing."""

    command: str  #: the words after ``adamcore check``
    mended: bool = False  #: whether the example's slip is mended before


PICTURES = {
    "verdict": Picture("my_adam.py:MyAdam --quick"),
    "verdict-mended": Picture("my_adam.py:MyAdam --quick", mended=True),
}


def draw(folder: Path) -> None:
    """Write every picture to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in PICTURES.items():
        (folder / f"{name}.svg").write_text(svg(name, picture), encoding="utf-8")


def svg(name: str, picture: Picture) -> str:
    """Return the drawing of a command and of what it prints."""
    return drawing(name, f"adamcore check {picture.command}", printer(picture))


def printer(picture: Picture) -> Callable[[Console], None]:
    """Run a command beside the example's file; return what prints its report on a console."""
    from adamcore.conformance.checking.check import check
    from adamcore.conformance.report.terminal import print_report

    words = picture.command.split()
    dialect = words[words.index("--dialect") + 1] if "--dialect" in words else None
    targets = [word for word in words if ":" in word]
    with tempfile.TemporaryDirectory() as folder:
        text = EXAMPLE.read_text(encoding="utf-8")
        assert SLIP in text, f"{EXAMPLE}: the slip is gone"
        text = text.replace(SLIP, MENDED) if picture.mended else text
        Path(folder, EXAMPLE.name).write_text(text, encoding="utf-8")
        before = Path.cwd()
        os.chdir(folder)
        try:
            report = check(targets, dialect=dialect, quick="--quick" in words)
        finally:
            os.chdir(before)
    return lambda console: print_report(report, console)


def drawing(name: str, command: str, output: Callable[[Console], None]) -> str:
    """Return an SVG of a command and what ``output`` prints, the same for the same text."""
    shown = io.StringIO()
    output(terminal(shown))
    console = terminal(io.StringIO(), record=True)
    console.print(Text.assemble(("$ ", "green"), (command, "bold")))
    console.print(Text.from_ansi(shown.getvalue()), overflow="fold")  # lines that are wider, as terminals do
    form = FORMAT.replace("{title}", escape(command))
    made = console.export_svg(theme=THEME, code_format=form, unique_id=f"t-{name}")
    return re.sub(r"[ \t]+$", "", made, flags=re.M)


def terminal(file: io.StringIO, *, record: bool = False) -> Console:
    """Return a terminal of a fixed width with all colours."""
    return Console(
        record=record, width=WIDTH, file=file, force_terminal=True, color_system="standard",
        highlight=False, emoji=False, markup=False, legacy_windows=False,
    )  # fmt: skip


if __name__ == "__main__":
    draw(Path(*sys.argv[1:2] or [str(FOLDER)]))

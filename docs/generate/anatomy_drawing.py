"""docs/pictures/anatomy.svg: the parts of an Adam, each with its axes and how many dialects have which value.

``python docs/generate/anatomy_drawing.py [FILE]`` draws it.  The formulas are those that the anatomy
measures of a step of the definition, and the numbers are counted in the table of dialects.
"""

from __future__ import annotations

import sys
import textwrap
from collections import Counter
from dataclasses import dataclass
from html import escape
from pathlib import Path

from adamcore import AXES
from adamcore.dialects import DIALECTS, like

FILE = Path(__file__).resolve().parents[1] / "pictures" / "anatomy.svg"
WIDTH, MARGIN, GAP = 700, 20, 44  #: pixels
COLUMN = (WIDTH - 2 * MARGIN - 24) // 2
LINE, LETTERS = 19, 40  #: the height of a line, and the letters that one of a column has
TITLE = "The anatomy of an Adam"
STYLE = """
.card{fill:#ffffff;stroke:#d0d7de}
.box{fill:#f3f5f8;stroke:#8c959f}
.core{fill:#dcebff;stroke:#2563a8}
text{font-family:-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;font-size:14px;fill:#1f2328}
.name{font-size:16px;font-weight:600}
.code{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:13px;font-weight:600}
.axis{font-weight:600}
.values{fill:#4a535d}
.arrow{fill:none;stroke:#59636e;stroke-width:1.6}
.tip{fill:#59636e}
@media (prefers-color-scheme:dark){
.card{fill:#0d1117;stroke:#3d444d}
.box{fill:#1c222b;stroke:#6e7681}
.core{fill:#10294a;stroke:#58a6ff}
text{fill:#e6edf3}
.values{fill:#b4bec9}
.arrow{stroke:#9aa4af}
.tip{fill:#9aa4af}
}
"""


@dataclass(frozen=True)
class Box:
    """One part of a step."""

    name: str
    formulas: tuple[str, ...]  #: names of lines of the anatomy
    axes: tuple[str, ...]
    kind: str = "box"

    def lines(self, wide: bool) -> list[tuple[str, str]]:
        """Return the lines of text, each with its class."""
        letters = LETTERS * (2 if wide else 1)
        measured = formulas()
        found = [("name", self.name), *(("code", measured[name]) for name in self.formulas)]
        for axis in self.axes:
            found.append(("axis", axis))
            found += [
                ("values", line) for line in textwrap.wrap(counted(axis), letters, break_on_hyphens=False)
            ]
        return found


#: The rows of the drawing, from the gradient to the parameter; a row of one box is wide.
ROWS: tuple[tuple[Box, ...], ...] = (
    (Box("gradient g", ("without one",), ("missing", "maximize", "complex")),
     Box("clock t", (), ("clock", "all_missing", "coefficients"))),
    (Box("first moment", ("first moment",), ("nesterov",)),
     Box("second moment", ("second moment",), ("amsgrad",))),
    (Box("bias correction", ("correction of m", "correction of v"), ("bias_correction",)),),
    (Box("step", ("step",), ("epsilon",), "core"),
     Box("decay", ("decay",), ("decay", "decay_order", "cautious_decay"))),
)  # fmt: skip


def formulas() -> dict[str, str]:
    """Return the lines of the anatomy of torch.AdamW by their names."""
    from adamcore.conformance.anatomy.anatomy import Anatomy
    from adamcore.conformance.anatomy.experiments import EXPERIMENTS
    from adamcore.conformance.anatomy.readings import readings_of_claim

    runs = readings_of_claim(like("torch.AdamW", weight_decay=0.1), EXPERIMENTS, "float64")
    found: dict[str, str] = {}
    for name, text in Anatomy(runs).equations:
        found[f"correction of {text[0]}" if name == "correction" else name] = text
    found["without one"] = f"absent: {found['no gradient']}"
    return found


def counted(axis: str) -> str:
    """Return each value of an axis with the number of dialects that have it.

    >>> counted("maximize").startswith("False ")
    True
    """
    plain = like("paper")
    counts = Counter(row.axes.get(axis, getattr(plain, axis)) for row in DIALECTS.values())
    return ", ".join(f"{value} {counts[value]}" for value in AXES[axis])


def drawing() -> str:
    """Return the drawing as SVG."""
    legend = (
        f"Beside each value: how many of {len(DIALECTS)} dialects have it. The formulas are torch.AdamW's."
    )
    out = [f'<text x="{MARGIN}" y="{MARGIN + 14}" class="values">{legend}</text>']
    y = MARGIN + 32
    below: list[list[int]] = []  # the middles of the boxes of the row before
    for row in ROWS:
        wide = len(row) == 1
        width = WIDTH - 2 * MARGIN if wide else COLUMN
        texts = [box.lines(wide) for box in row]
        height = max(len(lines) for lines in texts) * LINE + 18
        middles = []
        for k, (box, lines) in enumerate(zip(row, texts, strict=True)):
            x = MARGIN + k * (COLUMN + 24)
            middles.append(x + width // 2)
            out.append(f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" class="{box.kind}"/>')
            for n, (kind, text) in enumerate(lines):
                at = f'x="{x + 12}" y="{y + 22 + n * LINE}"'
                out.append(f'<text {at} class="{kind}">{escape(text)}</text>')
        if below:
            before, pairs = below[-1], max(len(below[-1]), len(middles))
            for k in range(pairs):
                start, end = before[min(k, len(before) - 1)], middles[min(k, len(middles) - 1)]
                start, end = (end, end) if len(before) < pairs else (start, start)
                out.append(f'<path d="M{start} {y - GAP + 2}V{y - 4}" class="arrow" marker-end="url(#tip)"/>')
        below.append(middles)
        y += height + GAP
    y -= GAP - MARGIN
    about = "; ".join(f"{box.name}: {', '.join(box.axes)}" for row in ROWS for box in row)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" '
        f'role="img" aria-labelledby="title about">\n<title id="title">{TITLE}</title>\n'
        f'<desc id="about">The parts of a step, from the gradient to the parameter, and the axes of each. '
        f"{about}.</desc>\n<style>{STYLE}</style>\n"
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
        'orient="auto"><path d="M0 0 10 5 0 10z" class="tip"/></marker></defs>\n'
    )
    card = f'<rect x=".5" y=".5" width="{WIDTH - 1}" height="{y - 1}" rx="10" class="card"/>\n'
    return head + card + "\n".join(out) + "\n</svg>\n"


if __name__ == "__main__":
    Path(*sys.argv[1:2] or [str(FILE)]).write_text(drawing(), encoding="utf-8")

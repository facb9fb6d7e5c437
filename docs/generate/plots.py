"""What the plots of the documentation have in common: curves on no ground, readable on light and on dark."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

GREY = (
    "#808080"  #: what matplotlib draws frames and texts in; in the file it is the colour of the page's texts
)
#: The contrast of texts with the page is at least 4.5, as WCAG AA asks, which no grey alone has on both.
STYLE = "<style>:root{color:#57606a}@media (prefers-color-scheme:dark){:root{color:#9aa4af}}</style>"
TEXTS: tuple[Any, ...] = (
    "text.color",
    "axes.labelcolor",
    "axes.edgecolor",
    "axes.titlecolor",
    "xtick.color",
    "ytick.color",
)


def pyplot() -> Any:
    """Return matplotlib.pyplot, set up for files with the same bytes every time."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "adamcore", "font.size": 10, "legend.frameon": False})
    for name in TEXTS:
        mpl.rcParams[name] = GREY
    from matplotlib import pyplot as plt

    return plt


def save(figure: Any, file: Path) -> None:
    """Write a figure as SVG and close it."""
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = re.sub(r"(<svg [^>]*>)", rf"\1\n {STYLE}", out.getvalue().replace(GREY, "currentColor"), count=1)
    file.write_text(text, encoding="utf-8")
    pyplot().close(figure)

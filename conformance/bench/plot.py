"""A run as an SVG of bars: the time of each contender over that of its framework's own Adam."""

from __future__ import annotations

from html import escape
from typing import Any

BAR, GAP, LEFT, WIDTH, MOST = 16, 26, 330, 420, 2.0


def svg(document: dict[str, Any]) -> str:
    """Return the SVG of a run.  A bar ends at a ratio of 2, and its number is the ratio; the line is at 1."""
    lines: list[str] = []
    y = 30
    for part in dict.fromkeys((row["work"], row["situation"]) for row in document["rows"]):
        lines.append(f'<text x="8" y="{y}" class="work">{escape(", ".join(part))}</text>')
        y += 10
        for row in document["rows"]:
            if (row["work"], row["situation"]) != part or row["ratio"] is None or row["baseline"]:
                continue
            length = min(row["ratio"], MOST) / MOST * WIDTH
            name = escape(f"{row['framework']}: {row['name']}")
            kind = "ours" if row["ours"] else "theirs"
            lines.append(f'<text x="{LEFT - 6}" y="{y + 12}" class="name">{name}</text>')
            lines.append(f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR - 3}" class="{kind}"/>')
            lines.append(f'<text x="{LEFT + length + 4:.1f}" y="{y + 11}">{row["ratio"]:.2f}</text>')
            y += BAR
        y += GAP
    one = LEFT + WIDTH / MOST
    style = (
        "text{font:11px sans-serif;fill:#444}.work{font-weight:bold;font-size:13px}.name{text-anchor:end}"
        ".ours{fill:#2563a8}.theirs{fill:#b9b9b9}line{stroke:#c0392b;stroke-dasharray:3 3}"
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 60}" height="{y}" role="img">',
            "<title>Time of a step, as a ratio to the framework's own Adam; shorter is faster</title>",
            f"<style>{style}</style>",
            *lines,
            f'<line x1="{one}" y1="14" x2="{one}" y2="{y - GAP}"/>',
            "</svg>",
            "",
        ]
    )

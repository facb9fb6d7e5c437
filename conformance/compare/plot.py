"""The gap over a run as an SVG, drawn without a library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 640, 360, 70, 40, 20, 50
COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#8250df")


def svg(title: str, series: Mapping[str, Sequence[float]]) -> str:
    """Return an SVG of lines over the step, on a logarithmic scale; ``series`` has the values of each line.

    >>> svg("a gap", {"x": [0.0, 1e-3, 1e-2]}).startswith("<svg")
    True
    """
    values = [v for line in series.values() for v in line if v > 0]
    low = math.floor(math.log10(min(values))) if values else -1
    high = math.ceil(math.log10(max(values))) if values else 0
    low, high = max(low, high - 16), max(high, low + 1)
    steps = max((len(line) for line in series.values()), default=1)

    def x(t: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (t - 1) / max(steps - 1, 1)

    def y(value: float) -> float:
        part = (math.log10(value) - low) / (high - low) if value > 0 else 0.0
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(max(part, 0.0), 1.0)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="24" font-size="15">{escape(title)}</text>',
    ]
    for k in range(low, high + 1, max((high - low) // 6, 1)):
        at = y(10.0**k)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">1e{k}</text>')
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 12}">step 1</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 12}" text-anchor="end">step {steps}</text>')
    for k, (name, line) in enumerate(series.items()):
        colour = COLOURS[k % len(COLOURS)]
        points = " ".join(f"{x(t):.1f},{y(v):.1f}" for t, v in enumerate(line, start=1))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        where = f'x="{LEFT + 12}" y="{TOP + 16 + 16 * k}" fill="{colour}"'
        parts.append(f"<text {where}>{escape(name)}: at most {max(line, default=0.0):.2g}</text>")
    return "\n".join([*parts, "</svg>"]) + "\n"

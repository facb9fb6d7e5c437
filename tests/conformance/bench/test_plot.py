"""The plot of a run: a bar for each ratio, cut off at 2, and a line at 1."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from adamcore.conformance.bench.plot import LEFT, WIDTH, svg


def row(name: str, ratio: float | None, **changes: Any) -> dict[str, Any]:
    return {
        "work": "1M",
        "situation": "hot",
        "framework": "numpy",
        "name": name,
        "ratio": ratio,
        "ours": False,
        "baseline": False,
    } | changes


def test_bars_have_the_length_of_their_ratio() -> None:
    rows = [row("base", 1.0, baseline=True), row("a<b", 0.5, ours=True), row("slow", 8.0), row("none", None)]
    drawing = ET.fromstring(svg({"rows": rows}))
    bars = drawing.findall("{http://www.w3.org/2000/svg}rect")
    assert [(bar.get("class"), float(bar.get("width", "0"))) for bar in bars] == [
        ("ours", WIDTH / 4),
        ("theirs", float(WIDTH)),
    ]
    texts = [text.text for text in drawing.findall("{http://www.w3.org/2000/svg}text")]
    assert {"numpy: a<b", "0.50", "8.00"} <= set(texts)
    [line] = drawing.findall("{http://www.w3.org/2000/svg}line")
    assert float(line.get("x1", "0")) == LEFT + WIDTH / 2

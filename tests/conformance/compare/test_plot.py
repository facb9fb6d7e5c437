"""The plot of a gap."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

from adamcore.conformance.compare.plot import svg


def test_plot_of_nothing() -> None:
    for series in ({}, {"zero": [0.0, 0.0]}, {"one": [1e-3]}):
        ET.fromstring(svg("a <title> & more", series))
    assert json.dumps(svg("t", {"a": [1.0]}))

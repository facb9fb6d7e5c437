"""Rows and columns of a report: the worst of several claims, told apart without colour."""

from __future__ import annotations

import math

from reports import full

from adamcore.conformance.report.matrix import KINDS, Cell, columns


def test_columns_show_the_worst_of_several_claims() -> None:
    report = full()
    own = [entry for entry in report.entries if entry.target == "numpy"]
    own[1].results = [r for r in report.entries[0].results if r.status == "failed"]
    column = next(c for c in columns(report) if c.target == "numpy")
    assert (column.cell("EPS.1").kind, column.cell("STEP.1").kind, column.cell("BC.1").kind) == (
        "failed",
        "passed",
        "",
    )
    assert next(r.claimed for r in column.rows if r.kind == "failed") == "keras.Adam"
    assert column.counts["failed"] == 3


def test_cells_can_be_told_apart_without_colour() -> None:
    cells = [Cell(kind, 1.0, 1) for kind in KINDS]
    assert len({cell.text for cell in cells}) == len(KINDS)
    levels = [Cell("failed", worst).level for worst in (0.0, 0.3, 0.5, 0.7, 1.0, 1.5, 1e3, math.inf)]
    assert levels == [0, 1, 2, 3, 4, 5, 6, 7]

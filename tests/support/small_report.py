"""A report with every verdict, for the tests of its schema and its tables."""

from __future__ import annotations

import math
from typing import Any

from adamcore import AXES
from adamcore.conformance.report.report import Entry, Report, Verdict, environment
from adamcore.conformance.types import Evidence, Finding, Result

ALL: dict[str, list[Any]] = {axis: list(values) for axis, values in AXES.items()}


EVIDENCE = Evidence("EPS.1/x", 2, "0[1]", "0x1.8p-1", "0x1.0p-1", math.inf, 3.5)


RESULTS = [
    Result("EPS.1/x", "float32", "failed", math.inf, 12.0, EVIDENCE, "parameter 0[1] leaves the bound"),
    Result("DEC.1/x", "float32", "passed", 0.25, 1.0),
    Result("F3/mask", "float32", "skipped", reason="it has no masks"),
    Result("MOM.2/long", "float32", "undecided", 0.5, 2.0, undecided=3),
    Result("NUM.3/huge", "float32", "failed", 2.0, 9.0, EVIDENCE, "overflows"),
]


def entry(verdict: Verdict, target: str = "torch.optim:Adam", **changes: Any) -> Entry:
    return Entry(target, "torch.Adam", ALL, verdict, **changes)


def full() -> Report:
    findings = [
        Finding(
            "epsilon",
            "EPS.1",
            "epsilon=outside-corrected",
            "epsilon=inside-corrected",
            "error",
            EVIDENCE,
            "adamcore check torch.optim:Adam --probe EPS.1/x",
        ),
        Finding("coefficients", "NUM.4", "coefficients in double", "695 ULP off", "note"),
    ]
    deviating = entry(
        "deviates",
        kind="torch optimizer",
        device="cpu",
        identified="apex",
        findings=findings,
        results=RESULTS,
        advisory=frozenset({"NUM.3/huge"}),
    )
    broken = entry(
        "broken", "my/adam.py:[bold]Mine", reason="exited with status 3 at probe X.1/0; it last wrote:\nx"
    )
    absent = entry("unavailable", "torch:cuda", reason="torch has no device 'cuda'", asked=False)
    own = [entry("conforms", "numpy", kind="own backend", results=RESULTS[1:4]) for _ in range(3)]
    return Report([deviating, broken, absent, *own], environment({"numpy": "cpu"}))

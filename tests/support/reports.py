"""A report with everything in it, made without running anything: for the tests of what is written."""

from __future__ import annotations

import math

from measured_adams import eps_inside

from adamcore import AXES
from adamcore.conformance.report.report import Entry, Report, environment
from adamcore.conformance.types import Evidence, Finding, Point, Result

NASTY = "<script>alert('x')</script> a|b `c` & \x00\x1b[31m \ud800 *d* ]]>"
EVIDENCE = Evidence("EPS.1/beside-small-root", 2, "0[1]", "0x1.8p-1", "0x1.0p-1", 40.0, 4.0)
WITHIN = [Point(0.1, 0.4, 4.0), Point(0.0, 0.0, 5.0), Point(0.25, 1.5, 6.0)]
BEYOND = [Point(0.5, 2.0, 4.0), Point(10.0, 40.0, 4.0), Point(25.0, 100.0, 4.0)]
STILL = [Point(0.0, 0.0, 0.0), Point(math.inf, 3.0, 0.0)]
LONG = [Point(k / 400, k / 100, 4.0) for k in range(1, 301)]


def results() -> list[Result]:
    return [
        Result("STEP.1/fingerprint", "float32", "passed", 0.25, 1.5, series=WITHIN),
        Result(
            "EPS.1/beside-small-root",
            "float32",
            "failed",
            25.0,
            100.0,
            EVIDENCE,
            "parameter 0[1] leaves the bound in step 2",
            series=BEYOND,
        ),
        Result("DEC.1/zero-gradient", "float64", "passed", 0.75, 3.0, series=LONG),
        Result("F1/absent-middle", "float32", "failed", math.inf, 3.0, None, "it moved", series=STILL),
        Result("F3/mask", "float32", "skipped", reason="it has no masks of presence"),
        Result("MOM.2/huge", "float32", "undecided", 0.5, 2.0, undecided=3, series=WITHIN[:1]),
        Result("NUM.3/huge", "float32", "failed", 2.0, 9.0, EVIDENCE, "overflows", series=BEYOND[:2]),
    ]


def full() -> Report:
    """One that deviates, one that does as expected, a broken and an absent one, an own backend."""
    axes = {axis: list(values) for axis, values in AXES.items()}
    findings = [
        Finding(
            "epsilon",
            "EPS.1",
            "epsilon=outside-corrected",
            f"inside {NASTY}",
            "error",
            EVIDENCE,
            "import torch\nprint('a program that shows it')",
        ),
        Finding(
            "missing",
            "F1",
            "missing=skip",
            "missing=zero",
            "error",
            None,
            "adamcore check my.adam:Mine --probe 'F1/*'",
        ),
        Finding("moments", "NUM.3", "a moment that holds", "its square overflows", "note", EVIDENCE),
    ]
    advisory = frozenset({"NUM.3/huge"})
    deviating = Entry(
        "my.adam:Mine",
        "torch.Adam",
        axes,
        "deviates",
        kind="torch optimizer",
        device="cpu",
        identified="apex",
        findings=findings,
        results=results(),
        advisory=advisory,
        anatomy=eps_inside(),
    )
    waived = {(r.probe, r.dtype): "it is older than the rule" for r in results() if r.status == "failed"}
    expected = Entry(
        "my.adam:Old",
        "torch.Adam",
        axes,
        "deviates",
        kind="torch optimizer",
        device="cpu",
        findings=findings[1:2],
        results=results(),
        waived=waived,
        as_expected=True,
        advisory=advisory,
    )
    broken = Entry("my/a|dam.py:Bad", "paper", axes, "broken", reason=f"exited with status 3\nsaid {NASTY}")
    absent = Entry("torch:cuda", "paper", axes, "unavailable", reason="no device 'cuda'", asked=False)
    passed = [r for r in results() if r.status == "passed"]
    own = [
        Entry("numpy", name, axes, kind="own backend", device="cpu", results=passed)
        for name in ("paper", "keras.Adam", "optax.adam")
    ]
    return Report(
        [deviating, expected, broken, absent, *own],
        environment({"numpy": "cpu"}),
        ["known.toml, line 3: unused"],
    )

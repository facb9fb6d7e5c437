"""Backends of adamcore under check: one run serves all claims that a probe cannot tell apart."""

from __future__ import annotations

from adamcore.conformance import check
from adamcore.conformance.claims import all_claims


def test_own_backend_under_every_dialect() -> None:
    report = check("numpy", probes=("STEP.1/fingerprint", "F1/absent-middle"), dtypes=["float32"])
    assert report.exit_code == 0, [(e.claimed, e.findings) for e in report.entries if e.verdict != "conforms"]
    assert [e.claimed for e in report.entries] == [claim.name for claim in all_claims()]
    assert {len(e.results) for e in report.entries} == {2}
    distinct = {id(r) for e in report.entries for r in e.results}
    assert 10 < len(distinct) < len(report.entries)
    torch = next(e for e in report.entries if e.claimed == "optax.adamw")
    assert torch.axes["coefficients"] == ["double"]

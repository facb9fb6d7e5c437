"""The flags: each is described and used."""

from __future__ import annotations

from paths import ROOT
from vector_files import INDEX

from adamcore.conformance.rules import SAYS
from adamcore.conformance.vectors import inputs
from adamcore.conformance.vectors.flags import FLAGS


def test_flags_are_described_and_used() -> None:
    used = {flag for item in inputs.INPUTS for flag in item.flags}
    assert used == set(FLAGS) == set(INDEX["flags"])
    rules = {item.probe.rule for item in inputs.INPUTS}
    spec = (ROOT / "docs" / "spec.md").read_text()
    assert [rule for rule in rules if f"### {rule} " not in spec] == []
    assert SAYS

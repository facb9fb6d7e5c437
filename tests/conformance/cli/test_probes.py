"""`adamcore probes`: the list, and one probe in full."""

from __future__ import annotations

import pytest

from adamcore.conformance.cli import parser


def test_probes(capsys: pytest.CaptureFixture[str]) -> None:
    from adamcore.conformance.probes import PROBES

    assert parser.main(["probes"]) == 0
    text = capsys.readouterr().out
    assert all(name.split("/")[0] in text for name in PROBES)
    assert parser.main(["probes", "F*"]) == 0
    text = capsys.readouterr().out
    assert "absent" in text
    assert "present=" in text
    assert parser.main(["probes", "EPS.1/besides"]) == 2
    assert "no probe 'EPS.1/besides'; nearest: EPS.1/beside-small-root" in capsys.readouterr().err

"""Words on gradients that are not as claimed."""

from __future__ import annotations

import pytest
import wrong_parts as wrong
from measured_adams import difference

from adamcore.conformance.anatomy.words.gradient import gradient


@pytest.mark.parametrize(("cls", "area"), [(wrong.Climbs, "maximize"), (wrong.Clips, "clipping")])
def test_gradients(cls: type, area: str) -> None:
    assert gradient(difference(cls, "gradient"))[0] == area

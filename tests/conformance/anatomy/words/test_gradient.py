"""Words on gradients that are not as claimed."""

from __future__ import annotations

import pytest
import wrong_parts as wrong
from measured_adams import anatomy

from adamcore.conformance.anatomy.differences import Difference
from adamcore.conformance.anatomy.words.gradient import gradient


def difference(cls: type, part: str) -> Difference:
    made = anatomy(cls)
    return Difference(made, next(p for p in made.parts if p.name == part))


@pytest.mark.parametrize(("cls", "area"), [(wrong.Climbs, "maximize"), (wrong.Clips, "clipping")])
def test_gradients(cls: type, area: str) -> None:
    assert gradient(difference(cls, "gradient"))[0] == area

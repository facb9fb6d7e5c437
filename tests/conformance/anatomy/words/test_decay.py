"""Words on a decay that is not as claimed."""

from __future__ import annotations

import pytest
import wrong_parts as wrong
from measured_adams import difference

from adamcore.conformance.anatomy.words.decay import decay


@pytest.mark.parametrize(
    ("cls", "text"),
    [
        (
            wrong.DecaysTwice,
            "weights decay 1.9688 times as fast as claimed: "
            "p is multiplied by its factor 2 times in each step",
        ),
        (wrong.DecaysBySquare, "decay goes with lr to the power 2 where 1 is claimed"),
    ],
)
def test_decay(cls: type, text: str) -> None:
    assert decay(difference(cls, "decay")) == ("decay", "DEC.2", text)

"""Our PyTorch optimizer under random uses: errors of our own types, and nothing changed by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_calls import CALLS, many
from random_training import Training

from adamcore import errors

torch = pytest.importorskip("torch")

OWN = {name for name in vars(errors) if name.endswith("Error")}


@CALLS
def test_random_uses(calls: int) -> None:
    ended: set[str] = set()

    @many(calls)
    @given(st.data())
    def run(data: st.DataObject) -> None:
        training = Training()
        for _ in range(data.draw(st.integers(1, 6))):
            act = data.draw(training.acts())
            before = training.bits()
            error = training.do(*act)
            ended.add(error)
            assert not error or error in OWN, (act, error)
            assert not error or training.bits() == before, (act, "raised, and changed something")

    run()
    assert "" in ended
    assert ended & OWN

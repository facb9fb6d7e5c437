"""The canonical form: from the core's own state and back, and under other names."""

from __future__ import annotations

import pytest
from state_samples import made

from adamcore.backends.states.named import dotted
from adamcore.errors import CheckpointError


def test_renaming_and_transposing() -> None:
    state = made()
    moved = state.renamed({"dense/kernel": {"from": "a.w", "axes": [1, 0]}, "bias": "b"})
    assert (moved.leaves["dense/kernel"].m == state.leaves["a.w"].m.T).all()
    with pytest.raises(CheckpointError, match="'c', which is not there"):
        state.renamed({"x": "c"})
    with pytest.raises(CheckpointError, match="no name is given for 'b'"):
        state.renamed({"x": "a.w"})
    assert dotted("['a']['b'].value") == "a.b.value"

"""Clocks that TensorFlow 1 and Paddle keep only as running powers."""

from __future__ import annotations

import numpy as np
import pytest
from state_samples import made

from adamcore import Adam
from adamcore.backends import states
from adamcore.backends.states.powers import clock_of, powers_of
from adamcore.errors import CheckpointError


def test_the_clock_from_running_powers() -> None:
    """Kept as TensorFlow keeps them: a float32 product, multiplied after each step."""
    for b1, b2 in ((0.9, 0.999), (0.5, 0.95), (0.0, 0.999)):
        adam = Adam(b1=b1, b2=b2)
        p1, p2 = np.float32(b1), np.float32(b2)
        for t in range(1, 5001):
            p1, p2 = p1 * np.float32(b1), p2 * np.float32(b2)
            if t in (1, 2, 10, 400, 1000, 5000):
                if b2 == 0.95 and t > 1500:
                    with pytest.raises(CheckpointError, match="no longer tell"):
                        clock_of(adam, float(p1), float(p2), "x")
                else:
                    assert clock_of(adam, float(p1), float(p2), "x") == t
    with pytest.raises(CheckpointError, match="no whole number of steps"):
        clock_of(Adam(b2=0.99), *powers_of(Adam(), 5), "x")
    with pytest.raises(CheckpointError, match="says t=5"):
        clock_of(Adam(), powers_of(Adam(), 5)[0], powers_of(Adam(), 6)[1], "x")
    assert states.from_flat(states.to_flat(made(), "tf1"), "tf1", t=3).one_clock() == 3

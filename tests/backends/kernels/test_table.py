"""A table in threads: the same bits for every split."""

from __future__ import annotations

import numpy as np
import pytest

from adamcore import Adam
from adamcore.backends.kernels import table


def test_same_bits_for_every_split(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("llvmlite")

    def run() -> bytes:
        rng = np.random.default_rng(1)
        params = [rng.standard_normal(n, "f") for n in (70_000, 3, 12_345)]
        state = Adam().init(params)
        for _ in range(3):
            params, state = Adam().step(params, [p * 3 for p in params], state)
        return b"".join(p.tobytes() for p in params)

    want = run()
    monkeypatch.setattr(table, "PARALLEL", 1)
    monkeypatch.setattr(table, "thread_count", lambda: 3)
    for piece in (1 << 14, 4099, 77_777):
        monkeypatch.setattr(table, "PIECE", piece)
        assert run() == want

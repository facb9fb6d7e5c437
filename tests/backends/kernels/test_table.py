"""A table in threads: the same bits for every split."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adamcore import Adam, tracing
from adamcore.backends.kernels import loop, table
from adamcore.backends.kernels.formats import Format
from adamcore.backends.numpy.fast import MEMORY


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


def test_the_faster_distance_of_prefetching_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bits are those of every other distance."""
    pytest.importorskip("llvmlite")
    now, ran = [0.0], list[int]()

    def run(kernel: Any, total: int, at: int) -> None:
        kernel(0, total, at)
        distance = next(d for d in loop.DISTANCES if pointers.kernel_ahead(d) is kernel)
        ran.append(distance)
        now[0] += {512: 3.0, 2048: 2.0}[distance] * (1 + (len(ran) < 3))

    monkeypatch.setattr(table, "perf_counter", lambda: now[0])
    monkeypatch.setattr(table, "DISTANCE", table.Distance())
    monkeypatch.setattr(table, "LARGE", 1)
    row, dtypes = tracing.formula(Adam())(3, 1e-3), Format(*["float32"] * 5)  # type: ignore[arg-type]
    arrays = [np.linspace(k, k + 1, 999, dtype="f") for k in range(4)]
    expected = [x.copy() for x in arrays]
    pointers = table.PointerTable(tracing.program(Adam(), row), dtypes, True, [999])
    pointers.point(MEMORY.addresses(arrays))
    for _ in range(10):
        pointers.run([row], run)
    assert ran == [512, 2048] * table.TRIALS + [2048] * 2
    assert table.DISTANCE.best == 2048
    after = table.PointerTable(tracing.program(Adam(), row), dtypes, True, [999])
    after.point(MEMORY.addresses(expected))
    for _ in range(10):
        after.run([row], lambda kernel, total, at: after.kernel_ahead(512)(0, total, at))
    assert [x.tobytes() for x in arrays] == [x.tobytes() for x in expected]

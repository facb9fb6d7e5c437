"""The program in blocks: little scratch, and the same bits in threads; its bits are in test_fast.py."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fast import adams, at

from adamcore import Adam
from adamcore.backends.kernels import llvm, threads
from adamcore.backends.numpy import blocks, fast
from adamcore.tracing import program


def test_blocks_in_threads_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """With several threads of ours in one step, and several steps of the caller's at once."""
    monkeypatch.setattr(llvm, "available", lambda: False)
    adam = Adam(weight_decay=0.1)

    def run(donate: bool) -> bytes:
        rng = np.random.default_rng(1)
        params = [rng.standard_normal(n, "f") for n in (70_001, 3, 12_345)]
        state = adam.init(params)
        for _ in range(3):
            params, state = adam.step(params, [p * np.float32(1e20) for p in params], state, donate=donate)
        return b"".join(p.tobytes() for p in params)

    want = run(False)
    monkeypatch.setattr(blocks, "PARALLEL", 1)
    monkeypatch.setattr(blocks, "BLOCK", 1 << 12)
    monkeypatch.setattr(threads, "thread_count", lambda: 3)
    fast.blocks.cache_clear()
    with warnings.catch_warnings(), ThreadPoolExecutor(4) as pool:
        warnings.simplefilter("error")  # of an overflow, in whatever thread
        for donate in (False, True):
            assert all(got == want for got in pool.map(run, [donate] * 16))
    fast.blocks.cache_clear()


def test_scratch_is_small() -> None:
    for adam in adams(60):
        made = program(adam, at(adam))
        assert blocks.schedule(made, True).scratch <= 4
    assert blocks.schedule(program(Adam(), at(Adam())), True).scratch == 2

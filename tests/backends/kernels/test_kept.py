"""Moments in 8 bits in machine code: the bits of the definition, in whole blocks and in parts of one."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from fast import bits, definition_alone

from adamcore import Adam
from adamcore.backends.kernels import support, table
from adamcore.backends.numpy import backend
from adamcore.backends.numpy.fast import MEMORY
from adamcore.storage.moments import Coding

pytest.importorskip("llvmlite")
pytest.importorskip("ml_dtypes")

SHAPES: list[tuple[int, ...]] = [(), (0,), (33,), (64,), (5, 27), (1037,)]
LARGE: list[tuple[int, ...]] = [(64, 64), (4099,)]  #: of arrays that "blockwise8" does not keep plainly
CASES = [
    ("split8", "bfloat16", "companded8", "companded8", "none"),
    ("plain", "float32", "plain", "companded8", "uncorrected"),
    ("stochastic", "bfloat16", "companded8", "companded8", "corrected"),
    ("split", "float16", "companded8", "plain", "none"),
    ("plain", "float64", "companded8", "companded8", "uncorrected"),
    ("kahan", "bfloat16", "plain", "companded8", "none"),
    ("master", "bfloat16", "companded8", "plain", "none"),
    ("plain", "bfloat16", "stochastic", "stochastic", "corrected"),
    ("stochastic", "bfloat16", "companded8", "stochastic", "none"),
    ("split", "float16", "stochastic", "stochastic", "none"),
    ("plain", "float32", "blockwise8", "blockwise8", "uncorrected"),
    ("split8", "bfloat16", "plain", "blockwise8", "none"),
    ("plain", "float64", "blockwise8", "plain", "none"),
    ("plain", "float32", "companded8", "blockwise8", "none"),
    ("split8", "bfloat16", "blockwise8", "companded8", "corrected"),
]


def steps(adam: Adam, dtype: str, shapes: list[tuple[int, ...]], alone: bool, donate: bool) -> list[bytes]:
    """The bits of everything after four steps, by the definition alone or as ever."""
    rng = np.random.default_rng(3)

    def drawn() -> list[Any]:
        made = [np.asarray(rng.standard_normal(s) * 10.0 ** rng.integers(-6, 3, s)) for s in shapes]
        return [np.where(rng.random(x.shape) < 0.2, 0.0, x).astype(dtype) for x in made]

    params = drawn()
    state = adam.init(params)
    for k in range(4):
        grads = drawn()
        if k == 2:
            grads[-1][5], grads[-1][100] = np.nan, np.inf
        with definition_alone(backend) if alone else nullcontext():
            params, state = adam.step(params, grads, state, donate=donate)
    trees = [params, *(tree for tree in state[1:] if tree is not None)]
    arrays = [x for tree in trees for x in tree if x is not None]
    return [x.tobytes() if x.dtype.kind in "iu" else bits(x) for x in arrays]


def adam_of(p_storage: Any, m_storage: Any, v_storage: Any, amsgrad: Any) -> Adam:
    kept = {"p_storage": p_storage, "m_storage": m_storage, "v_storage": v_storage}
    return Adam(lr=1e-2, eps=1e-3, amsgrad=amsgrad, seed=5, weight_decay=0.01, **kept)


@pytest.mark.parametrize(
    "case",
    [
        case if case in (*CASES[:2], CASES[7], CASES[13]) else pytest.param(case, marks=pytest.mark.slow)
        for case in CASES
    ],
)
def test_the_bits_are_those_of_the_definition(case: tuple[str, ...]) -> None:
    policy, dtype, m, v, amsgrad = case
    adam = adam_of(policy, m, v, amsgrad)
    shapes = [*SHAPES, *LARGE] if "blockwise8" in case else SHAPES
    wanted = steps(adam, dtype, shapes, True, False)
    for donate in (False, True):
        assert steps(adam, dtype, shapes, False, donate) == wanted


def test_a_piece_begins_where_a_block_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads take pieces of all elements, and an array need not begin where a piece does."""
    adam = adam_of("split8", "companded8", "companded8", "none")
    shapes: list[tuple[int, ...]] = [(70_000,), (3,), (12_345,)]
    wanted = steps(adam, "bfloat16", shapes, False, True)
    monkeypatch.setattr(table, "PARALLEL", 1)
    monkeypatch.setattr(table, "thread_count", lambda: 3)
    for piece in (4099, 77_777):
        monkeypatch.setattr(table, "PIECE", piece)
        assert steps(adam, "bfloat16", shapes, False, True) == wanted


def test_machine_code_serves_it_but_for_masks() -> None:
    given: list[Any] = []

    class Recording(type(backend)):  # type: ignore[misc]
        def apply(self, adam: Any, jobs: Any, donate: bool) -> Any:
            given.extend(jobs)
            return super().apply(adam, jobs, donate)

    adam, p = adam_of("plain", "companded8", "companded8", "none"), np.ones((4, 3), np.float32)
    backend.__class__ = Recording
    try:
        adam.step([p], [p], adam.init([p]))
        adam.step([p], [p], adam.init([p]), present=[p > 0])
    finally:
        backend.__class__ = Recording.__base__
    whole, masked = given
    assert support.unsupported(MEMORY, whole) is None
    assert support.unsupported(MEMORY, masked) == "a mask, with moments in 8 bits"
    other = whole.formats._replace(v_coding=Coding("blockwise8", False))
    assert support.unsupported_policy(MEMORY, whole._replace(formats=other)) is None
    turned = whole._replace(g=np.asfortranarray(p))
    assert "not contiguous" in (support.unsupported(MEMORY, turned) or "")

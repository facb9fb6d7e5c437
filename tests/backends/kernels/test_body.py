"""Steps under every policy of storage in machine code: the bits of the definition."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import product
from typing import Any

import numpy as np
import pytest
from fast import bits, definition_alone
from storage_runs import CASES

from adamcore import Adam
from adamcore.backends.kernels import support
from adamcore.backends.numpy import backend
from adamcore.backends.numpy.fast import MEMORY

pytest.importorskip("llvmlite")
pytest.importorskip("ml_dtypes")

SHAPES: list[tuple[int, ...]] = [(), (0,), (1,), (33,), (5, 7), (1037,)]


def drawn(rng: Any, dtype: str) -> list[Any]:
    """Arrays of numbers of all sizes, with zeros."""
    made = []
    for shape in SHAPES:
        x = np.asarray(rng.standard_normal(shape) * 10.0 ** rng.integers(-7, 3, shape))
        made.append(np.where(rng.random(shape) < 0.1, 0.0, x).astype(dtype))
    return made


def steps(adam: Adam, dtype: str, alone: bool, masked: bool, donate: bool) -> list[bytes]:
    """The bits of everything after four steps, by the definition alone or as ever."""
    rng = np.random.default_rng(7)
    params = drawn(rng, dtype)
    state = adam.init(params)
    for k in range(4):
        grads = drawn(rng, dtype)
        if k == 2:
            grads[-1][[5, 1036]] = np.nan  # the last elements fill no vector
            grads[-1][6], grads[-1][40] = np.inf, -np.inf
        present = [rng.random(p.shape) < 0.7 for p in params] if masked else None
        with definition_alone(backend) if alone else nullcontext():
            params, state = adam.step(
                params, grads, state, present=present, donate=donate, grad_scale=4.0 if k == 3 else None
            )
    trees = [params, state.m, state.v, state.v_max or [], state.p_rest or []]
    return [x.tobytes() if x.dtype.kind in "iu" else bits(x) for tree in trees for x in tree]


def check(policy: Any, dtype: str, moments: str | None, amsgrad: Any, masked: bool, donate: bool) -> None:
    adam = Adam(
        lr=1e-2, eps=1e-3, p_storage=policy, moment_dtype=moments, amsgrad=amsgrad, seed=5, weight_decay=0.01
    )
    assert steps(adam, dtype, False, masked, donate) == steps(adam, dtype, True, masked, donate)


@pytest.mark.parametrize(("policy", "dtype"), CASES)
def test_the_bits_are_those_of_the_definition(policy: str, dtype: str) -> None:
    check(policy, dtype, None, "none", masked=False, donate=True)
    check(policy, dtype, "float32", "uncorrected", masked=True, donate=False)


@pytest.mark.slow
@pytest.mark.parametrize(("policy", "dtype"), CASES)
def test_the_bits_in_every_case(policy: str, dtype: str) -> None:
    for moments, amsgrad, masked, donate in product(
        (None, "float32", "float64", "bfloat16", "float16"),
        ("none", "corrected"),
        (False, True),
        (False, True),
    ):
        check(policy, dtype, moments, amsgrad, masked, donate)


@pytest.mark.parametrize(("policy", "dtype"), CASES)
def test_machine_code_serves_it(policy: Any, dtype: str) -> None:
    """Or the tests above compare the definition with itself."""
    given: list[Any] = []

    class Recording(type(backend)):  # type: ignore[misc]
        def apply(self, adam: Any, jobs: Any, donate: bool) -> Any:
            given.extend(jobs)
            return super().apply(adam, jobs, donate)

    adam, p = Adam(lr=1e-2, eps=1e-3, p_storage=policy), np.ones((4, 3), dtype)
    backend.__class__ = Recording
    try:
        adam.step([p], [p], adam.init([p]))
        columns = np.asfortranarray(p)
        adam.step([columns], [columns], adam.init([columns]))
    finally:
        backend.__class__ = Recording.__base__
    rows, turned = given
    assert support.unsupported(MEMORY, rows) is None
    reason = support.unsupported(
        MEMORY, turned._replace(m=np.zeros_like(turned.p), v=np.zeros_like(turned.p))
    )
    assert (reason is None) == (policy != "stochastic"), "an element's number is not its place in memory"

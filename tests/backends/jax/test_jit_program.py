"""JAX's compiled step: what it is compiled for, and which arrays it may be given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.coefficients import Host
from adamcore.definition import coefficients
from adamcore.jobs import Job, LeafDtypes

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402

from adamcore.backends.jax import backend, ffi, jit_program  # noqa: E402

FLOAT32 = LeafDtypes(jnp.dtype("float32"), jnp.dtype("float32"), jnp.dtype("float32"), False)


def job(t: int = 1, lr: float = 0.1, **parts: Any) -> Job:
    arrays = {name: jnp.ones(3) for name in ("p", "g", "m", "v")} | {"v_max": None}
    c = coefficients(Host(), Adam(), t, lr)
    return Job(**(arrays | {"coefficients": c, "where": None, "formats": FLOAT32} | parts))


def test_a_new_learning_rate_or_clock_compiles_nothing() -> None:
    def program(adam: Adam, *jobs: Job) -> jit_program.JitProgram:
        return jit_program.program_for(adam, jobs, backend.apply_one)

    one = program(Adam(lr=0.1), job())
    assert program(Adam(lr=0.2), job(t=7, lr=0.2)) is one
    assert program(Adam(lr=0.1), job(), job()) is not one
    assert program(Adam(maximize=True), job()) is not one


def test_a_gradient_of_another_shape_is_a_misfit() -> None:
    program = jit_program.program_for(Adam(), [job()], backend.apply_one)
    tables = program.tables([job().coefficients], None)
    with pytest.raises(jit_program.Misfit):
        program.call([jnp.ones(3)] * 3, [jnp.ones(2)], [None], tables, jit_program.NO_CLOCKS)


def test_clocks_come_back_as_arrays_of_no_dimension() -> None:
    program = jit_program.program_for(Adam(), [job(), job()], backend.apply_one)
    tables = program.tables([job().coefficients], None)
    given = [jnp.ones(3) for _ in range(6)]
    new = program.call(given, [jnp.ones(3)] * 2, [None] * 2, tables, np.array([4, 9], np.int32))
    assert [(x.shape, int(x)) for x in new[2:4]] == [((), 4), ((), 9)]  # behind every p


def test_an_array_in_two_places_is_not_donated() -> None:
    x = jnp.ones(3)
    assert jit_program.can_donate([job(), job()])
    assert not jit_program.can_donate([job(p=x), job(m=x)])
    assert not jit_program.can_donate([job(p=x), job(g=x)])
    assert jit_program.can_donate([job(g=x), job(g=x)])


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"where": jnp.ones(3, bool)}, "a mask or flag"),
        ({"formats": FLOAT32._replace(is_complex=True)}, "complex numbers"),
        ({"m": jnp.ones(3, "float8_e4m3fn")}, "moments in float8_e4m3fn"),
        ({"m": jnp.ones(3, "bfloat16")}, None),
        ({"v": jnp.ones(3, "bfloat16"), "v_max": jnp.ones(3)}, "moments in float32 and bfloat16"),
        ({}, None),
    ],
)
def test_it_says_why_machine_code_does_not_run_a_job(parts: Any, why: str | None) -> None:
    if not ffi.available():
        pytest.skip("no llvmlite, or an interface that is not known here")
    reason = jit_program.unsupported(job(**parts))
    assert reason is None if why is None else reason is not None and why in reason


def test_chunks() -> None:
    found = [(start, len(indices)) for start, indices in jit_program.chunks(range(70))]
    assert found == [(0, 32), (32, 32), (64, 6)]


@pytest.mark.slow
def test_moments_in_a_codebook_have_numpys_bits() -> None:
    """By the handler's machine code, in whole blocks of 256 and in a part of one, beside a small array."""
    adam, rng = Adam(lr=1e-3, m_storage="blockwise8", v_storage="blockwise8"), np.random.default_rng(0)
    starts = [rng.standard_normal(n).astype("f") for n in (4099, 8192, 7)]
    gradients = [
        [(rng.standard_normal(p.shape) * 10.0 ** rng.integers(-6, 1, p.shape)).astype("f") for p in starts]
        for _ in range(4)
    ]
    gradients[2][0][5], gradients[3][1][300] = np.nan, np.inf
    found = []
    for array in (np.array, jnp.asarray):
        params = [array(p) for p in starts]
        state = adam.init(params)
        for gs in gradients:
            params, state = adam.step(params, [array(g) for g in gs], state, donate=True)
        trees = (params, *(tree for tree in state[1:] if tree is not None))
        found.append([np.asarray(x) for tree in trees for x in tree if x is not None])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, theirs)  # NaN equals NaN, whatever its bits

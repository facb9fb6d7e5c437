"""Moments in 8 bits: the same bits in every library and in every program, blocks, masks and steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import some
from moment_runs import POLICIES, SHAPES, kept, moments, steps
from storage_runs import LIBRARIES, array, numbers, same, words_of

from adamcore import Adam
from adamcore.backends.base import BaseBackend
from adamcore.dtypes import leaf_dtypes
from adamcore.errors import BackendError, HyperparameterError, StateError, TreeError
from adamcore.storage.moments import Coding, decode

CODINGS = [Coding(policy, signed) for policy in ("companded8", "blockwise8") for signed in (True, False)]
EAGER = pytest.mark.slow  # JAX makes a program for each operation and shape


def adam(policy: Any, **options: Any) -> Adam:
    return Adam(**{"lr": 0.01, "b1": 0.5, "b2": 0.75, "m_storage": policy, "v_storage": policy, **options})


def equal(a: Any, b: Any) -> bool:
    """True if numbers are the same, or both NaN."""
    return bool(((a == b) | (np.isnan(a) & np.isnan(b))).all())


# Bits --------------------------------------------------------------------------------------------------


WAYS = [("torch", False), ("jax", False), ("jax", True)]
FLAT = [(coding, *way) for coding in CODINGS for way in WAYS]


@pytest.mark.parametrize(("coding", "library", "jit"), some(FLAT, 7), ids=str)
def test_every_library_gives_the_same_bits(coding: Coding, library: str, jit: bool) -> None:
    x = np.concatenate([x.reshape(-1) for x in moments(coding.signed)])
    wanted, found = kept("numpy", coding, x), kept(library, coding, x, jit)
    assert same(wanted[:2], found[:2])
    assert equal(wanted[2], found[2])


@pytest.mark.parametrize("coding", CODINGS, ids=str)
def test_a_compiler_fuses_no_number_with_a_sum(coding: Coding) -> None:
    """XLA makes one rounding of a product and a sum; the numbers of codes are not part of that."""
    jax, n = pytest.importorskip("jax"), words_of("jax")
    codes, scales, x = kept("numpy", coding, moments(coding.signed)[0])
    other = (x * np.linspace(-1, 1, x.size).reshape(x.shape)).astype(np.float32)
    total = jax.jit(lambda a, b, y: decode(n, coding, a, b) + y)(codes, scales, other)
    assert np.asarray(total).tobytes() == (x + other).tobytes()


# Steps -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("library", "donate"),
    [
        *(("numpy", True), ("torch", False), ("torch", True)),
        *(pytest.param("jax", donate, marks=EAGER) for donate in (False, True)),
    ],
)
def test_steps_give_the_same_bits(policy: str, library: str, donate: bool) -> None:
    opt = adam(policy, amsgrad="uncorrected", weight_decay=0.1, decay="decoupled")
    params, state = steps(opt, "numpy")
    others, other = steps(opt, library, donate=donate)
    assert same(params, others)
    for name in ("m", "v", "v_max", "m_scale", "v_scale", "v_max_scale"):
        assert same(getattr(state, name), getattr(other, name)), name


@pytest.mark.parametrize("policy", POLICIES)
def test_jit_keeps_the_same_moments(policy: str) -> None:
    """The parameters are off by what XLA fuses in the definition; codes hide that."""
    jax, opt = pytest.importorskip("jax"), adam(policy)
    params, state = steps(opt, "numpy")
    others, other = steps(opt, "jax", step=jax.jit(opt.step))
    assert same([*state.m, *state.v], [*other.m, *other.v])
    assert all(np.allclose(numbers(a), numbers(b), atol=1e-6) for a, b in zip(params, others, strict=True))


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_state_has_codes_and_scales(library: str) -> None:
    opt = adam("companded8", amsgrad="corrected")
    state = opt.init([array(library, np.ones(shape), "bfloat16") for shape in SHAPES])
    names = [
        str(x[0].dtype).removeprefix("torch.") for x in (state.m, state.m_scale, state.v_max, state.v_scale)
    ]
    assert names == ["int8", "int16", "uint8", "float32"]
    assert [tuple(x.shape) for x in state.v] == list(SHAPES)
    assert [tuple(x.shape) for x in state.v_max_scale] == [(3,), (1,), (1,), (0,), (3,)]
    assert not any(numbers(x).any() for x in (*state.m, *state.v_scale))
    half = Adam(v_storage="companded8", moment_dtype="float32").init([array(library, [1.0], "bfloat16")])
    assert numbers(half.m[0]).dtype == "float32"
    assert half.m_scale is None
    assert half.v_max_scale is None


def test_a_step_uses_the_moments_before_they_are_kept() -> None:
    """One step from a start of 0 is a plain step, whatever the codes."""
    plain, coded = (steps(adam(policy), "numpy", 1)[0] for policy in ("plain", "companded8"))
    assert same(plain, coded)


def test_a_run_is_near_a_plain_one() -> None:
    """Steps of 0.01, of which rounded moments change some percent."""
    plain, coded = (steps(adam(policy), "numpy", 20)[0] for policy in ("plain", "companded8"))
    errors = [np.abs(a - b).max() for a, b in zip(plain, coded, strict=True) if a.size]
    assert 0 < max(errors) < 0.01


def test_bfloat16_with_split8_takes_5_1_bytes() -> None:
    torch = pytest.importorskip("torch")
    p = torch.ones(1000, 96, dtype=torch.bfloat16)
    state = Adam(p_storage="split8", m_storage="companded8", v_storage="companded8").init(p)
    arrays = [p, state.p_rest, state.m, state.v, state.m_scale, state.v_scale]
    assert sum(x.numel() * x.element_size() for x in arrays) == 5.09375 * p.numel()


# Masks, resets and refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["numpy", "torch", pytest.param("jax", marks=EAGER)])
def test_a_block_that_takes_no_part_keeps_its_bits(library: str) -> None:
    opt = adam("companded8")
    p = array(library, np.ones(200), "float32")
    g = array(library, np.linspace(-1, 1, 200), "float32")
    p, state = opt.step(p, g, opt.init(p))
    mask = np.arange(200) < 70  # all of the first block, a part of the second
    present = array(library, mask, "float32") > 0
    q, after = opt.step(p, g * 4, state, present=present)
    for name in ("m", "v"):
        old, new = (numbers(getattr(s, name)) for s in (state, after))
        scales = [numbers(getattr(s, f"{name}_scale")) for s in (state, after)]
        assert (old[128:] == new[128:]).all()
        assert (scales[0][2:] == scales[1][2:]).all()
        assert (scales[0][:2] < scales[1][:2]).all()
    assert numbers(q)[70:].tobytes() == numbers(p)[70:].tobytes()
    n, codings = words_of(library), {"m": Coding("companded8", True), "v": Coding("companded8", False)}
    for name, coding in codings.items():
        old, new = (
            numbers(decode(n, coding, getattr(s, name), getattr(s, f"{name}_scale"))) for s in (state, after)
        )
        assert np.allclose(old[70:128], new[70:128], rtol=0.05, atol=0.002)


def test_a_skipped_step_keeps_every_bit() -> None:
    jax, opt = pytest.importorskip("jax"), adam("companded8")
    p = array("jax", np.linspace(-1, 1, 70), "float32")
    step = jax.jit(lambda p, state, found: opt.step(p, p, state, found_inf=found))
    p, state = step(p, opt.init(p), False)
    after, kept_state = step(p, state, True)
    assert same([p], [after])
    assert same(jax.tree.leaves(state), jax.tree.leaves(kept_state))
    assert not same([p], [step(p, state, False)[0]])


def test_a_reset_starts_codes_and_scales_anew() -> None:
    opt = adam("companded8", amsgrad="uncorrected")
    _, state = steps(opt, "numpy")
    fresh = opt.reset(state)
    for name in ("m", "v", "v_max", "m_scale", "v_scale", "v_max_scale"):
        assert not any(x.any() for x in getattr(fresh, name)), name


def test_what_cannot_be_kept_is_refused() -> None:
    with pytest.raises(
        HyperparameterError, match=r"m_storage='int4': expected one of 'plain', 'stochastic', 'compa"
    ):
        Adam(m_storage="int4")  # type: ignore[arg-type]
    with pytest.raises(HyperparameterError, match="v_storage='companded8' with a parameter of complex64"):
        Adam(v_storage="companded8").init(np.ones(2, np.complex64))
    with pytest.raises(BackendError, match="m_storage='companded8' with arrays of array: expected a library"):
        leaf_dtypes(adam("companded8"), BaseBackend(), np.ones(2))


def test_a_state_of_another_storage_is_refused() -> None:
    opt, p = adam("companded8"), np.ones(70, np.float32)
    state = opt.init(p)
    with pytest.raises(StateError, match=r"state.m_scale is there: expected None, as m_storage='plain'"):
        adam("plain").step(p, p, state)
    with pytest.raises(StateError, match=r"state.m_scale is None: expected a tree, as m_storage='comp"):
        opt.step(p, p, adam("plain").init(p))
    with pytest.raises(StateError, match=r"state.v_scale is of shape \(1,\): expected \(2,\)"):
        opt.step(p, p, state._replace(v_scale=state.v_scale[:1]))
    with pytest.raises(StateError, match=r"state.m is of dtype float32: expected int8"):
        opt.step(p, p, state._replace(m=p))


def test_scales_that_share_memory_are_not_stepped_in_place() -> None:
    opt = adam("companded8")
    params = [np.ones(3, np.float32), np.ones(3, np.float32)]
    state = opt.init(params)
    state = state._replace(m_scale=[state.m_scale[0], state.m_scale[0]])
    with pytest.raises(TreeError, match="share memory"):
        opt.step(params, params[::-1], state, donate=True)

"""Blocks of ordinary numbers beside others: the bits of the definition, whichever way a block goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from fast import bits, definition_alone

from adamcore import Adam
from adamcore.backends.kernels import llvm, loop, ordinary
from adamcore.backends.kernels.formats import Format
from adamcore.backends.numpy import backend
from adamcore.coefficients import Host
from adamcore.definition import coefficients
from adamcore.tracing import program

pytest.importorskip("llvmlite")
pytest.importorskip("ml_dtypes")

Block = dict[str, Any]  #: the arrays of one block, by their names, and its scales as arrays of one number


def put(name: str, value: float, at: int = 17) -> Callable[[Block], None]:
    """Return what puts a number in a block, or a word where the array has words."""

    def change(block: Block) -> None:
        block[name][at] = value

    return change


def zeros(*names: str) -> Callable[[Block], None]:
    def change(block: Block) -> None:
        for name in names:
            block[name][:] = 0

    return change


def both(*changes: Callable[[Block], None]) -> Callable[[Block], None]:
    def change(block: Block) -> None:
        for each in changes:
            each(block)

    return change


def ends(block: Block) -> None:
    """Every code of both ends, with a gradient that leaves the moments where they are."""
    block["m"][:] = np.arange(64) * 4 - 126
    block["m"][:3] = -127, 127, 0
    block["v"][:] = np.arange(64) * 4
    block["v"][:3] = 254, 1, 0
    block["g"][:] = 0.0


def whole_range(block: Block) -> None:
    block["g"][:] = (np.geomspace(1e-38, 1e15, 64) * np.resize([1, -1], 64)).astype(block["g"].dtype)


UP, DOWN, TINY = 0x7F80, -0x0080, 0x0001  #: words of bfloat16: infinity, minus infinity, the least subnormal
SPECIAL: dict[str, Callable[[Block], None]] = {
    "NaN in g": put("g", np.nan),
    "infinity in g": put("g", -np.inf),
    "a g whose square is infinite": put("g", 1e30),
    "NaN in p": put("p", np.nan),
    "NaN in p alone": both(put("p", np.nan), put("p_rest", -77)),
    "infinity in p": put("p", np.inf),
    "NaN in m": put("m", -128),
    "NaN in v": put("v", 255),
    "NaN in the last of m": put("m", -128, 63),
    "NaN in the first of v": put("v", 255, 0),
    "an infinite scale of m": put("m_scale", UP, 0),
    "an infinite m": both(put("m", 127), put("m_scale", 0x7D00, 0)),
    "a scale of m below 0": put("m_scale", DOWN - 0x4000, 0),
    "NaN as the scale of m": put("m_scale", UP + 1, 0),
    "a subnormal scale of m": put("m_scale", TINY, 0),
    "an infinite scale of v": put("v_scale", np.inf, 0),
    "a scale of v below 0": put("v_scale", -1e-5, 0),
    "NaN as the scale of v": put("v_scale", np.nan, 0),
    "a subnormal scale of v": put("v_scale", 1e-44, 0),
    "a v of 0": both(put("v", 0), put("g", 0.0)),
    "no v": zeros("v", "g"),
    "no m": zeros("m", "g"),
    "nothing": zeros("p", "g", "m", "v"),
    "no scales": zeros("m_scale", "v_scale"),
    "nothing but a subnormal g": both(zeros("m", "v", "g"), put("g", 1e-39)),
    "nothing but a subnormal v": both(zeros("m", "v", "g"), put("g", 1e-18)),
    "the ends of the codes": ends,
    "gradients of every size": whole_range,
}


@pytest.fixture(params=[False, True], ids=["together", "apart"])
def apart(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    """True where ordinary blocks are stepped apart; the text for that is as general as the other."""
    monkeypatch.setattr(loop, "native_tables", lambda: request.param)
    loop.kernel.cache_clear()
    yield request.param
    loop.kernel.cache_clear()


def given(adam: Adam, dtype: str, size: int, changes: list[Callable[[Block], None]]) -> tuple[Any, Any, Any]:
    """Return parameters, gradients and a state of random numbers, in which the k-th block is changed."""
    rng = np.random.default_rng(1)
    p = rng.standard_normal(size).astype(dtype)
    state = adam.init(p)
    for _ in range(3):
        g = (rng.standard_normal(size) * 10.0 ** rng.integers(-4, 1, size)).astype(dtype)
        p, state = adam.step(p, g, state)
    arrays: Block = {"p": p, "g": (rng.standard_normal(size) * 0.1).astype(dtype)}
    arrays |= {name: tree.copy() for name, tree in state._asdict().items() if tree is not None}
    for k, change in enumerate(changes):
        scale, block = slice(k, k + 1), slice(64 * k, 64 * k + 64)
        parts = {name: x[scale if name.endswith("_scale") else block] for name, x in arrays.items() if x.ndim}
        with np.errstate(all="ignore"):
            change(parts)
    g = arrays.pop("g")
    return arrays.pop("p"), g, type(state)(**arrays)


def words(x: Any) -> Any:
    """Return the words of an array, NaN as one value."""
    if x.dtype.kind in "iu":
        return x
    return np.where(np.isnan(x.astype(np.float32)), 0, x.view(f"u{x.itemsize}"))


CASES = [
    ("split8", "bfloat16", "companded8", "companded8", "none"),
    ("plain", "float32", "companded8", "companded8", "uncorrected"),
    ("plain", "bfloat16", "companded8", "plain", "none"),
    ("stochastic", "float16", "plain", "companded8", "none"),
    ("kahan", "bfloat16", "companded8", "stochastic", "none"),
    ("master", "float16", "companded8", "companded8", "none"),
    ("split", "bfloat16", "companded8", "companded8", "corrected"),
]


@pytest.mark.parametrize(
    "case", [case if case in CASES[:3] else pytest.param(case, marks=pytest.mark.slow) for case in CASES]
)
def test_the_bits_are_those_of_the_definition(case: Any, apart: bool) -> None:
    policy, dtype, m, v, amsgrad = case
    # an L2 decay would put the NaN of a parameter in its moments too
    decay: Any = {"weight_decay": 0.1, "decay": "decoupled", "amsgrad": amsgrad}
    adam = Adam(lr=1e-2, p_storage=policy, m_storage=m, v_storage=v, seed=2, **decay)

    def coded(change: Callable[[Block], None]) -> Callable[[Block], None]:
        """Return a change that leaves out what these moments have not."""

        def made(block: Block) -> None:
            try:
                change({name: x for name, x in block.items() if name in known})
            except KeyError:
                return

        return made

    known = {"p", "g"} | ({"p_rest"} if policy == "split8" else set())
    known |= {name for name in ("m", "m_scale") if m == "companded8"}
    known |= {name for name in ("v", "v_scale") if v == "companded8"}

    def left(block: Block) -> None:
        pass

    # each special block after an ordinary one, then two in a row, then an ordinary one and a part
    changes = [coded(change) for change in SPECIAL.values()]
    changes = [each for change in changes for each in (left, change)] + changes + [left, left]
    for size in (64 * len(changes), 64 * len(changes) - 31):
        found = []
        for alone in (True, False):
            p, g, state = given(adam, dtype, size, changes)
            with definition_alone(backend) if alone else nullcontext():
                for donate in (False, True):
                    p, state = adam.step(p, g, state, donate=donate)
            found.append({"p": p, **{name: x for name, x in state._asdict().items() if x is not None}})
        for name, x in found[0].items():
            wrong = np.flatnonzero(words(x) != words(found[1][name]))
            block = wrong if name.endswith("_scale") else wrong // 64
            assert not wrong.size, (name, sorted(set(block)))


@pytest.mark.parametrize("size", [1, 63, 64, 65, 128, 129, 1000])
def test_a_last_block_gets_its_codes(size: int, apart: bool) -> None:
    """The codes of a block are made when the next one is stepped, those of the last behind the loop."""
    adam = Adam(p_storage="split8", m_storage="companded8", v_storage="companded8")
    found = []
    for alone in (True, False):
        p, g, state = given(adam, "bfloat16", size, [])
        two = type(state)(*(None if x is None else [x, x.copy()] for x in state))
        with definition_alone(backend) if alone else nullcontext():
            ps, two = adam.step([p, p.copy()], [g, g.copy()], two)
        trees = [ps, *(tree for tree in two if tree is not None)]
        found.append([x.tobytes() if x.dtype.kind in "iu" else bits(x) for tree in trees for x in tree])
    assert found[0] == found[1]


def test_which_kernels_step_blocks_apart() -> None:
    adam = Adam(m_storage="companded8", v_storage="companded8")
    traced = program(adam, coefficients(Host(), adam, 1, 0.1))
    policies: Any = ("split8", "companded8", "companded8")
    kept = Format("float32", "bfloat16", "bfloat16", "int8", "uint8", *policies)
    assert ordinary.serves(kept, False)
    assert not ordinary.serves(kept, True)
    assert not ordinary.serves(kept._replace(work="float64"), False)
    assert not ordinary.serves(Format("float32", *["bfloat16"] * 4), False)  # type: ignore[arg-type]
    for wide in (False, True):
        assert ("label %ordinary" in loop.text(traced, kept, True, wide=wide)) is wide
    assert llvm.native_tables() in (False, True)

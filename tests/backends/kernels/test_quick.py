"""Results rounded to bfloat16 by the processor, and its tables: the bits of the definition everywhere."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from fast import bits, definition_alone

from adamcore import Adam
from adamcore.backends.kernels import llvm, loop, words
from adamcore.backends.kernels.formats import Format
from adamcore.backends.numpy import backend
from adamcore.coefficients import Host
from adamcore.definition import coefficients
from adamcore.tracing import program

pytest.importorskip("llvmlite")
pytest.importorskip("ml_dtypes")


@pytest.mark.parametrize("size", [1.0, 1e-17, 1e-19, 1e-38, 0.0])
def test_subnormal_numbers_are_rounded_and_not_lost(size: float) -> None:
    """The second moment is a square: of gradients of 1e-19 it is subnormal."""
    rng, adam = np.random.default_rng(2), Adam(lr=1e-3, eps=1e-30)
    start = (rng.standard_normal(320) * max(size, 1e-30)).astype("bfloat16")
    given: list[Any] = [
        (rng.standard_normal(320) * size * (rng.random(320) < 0.9)).astype("bfloat16") for _ in range(4)
    ]
    found = []
    for alone in (True, False):
        with definition_alone(backend) if alone else nullcontext():
            p, state = start, adam.init(start)
            for g in given:
                p, state = adam.step(p, g, state)
        found.append([bits(x) for x in (p, state.m, state.v)])
    assert found[0] == found[1]


def test_the_instruction_is_used_where_it_is_there() -> None:
    traced = program(Adam(), coefficients(Host(), Adam(), 1, 0.1))
    for dtype, there, uses in (
        ("bfloat16", True, True),
        ("bfloat16", False, False),
        ("float16", True, False),
    ):
        dtypes = Format("float32", *[dtype] * 4)  # type: ignore[arg-type]
        assert ("cvtne2ps2bf16" in loop.text(traced, dtypes, True, bfloat16=there)) is uses
    assert llvm.native_bfloat16() in (False, True)


@pytest.mark.parametrize("there", [True, False])
def test_tables_are_in_registers_where_the_processor_looks_up_there(
    there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the numbers are, test_words says."""
    monkeypatch.setattr(words, "native_tables", lambda: there)
    traced = program(Adam(), coefficients(Host(), Adam(), 1, 0.1))
    dtypes = Format("float32", "float32", "float32", "uint8", "uint8", "plain", "blockwise8", "blockwise8")
    text = loop.text(traced, dtypes, True)
    assert ("vpermi2var" in text, "masked.gather" in text) == (there, not there)
    assert llvm.native_tables() in (False, True)

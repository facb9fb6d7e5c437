"""The functions of storage as lines of a kernel: the bits of NumPy, one by one and in vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from applied_words import applied
from storage_runs import samples, words_of

from adamcore.backends.kernels import llvm, words
from adamcore.backends.kernels.formats import Lines
from adamcore.backends.kernels.words import Value
from adamcore.storage import blockwise
from adamcore.storage.bits import away, nearest, quiet, stochastic, to_odd
from adamcore.storage.random_bits import key_of, random_words

pytest.importorskip("llvmlite")

X = samples(4096)


FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "quiet": quiet,
    "nearest bfloat16": lambda n, w: nearest(n, quiet(n, w), "bfloat16"),
    "nearest float16": lambda n, w: nearest(n, quiet(n, w), "float16"),
    "away": lambda n, w: away(n, quiet(n, w)),
    "stochastic float16": lambda n, w: stochastic(n, quiet(n, w), "float16", n.words(n.floats(w ^ 12345))),
    "random": lambda n, w: random_words(n, w, key_of(3, 4, 5)),
    "a clock in the kernel": lambda n, w: random_words(n, w, key_of(3, 4, w & 1023)),
    "to odd": lambda n, w: to_odd(n, w, w < 77, (w & 3) == 2),
    "sizes": lambda n, w: n.where(abs(n.floats(w)) > 1.0, n.floats(w) * 0.5 + 2.0, 1.0 - n.floats(w)),
    "or": lambda n, w: (w > 5) | ~(w <= 1000),
    "number": lambda n, w: n.number(n.signed(w & 0xFFFF) - 0x8000),
    "signed": lambda n, w: n.unsigned(n.signed(w & 0xFFFF) - 0x8000),
}


@pytest.mark.parametrize("lanes", [1, 16])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_bits_are_those_of_numpy(name: str, lanes: int) -> None:
    n, function = words_of("numpy"), FUNCTIONS[name]
    x = X[: 512 if lanes == 1 else None]
    with np.errstate(all="ignore"):
        wanted = np.asarray(function(n, x.view(np.uint32)))
    if wanted.dtype == np.float32:
        wanted = wanted.view(np.uint32)
    got = applied(function, x, lanes)
    nan = np.isnan(got.view(np.float32)) & np.isnan(wanted[: len(got)].astype(np.uint32).view(np.float32))
    assert ((got == wanted[: len(got)].astype(np.uint32)) | nan).all()


def near_borders(signed: bool) -> Any:
    """Return the borders of a codebook with their neighbours, on both sides of 0, and what is no number."""
    borders = np.array(blockwise.middles(signed), np.float32)
    beside = [np.nextafter(borders, end) for end in (np.float32(-2), np.float32(2))]
    x = np.concatenate(
        [borders, -borders, *beside, np.array([0, -0.0, np.inf, -np.inf, np.nan, -np.nan, 4, 1e-40])]
    )
    return np.resize(np.concatenate([x.astype(np.float32), X[:1500]]), 3072)


@pytest.mark.parametrize("lanes", [64, 256])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("tables", [True, False])
def test_places_of_numbers_in_a_codebook(
    tables: bool, signed: bool, lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In registers, where this processor has tables there, and in memory."""
    monkeypatch.setattr(words, "native_tables", lambda: tables and llvm.native_tables())
    x, borders = near_borders(signed), blockwise.middles(signed)

    def place(n: Any, w: Any) -> Any:
        return n.places(borders, n.floats(w))

    wanted = np.asarray(place(words_of("numpy"), x.view(np.uint32)))
    np.testing.assert_array_equal(applied(place, x, lanes), wanted)


@pytest.mark.parametrize("tables", [True, False])
def test_numbers_of_a_codebook(tables: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "native_tables", lambda: tables and llvm.native_tables())
    table, codes = blockwise.table(True), np.resize(np.arange(256, dtype=np.uint32), 512)
    got = applied(lambda n, w: n.entries(table, w), codes, 256)
    np.testing.assert_array_equal(got.view(np.float32), np.array(table, np.float32)[codes])


def test_numbers_are_written_as_llvm_reads_them() -> None:
    value = Value(Lines(1), "%x", "i32")
    assert value.text(0xFFFF0000) == "-65536"
    assert value.text(0x7FFFFFFF) == "2147483647"
    assert (
        Value(Lines(2), "%x", "float").text(2.0**-24)
        == "<float 5.960464477539063e-08, float 5.960464477539063e-08>"
    )

"""Selections of vectors: a dialect without a file has one like it."""

from __future__ import annotations

from adamcore.conformance.vectors.languages import find_files, select_vectors


def test_a_dialect_without_a_file_is_answered_by_its_like() -> None:
    assert find_files("keras.AdamW") == ["keras.Adam.json"]
    assert {v["dtype"] for v in select_vectors("llm.c.AdamW", "float16")["vectors"]} == {"float16"}

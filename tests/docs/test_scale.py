"""docs/scale.md is what its generator writes, and its formulas are those of the layouts."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

pytest.importorskip("ml_dtypes")
import scale_page
from docs_pages import lost_links
from scale_page import Bytes, least_devices, measured_bytes, memory, network_time, sent, step_time

PLAIN = Bytes(4, 8, 4)
N = 1e9


def test_the_page_is_what_the_generator_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = tmp_path / "scale.md"
    monkeypatch.setattr(sys, "argv", ["scale_page", str(written)])
    runpy.run_path(scale_page.__file__, run_name="__main__")
    assert written.read_text(encoding="utf-8") == scale_page.FILE.read_text(encoding="utf-8")
    assert lost_links(scale_page.FILE) == []


def test_bytes_of_a_parameter() -> None:
    assert measured_bytes("float32", {}) == PLAIN
    assert PLAIN.moved == 28
    assert measured_bytes("bfloat16", {"p_storage": "split8"}) == Bytes(2, 5, 2)


def test_memory() -> None:
    assert memory(PLAIN, N, "replicated", 64) == 16e9
    assert memory(PLAIN, N, "ZeRO-1", 8) == 9e9
    assert memory(PLAIN, N, "FSDP", 8) == 2e9
    assert least_devices(PLAIN, 1e10, "FSDP") == 2
    assert least_devices(PLAIN, 1e10, "ZeRO-1") is None


def test_network() -> None:
    assert sent(PLAIN, N, "replicated", 8) == 7e9
    assert sent(PLAIN, N, "ZeRO-1", 8) == 7e9
    assert sent(PLAIN, N, "FSDP", 8) == 10.5e9
    assert network_time(PLAIN, N, "replicated", 8) == pytest.approx(7 / 450)
    assert network_time(PLAIN, N, "replicated", 16) == pytest.approx(7.5 / 50)
    assert sent(PLAIN, N, "FSDP", 1) == 0


def test_time() -> None:
    whole = step_time(PLAIN, N, "replicated", 8)
    assert whole == pytest.approx(28e9 / 3.35e12 / scale_page.fraction())
    assert step_time(PLAIN, N, "FSDP", 8) == pytest.approx(whole / 8)
    assert 0.9 < scale_page.fraction() <= 1

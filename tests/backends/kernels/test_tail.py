"""The last block of an array, where it is a part of one."""

from __future__ import annotations

import pytest

from adamcore import Adam
from adamcore.backends.kernels import llvm, loop
from adamcore.backends.kernels.formats import Format
from adamcore.backends.kernels.tail import whole_blocks
from adamcore.coefficients import Host
from adamcore.definition import coefficients
from adamcore.tracing import program


@pytest.mark.parametrize("in_place", [False, True])
def test_codes_and_scales_are_copied(in_place: bool) -> None:
    adam = Adam()
    traced = program(adam, coefficients(Host(), adam, 1, 0.1))
    dtypes = Format("float32", "bfloat16", "bfloat16", "int8", "uint8", "split8", "companded8", "companded8")
    text = loop.text(traced, dtypes, in_place)
    assert "%m.copy = alloca <64 x i8>" in text
    assert "%m_scale.copy = alloca <1 x i16>" in text
    assert ("%v_new.copy = alloca <64 x i8>" in text) is not in_place
    assert "single:" not in text


@pytest.mark.parametrize(("first", "end"), [(0, 64), (1, 63), (63, 65), (64, 130), (100, 1000)])
def test_each_block_belongs_to_one_piece(first: int, end: int) -> None:
    pytest.importorskip("llvmlite")
    import ctypes

    source = f"""
define void @bounds(i64 %a.own, i64 %b.own, i64 %size, ptr %to) {{
{whole_blocks(64)}
  %second = getelementptr i64, ptr %to, i64 1
  store i64 %a, ptr %to
  store i64 %b, ptr %second
  ret void
}}
"""
    at, keep = llvm.link(source, "bounds")
    found = (ctypes.c_int64 * 2)()
    number = ctypes.c_int64
    ctypes.CFUNCTYPE(None, number, number, number, ctypes.c_void_p)(at)(
        first, end, 130, ctypes.addressof(found)
    )
    del keep
    assert list(found) == [min(-(-first // 64) * 64, 130), min(-(-end // 64) * 64, 130)]

"""The formats of a kernel, and the lines of LLVM's language on vectors and on one element."""

from __future__ import annotations

import pytest

from adamcore.backends.kernels.formats import Format, Lines, Storage, uniform


def test_the_maximum_is_stored_as_v_is() -> None:
    dtypes = Format("float64", "bfloat16", "float32", "float16", "float64")
    names = ("p", "g", "m", "v", "v_max")
    assert [dtypes.of(name) for name in names] == ["bfloat16", "float32", "float16", "float64", "float64"]


@pytest.mark.parametrize(
    ("p", "m", "lanes", "pairs"),
    [
        ("bfloat16", "bfloat16", 32, True),
        ("float16", "bfloat16", 32, False),
        ("bfloat16", "float32", 16, False),
        ("float32", "float64", 8, False),
    ],
)
def test_a_pass_reads_a_line_of_the_widest_array(p: Storage, m: Storage, lanes: int, pairs: bool) -> None:
    dtypes = Format("float32", p, p, m, m)
    assert (dtypes.lanes, dtypes.pairs) == (lanes, pairs)
    assert uniform("float32").lanes == 16


def test_one_element_is_no_vector() -> None:
    one, four = Lines(1), Lines(4)
    assert (one.kind("half"), four.kind("half")) == ("half", "<4 x half>")
    assert one.constant(0.5, "float") == "0.5"
    assert one.cast("%y", "zext", "i16", "%x", "i32") == "%y"
    assert one == ["  %y = zext i16 %x to i32"]
    four.select("%z", "%f", "i32", "%x", "%y")
    assert four == ["  %z = select <4 x i1> %f, <4 x i32> %x, <4 x i32> %y"]

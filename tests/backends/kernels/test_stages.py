"""The operations of a program in two stages."""

from __future__ import annotations

from typing import Any

from adamcore import Adam
from adamcore.backends.kernels.formats import Format
from adamcore.backends.kernels.stages import Stages, leading_to, stages
from adamcore.coefficients import Host
from adamcore.definition import coefficients
from adamcore.tracing import Op, program


def stages_of(m: Any, v: Any, **axes: Any) -> Stages:
    adam = Adam(m_storage=m, v_storage=v, **axes)
    traced = program(adam, coefficients(Host(), adam, 1, 0.1))
    codes: Any = {"companded8": ("int8", "uint8"), "plain": ("bfloat16", "bfloat16")}
    dtypes = Format("float32", "bfloat16", "bfloat16", codes[m][0], codes[v][1], "split8", m, v)
    return stages(traced, dtypes)


def test_the_first_stage_is_what_moments_in_8_bits_need_with_their_roots() -> None:
    s = stages_of("companded8", "companded8")
    assert s.inputs == ["g", "m", "v"]
    assert s.later == ["p"]
    assert [op.kind for op in s.first].count("sqrt") == 1  # the root of the step is that of the codes
    assert [op.kind for op in s.second].count("sqrt") == 0
    assert s.carried == sorted(s.sized.values())
    assert len(s.first) + len(s.second) == len(s.program.ops)


def test_a_moment_that_is_kept_plainly_is_left_to_the_second_stage() -> None:
    s = stages_of("companded8", "plain")
    assert s.inputs == ["g", "m"]
    assert s.later == ["p", "v"]
    assert "g" in s.carried
    assert {*s.plain} == {"p", "v"}


def test_a_root_that_the_step_does_not_need_is_made_for_the_codes() -> None:
    s = stages_of("companded8", "companded8", amsgrad="uncorrected")
    assert {*s.sized} == {"m", "v", "v_max"}
    assert [op.kind for op in s.first].count("sqrt") == 2
    assert len(s.first) + len(s.second) == len(s.program.ops) + 1


def test_no_operation_of_the_first_stage_needs_one_of_the_second() -> None:
    for m, v in ("companded8", "companded8"), ("companded8", "plain"), ("plain", "companded8"):
        for axes in {}, {"weight_decay": 0.1, "decay": "l2"}, {"amsgrad": "corrected"}:
            s = stages_of(m, v, **axes)
            known = {*s.inputs, *s.program.coefficients}
            for op in s.first:
                assert {*op.args} <= known
                known.add(op.out)
            known = {*s.carried, *s.later, *s.program.coefficients}
            for op in s.second:
                assert {*op.args} <= known
                known.add(op.out)
            assert {*s.plain.values()} <= known


def test_leading_to_keeps_the_order() -> None:
    ops = [
        Op("add", "x", ("a", "b")),
        Op("mul", "y", ("x", "x")),
        Op("neg", "z", ("a",)),
        Op("neg", "u", ("y",)),
    ]
    assert [op.out for op in leading_to(ops, ["u"])] == ["x", "y", "u"]
    assert leading_to(ops, ["a"]) == []

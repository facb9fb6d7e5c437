"""The traced program is the definition: bit for bit, and no longer than it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fast import adams, at

from adamcore import Adam
from adamcore.coefficients import Host
from adamcore.definition import Coefficients, coefficients, update
from adamcore.tracing import Expression, Namespace, Program, Trace, evaluate, formula, program

FUNCTIONS = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "sqrt": np.sqrt,
    "maximum": np.maximum,
    "sign": np.sign,
}


def made(adam: Adam) -> Program:
    return program(adam, at(adam))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_operation_after_the_other_gives_the_definitions_bits(dtype: str) -> None:
    rng = np.random.default_rng(0)
    for adam in adams(150):
        c = at(adam)
        p, g, m = (rng.standard_normal(99).astype(dtype) for _ in range(3))
        v, v_max = (rng.random(99).astype(dtype) for _ in range(2))
        [(p1, m1)], v1, max1 = update(np, adam, c, [(p, g, m)], v, v_max)
        values = {"p": p, "g": g, "m": m, "v": v, "v_max": v_max}
        new = evaluate(made(adam), FUNCTIONS, values | dict(zip(Coefficients._fields, c, strict=True)))
        assert new["p"].tobytes() == p1.tobytes()
        assert new["m"].tobytes() == m1.tobytes()
        assert new["v"].tobytes() == v1.tobytes()
        if adam.amsgrad != "none":
            assert max1 is not None
            assert new["v_max"].tobytes() == max1.tobytes()


@pytest.mark.parametrize(
    ("adam", "count"),
    [
        (Adam(), 14),
        (Adam(eps=0.0, bias_correction="none"), 12),
        (Adam(weight_decay=0.1), 16),
        (Adam.like("torch.AdamW"), 17),
        (Adam(amsgrad="uncorrected"), 15),
        (Adam(nesterov="dozat", weight_decay=0.1, decay="decoupled"), 19),
        (Adam(weight_decay=0.1, decay="decoupled", cautious_decay=True), 22),
    ],
)
def test_operations(adam: Adam, count: int) -> None:
    assert len(made(adam).ops) == count


def test_longest() -> None:
    assert max(len(made(adam).ops) for adam in adams(400) if not adam.cautious_decay) <= 24
    assert max(len(made(adam).ops) for adam in adams(400)) <= 24 + 5


def test_every_value_is_used_and_made_before_it_is() -> None:
    for adam in adams(100):
        each = made(adam)
        known = {*each.inputs, *each.coefficients}
        for op in each.ops:
            assert known.issuperset(op.args)
            known.add(op.out)
        used = {name for op in each.ops for name in op.args} | {value for _, value in each.outputs}
        assert used == known


def test_one_program_for_one_choice() -> None:
    adam = Adam()
    assert program(adam, at(adam, 3)) is program(Adam(lr=0.5, b1=0.8), at(adam, 99))
    assert made(adam) is not made(Adam(maximize=True))


def test_the_formula_gives_the_coefficients_bits() -> None:
    for adam in adams(200):
        if adam.nesterov == "dozat":
            adam = replace(adam, nesterov="optax")
        for t in (1, 2, 3, 999, 10**6, 2**31 - 1):
            for lr in (1e-3, 0.7, 6.0):
                assert formula(adam)(t, lr) == coefficients(Host(), adam, t, lr)


def test_every_operation_is_recorded_with_its_arguments_in_order() -> None:
    trace = Trace()
    x, y = trace.input("x"), trace.input("y")
    formed = [x + y, x - y, x * y, x / y, -x, 2.0 + x, 2.0 - x, 2.0 * x, 2.0 / x]
    formed += [x + 2.0, Namespace.sqrt(y), Namespace.maximum(x, y)]
    assert list(map(id, trace)) == list(map(id, formed))
    assert [each.name for each in trace] == [f"x{i}" for i in range(12)]
    assert [(each.op, each.args) for each in trace] == [
        ("add", (x, y)),
        ("sub", (x, y)),
        ("mul", (x, y)),
        ("div", (x, y)),
        ("neg", (x,)),
        ("add", (2.0, x)),
        ("sub", (2.0, x)),
        ("mul", (2.0, x)),
        ("div", (2.0, x)),
        ("add", (x, 2.0)),
        ("sqrt", (y,)),
        ("maximum", (x, y)),
    ]


def test_expressions_are_equal_by_what_they_compute() -> None:
    (one, two), other = (Trace().input("x") for _ in range(2)), Trace().input("y")
    assert one * 2.0 == two * 2.0
    assert hash(one * 2.0) == hash(two * 2.0)
    assert one * 2.0 != two * 3.0
    assert one * other != other * one
    assert repr(one * 2.0) == "mul(input('x'), 2.0)"


def test_without_a_trace_nothing_is_recorded() -> None:
    x = Expression("input", ("x",))
    assert (x + x).trace is None
    assert (x + x).args == (x, x)

"""The machine code as a custom call on vectors of moments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.coefficients import Host
from adamcore.definition import coefficients, update
from adamcore.tracing import program

jax = pytest.importorskip("jax")
import jax.numpy as jnp  # noqa: E402

from adamcore.backends.jax import ffi  # noqa: E402
from adamcore.backends.jax.packed import call  # noqa: E402
from adamcore.backends.jax.packed.tree import Layout  # noqa: E402
from adamcore.backends.kernels.formats import Format, uniform  # noqa: E402

pytestmark = pytest.mark.skipif(not ffi.available(), reason="no llvmlite, or an unknown interface")
ADAM = Adam(amsgrad="uncorrected", weight_decay=0.1)


@pytest.mark.parametrize("rows", [1, 3], ids=["one row for all", "a row for each"])
@pytest.mark.parametrize(
    "dtypes", [uniform("float32"), Format("float32", "float32", "float32", "bfloat16", "float32")]
)
def test_places_in_any_order(rows: int, dtypes: Any) -> None:
    """Each p steps its own part of the vectors, and what lies between the parts keeps its bits."""
    draw, shapes, places = np.random.default_rng(0), [(5,), (), (40, 3)], [7, 3, 20]
    ps, gs = ([draw.random(shape).astype("float32") for shape in shapes] for _ in range(2))
    whole = {name: jnp.asarray(draw.random(150), dtypes.of(name)) for name in ("m", "v", "v_max")}
    each = [coefficients(Host(), ADAM, t, 0.1) for t in range(1, rows + 1)]
    made = program(ADAM, each[0])
    table = np.asarray([made.used(c) for c in each], np.float32)

    def packed(ps: Any, gs: Any, vectors: Any, rows: Any) -> Any:
        return call.packed_call(made, dtypes)(ps, gs, vectors, rows, places)

    step = jax.jit(packed)
    new, vectors = step(ps, gs, whole, table)
    expected = {name: np.asarray(x).copy() for name, x in whole.items()}
    for j, (p, g, place) in enumerate(zip(ps, gs, places, strict=True)):
        span = slice(place, place + p.size)
        parts: Any = [expected[name][span].reshape(p.shape).astype("float32") for name in whole]
        c = type(each[0])(*(None if x is None else np.float32(x) for x in each[j % rows]))
        [(want, m)], v, v_max = update(np, ADAM, c, [(p, g, parts[0])], *parts[1:])
        np.testing.assert_array_equal(new[j], want)
        for name, x in zip(whole, (m, v, v_max), strict=True):
            expected[name][span] = np.reshape(x, -1).astype(expected[name].dtype)
    for name, x in expected.items():
        np.testing.assert_array_equal(np.asarray(vectors[name]), x)


def test_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, "CHUNK", 2)
    seen: list[Any] = []

    def stepping(ps: Any, gs: Any, vectors: Any, rows: Any, places: Any) -> Any:
        seen.append((list(ps), list(gs), vectors["m"], list(rows), list(places)))
        return [p + 1 for p in ps], {"m": vectors["m"] + 1}

    layout = Layout(None, [(3,), (), (2,), (4,)], ["float32"] * 4)
    new, vectors = call.in_chunks(
        stepping, [0, 2, 3], layout, [1, 2, 3], [4, 5, 6], {"m": 0}, ["a", "b", "c"]
    )
    assert (new, vectors) == ([2, 3, 4], {"m": 2})
    assert seen == [([1, 2], [4, 5], 0, ["a", "b"], [0, 4]), ([3], [6], 1, ["c"], [6])]


def test_the_vectors_are_written_in_place() -> None:
    c = coefficients(Host(), ADAM, 1, 0.1)
    made = program(ADAM, c)
    table = np.asarray([made.used(c)], np.float32)

    def step(ps: Any, gs: Any, vectors: Any) -> Any:
        for k in range(3):
            new, vectors = call.packed_call(made, uniform("float32"))(ps, gs, vectors, table, [2 * k])
        return new, vectors

    x = [jnp.ones(2)]
    vectors = {name: jnp.ones(6) for name in ("m", "v", "v_max")}
    text = jax.jit(step, donate_argnums=(0, 2)).lower(x, x, vectors).compile().as_text() or ""
    assert text.count("custom-call(") == 3
    assert "f32[6]{0} copy(" not in text

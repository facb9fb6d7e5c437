"""The interactive page's arithmetic is the definition's: bit for bit, in any choice of axes."""

from __future__ import annotations

import ast
import json
import random
import runpy
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import interactive_page
import javascript
import numpy as np
import pytest
from paths import ROOT

from adamcore import AXES, Adam
from adamcore.coefficients import Host, split_log
from adamcore.definition import coefficients
from adamcore.errors import AdamcoreError
from adamcore.tracing import program

FOLDER = ROOT / "docs" / "interactive"
LIMIT = 300_000  #: bytes of the whole page
DTYPES: dict[str, Any] = {"DOUBLE": np.float64, "Math.fround": np.float32}
#: How an operation is called in the page's trace and in adamcore's.
KINDS = {"+": "add", "-": "sub", "*": "mul", "/": "div", "negate": "neg", "max": "maximum"}
PAGE_AXES = tuple(interactive_page.data()["axes"])
HYPER = tuple(interactive_page.data()["hyper"])


def javascript_of(script: str) -> Any:
    """Return what a script prints as JSON, after the page's arithmetic."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node")
    text = "".join(
        (FOLDER / name).read_text(encoding="utf-8").replace('"use strict";', "")
        for name in ("definition.js", "arithmetic.js")
    )
    text += (
        "const hex = (x) => { const b = Buffer.alloc(8); b.writeDoubleBE(x); return b.toString('hex') };\n"
    )
    done = subprocess.run([node, "-"], input=text + script, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def settings(adam: Adam) -> dict[str, Any]:
    """Return an Adam as the page has it."""
    return {name: getattr(adam, name) for name in (*PAGE_AXES, *HYPER)}


def random_adam(draw: random.Random) -> Adam:
    """Return an Adam with random values on every axis of the page."""
    while True:
        axes: dict[str, Any] = {axis: draw.choice(AXES[axis]) for axis in PAGE_AXES}
        hyper: dict[str, Any] = {
            "lr": draw.choice([1e-3, 0.1, 0.5]),
            "b1": draw.choice([0.0, 0.3, 0.5, 0.9, 0.95]),
            "b2": draw.choice([0.4, 0.8, 0.99, 0.999]),
            "eps": draw.choice([0.0, 1e-8, 1e-3, 0.03]),
            "eps_root": draw.choice([0.0, 1e-3]),
            "weight_decay": draw.choice([0.0, 0.1, 0.9]),
            "lr_max": draw.choice([0.5, 1.0]),
        }
        try:
            return Adam(**axes, **hyper)
        except AdamcoreError:
            continue


def test_the_file_is_up_to_date() -> None:
    written = (FOLDER / "definition.js").read_text(encoding="utf-8")
    assert written == interactive_page.text(), "run `make pages`"


def test_the_program_writes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["interactive_page", str(tmp_path / "definition.js")])
    runpy.run_path(interactive_page.__file__, run_name="__main__")
    assert (tmp_path / "definition.js").read_text(encoding="utf-8") == interactive_page.text()


def test_the_page_is_small_and_fetches_nothing() -> None:
    files = [path for path in FOLDER.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < LIMIT
    for path in files:
        assert "://" not in path.read_text(encoding="utf-8"), path.name


def test_the_page_has_every_axis_and_file() -> None:
    assert set(AXES) - set(PAGE_AXES) == set(interactive_page.LEFT_OUT)
    page = (FOLDER / "index.html").read_text(encoding="utf-8")
    files = {path.name for path in FOLDER.iterdir() if path.suffix in (".js", ".css")}
    assert {name for name in files if f'"{name}"' not in page} == set()


@pytest.mark.parametrize("line", ["return a ** 2", "while a: a = 1", "return a < 2", "return {a: 1}"])
def test_what_it_cannot_translate_is_an_error(line: str) -> None:
    node = ast.parse(f'def f(a):\n    "Return."\n    {line}').body[0]
    assert isinstance(node, ast.FunctionDef)
    with pytest.raises((NotImplementedError, KeyError)):
        javascript.Function(node).lines()


def test_logarithms_are_split_as_on_the_host() -> None:
    numbers = [0.9, 0.999, 0.95, 0.5, 0.75, 0.8, 0.25, 1e-8, 0.9999, 0.1, 1 - 2**-53, 0.7500001, 2**-40]
    found = javascript_of(f"console.log(JSON.stringify({json.dumps(numbers)}.map(splitLog)))")
    assert [tuple(pair) for pair in found] == [split_log(b, 22) for b in numbers]


@pytest.mark.parametrize("rounding", DTYPES)
def test_every_step_has_the_bits_of_numpy(rounding: str) -> None:
    """On the host's coefficients: the expm1 of another engine may have another last bit."""
    draw, dtype = random.Random(1), DTYPES[rounding]
    cases: list[Any] = []
    wanted: list[Any] = []
    for _ in range(15):
        gradients = [None if draw.random() < 0.2 else float(np.float32(draw.gauss(0, 1))) for _ in range(8)]
        adam, p = random_adam(draw), float(np.float32(draw.uniform(-2, 2)))
        steps, given = numpy_steps(adam, p, gradients, dtype)
        cases.append([settings(adam), p, gradients, given])
        wanted.append(steps)
    found = javascript_of(f"""
        const one = ([adam, p, gradients, given]) => {{
          let state = start(p, {rounding});
          const out = [];
          for (const [k, g] of gradients.entries()) {{
            state = stepOf(adam, state, g, {rounding}, false, given[k] && Coefficients(...given[k]));
            out.push(state.error ? "refused" : [hex(state.p), hex(state.m), hex(state.v), state.t]);
            if (state.error) break;
          }}
          return out;
        }};
        console.log(JSON.stringify({json.dumps(cases)}.map(one)));
    """)
    assert found == wanted


def numpy_steps(adam: Adam, p: float, gradients: list[float | None], dtype: Any) -> tuple[Any, Any]:
    """Return the bits of p, m, v and the clock after each step, and the coefficients of each."""
    params = [np.array(p, dtype=dtype)]
    steps: list[Any] = []
    given: list[list[Any]] = []
    state, mu = adam.init(params), 1.0
    for g in gradients:
        try:
            params, state = adam.step(params, [None if g is None else np.array(g, dtype=dtype)], state)
        except AdamcoreError:
            return [*steps, "refused"], given
        t = int(np.ravel(np.asarray(state.t))[0])
        given.append(list(coefficients(Host(), adam, max(t, 1), adam.lr, mu)))
        if state.mu_product is not None:
            mu = float(np.ravel(np.asarray(state.mu_product))[0])
        bits = [struct.pack(">d", float(x)).hex() for x in (params[0], state.m[0], state.v[0])]
        steps.append([*bits, t])
    return steps, given


def test_coefficients_are_a_few_ulp_from_the_hosts() -> None:
    draw = random.Random(2)
    cases = [(random_adam(draw), draw.choice([1, 2, 10, 1000, 10**6])) for _ in range(200)]
    packed = json.dumps([[settings(adam), t] for adam, t in cases])
    found = javascript_of(f"""
        const made = {packed}.map(([adam, t]) => coefficientsOf(adam, t, adam.lr, 1));
        console.log(JSON.stringify(made.map((c) => FIELDS.map((name) => c[name]))));
    """)
    for (adam, t), got in zip(cases, found, strict=True):
        for a, b in zip(got, coefficients(Host(), adam, t, adam.lr, 1.0), strict=True):
            assert (a is None) == (b is None)
            # 1 ULP of an expm1, 2 of them in a corrected decay, and the roundings of what is made of them
            assert b is None or abs(a - b) <= 8 * np.spacing(abs(b))


def test_the_operations_are_those_of_the_traced_program() -> None:
    draw = random.Random(3)
    cases = [random_adam(draw) for _ in range(300)]
    found = javascript_of(f"""
        console.log(JSON.stringify({json.dumps([settings(adam) for adam in cases])}.map((adam) =>
          stepOf(adam, start(0.7, DOUBLE), 0.3, DOUBLE, true).ops.map(({{ kind }}) => kind))));
    """)
    for adam, kinds in zip(cases, found, strict=True):
        traced = program(adam, coefficients(Host(), adam, 1, adam.lr, 1.0))
        assert [KINDS.get(kind, kind) for kind in kinds] == [op.kind for op in traced.ops]

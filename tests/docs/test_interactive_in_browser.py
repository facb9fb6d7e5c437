"""The interactive page in headless Chromium: the vectors, the time of a run, and what a person sees."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from html import unescape
from typing import Any

import numpy as np
import pytest
from chromium import chromium, looking_at
from paths import ROOT

from adamcore import Adam
from adamcore.conformance.vectors.answers import claim_of_json
from adamcore.conformance.vectors.cases import Case, cases, values
from adamcore.conformance.vectors.files import SHIPPED, read_index
from adamcore.conformance.vectors.languages import select_vectors

pytestmark = pytest.mark.browser

FOLDER = ROOT / "docs" / "interactive"
INDEX = read_index(SHIPPED)
AXES = (
    "maximize", "amsgrad", "nesterov", "epsilon", "bias_correction", "decay", "decay_order", "cautious_decay"
)  # fmt: skip
HYPER = ("lr", "b1", "b2", "eps", "eps_root", "weight_decay", "momentum_decay", "lr_max")
FEW = ("torch.AdamW", "torch.NAdam")
DIALECTS = sorted({entry["dialect"] for entry in INDEX["files"].values()} - set(FEW))
ONE_CLOCK = {"missing": "skip", "clock": "per-parameter", "all_missing": "tick"}


def whole() -> str:
    """Return the page as one file, which keeps its errors."""
    text = (FOLDER / "index.html").read_text(encoding="utf-8")
    style = (FOLDER / "style.css").read_text(encoding="utf-8")
    text = text.replace('<link rel="stylesheet" href="style.css">', f"<style>{style}</style>")
    for name in ("definition.js", "arithmetic.js", "page.js"):
        script = (FOLDER / name).read_text(encoding="utf-8")
        assert "</script" not in script
        text = text.replace(f'<script src="{name}"></script>', f"<script>{script}</script>")
    catch = "window.errors = []; window.onerror = (m) => { window.errors.push(m) };"
    return text.replace("<head>", f"<head><script>{catch}</script>", 1)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    return chromium(tmp_path_factory.mktemp("profiles"))


@pytest.fixture(scope="module")
def look(browser: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    return looking_at(browser, whole(), tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def evaluate(browser: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """``evaluate(script)`` is what ``answer(...)`` was called with in the page."""
    path = tmp_path_factory.mktemp("script") / "page.html"

    def run(script: str) -> Any:
        answer = (
            "const answer = (x) => document.body.append(Object.assign(document.createElement('pre'),"
            " {id: 'answer', textContent: JSON.stringify(x)}));"
        )
        text = whole().replace("</body>", f"<script>{answer}\n{script}</script></body>")
        path.write_text(text, encoding="utf-8")
        out = browser("--dump-dom", path.as_uri())
        [found] = re.findall(r'<pre id="answer">(.*?)</pre>', out, re.S)
        return json.loads(unescape(found))

    return run


def numpy_run(adam: Adam, case: Case, dtype: str) -> list[list[str]]:
    """Return the bits of p, m and v after each step of a case, in NumPy."""
    numbers = {name: values(packed, dtype).astype(dtype) for name, packed in case.numbers.items()}
    params, state = [numbers["p0"].copy()], adam.init([numbers["p0"]])
    grads = numbers["g"].reshape(case.steps, case.size)
    out = []
    for s in range(case.steps):
        g = [grads[s].copy() if case.present[s] else None]
        params, state = adam.step(params, g, state, lr=case.lr[s])
        out.append([np.asarray(x[0]).astype(">f8").tobytes().hex() for x in (params, state.m, state.v)])
    return out


@pytest.mark.parametrize(
    "dialects", [FEW, pytest.param(DIALECTS, marks=pytest.mark.slow)], ids=["few", "rest"]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_vectors_bit_for_bit(dtype: str, dialects: Sequence[str], evaluate: Callable[[str], Any]) -> None:
    """What NumPy computes, which other tests hold to the vectors' bounds, is what the page computes."""
    inputs: list[Any] = []
    wanted: list[Any] = []
    for dialect in dialects:
        selection = select_vectors(dialect, dtype)
        for vector in selection["vectors"]:
            claim = claim_of_json(selection["axes"][vector["dialect"]])
            axes = {axis: getattr(claim, axis) for axis in AXES}
            adam = Adam(**axes, **vector["hyper"])
            hyper = {name: getattr(adam, name) for name in HYPER}
            for case in cases(vector):
                if vector["start"]:
                    continue
                p0, g = (values(case.numbers[k], dtype).astype(float) for k in ("p0", "g"))
                rows = g.reshape(case.steps, case.size).tolist()
                inputs.append([axes | hyper | ONE_CLOCK, p0.tolist(), rows, case.present, case.lr])
                wanted.append(numpy_run(adam, case, dtype))
    assert len(inputs) > 25
    found = evaluate(f"""
        const round = {"Math.fround" if dtype == "float32" else "DOUBLE"};
        const hex = (xs) => xs.map((x) => {{
          const view = new DataView(new ArrayBuffer(8)); view.setFloat64(0, x);
          return view.getBigUint64(0).toString(16).padStart(16, "0"); }}).join("");
        answer({json.dumps(inputs)}.map(([adam, p0, g, present, lr]) => {{
          let states = p0.map((p) => start(p, round));
          return g.map((row, s) => {{
            states = states.map((state, i) =>
              stepOf({{ ...adam, lr: lr[s] }}, state, present[s] ? row[i] : null, round));
            return ["p", "m", "v"].map((name) => hex(states.map((state) => state[name])));
          }});
        }}));
    """)
    wrong = [k for k, (a, b) in enumerate(zip(found, wanted, strict=True)) if a != b]
    assert wrong == []


def test_a_run_of_32_steps_takes_under_5_ms(evaluate: Callable[[str], Any]) -> None:
    times = evaluate("""
        model.gradients = Array.from({ length: 32 }, (_, k) => String(Math.sin(k)));
        drawRows();
        const times = [];
        for (let k = 0; k < 9; k++) { show(); times.push(window.shown.took); }
        answer(times);
    """)
    assert min(times) < 5


def test_it_marks_the_first_step_that_differs(evaluate: Callable[[str], Any]) -> None:
    seen = evaluate("""
        model.a = { dialect: "torch.Adam", precision: "float64", axes: {} };
        model.b = { dialect: "torch.Adam", precision: "float64", axes: { missing: "zero" } };
        model.gradients = ["1", "2", "", "3"];
        drawAll();
        const rows = [...document.querySelectorAll("#steps tbody tr")];
        answer([rows.findIndex((row) => row.classList.contains("first")),
                document.querySelector("#outcome").textContent,
                rows[2].innerText.includes("first difference"), window.errors]);
    """)
    assert seen == [2, "p differs for the first time after step 3.", True, []]


def test_a_wrong_number_is_said_and_keeps_the_page(evaluate: Callable[[str], Any]) -> None:
    said = evaluate("""
        const input = document.querySelector("#n-b1");
        input.value = "1.5"; input.dispatchEvent(new Event("input"));
        answer([document.querySelector("#problem").textContent, window.errors]);
    """)
    assert said == ["b1 is 1.5: expected a number in [0, 1)", []]


def test_enter_goes_to_the_next_gradient(evaluate: Callable[[str], Any]) -> None:
    at = evaluate("""
        const inputs = document.querySelectorAll("#steps tbody input");
        inputs[0].focus();
        inputs[0].dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", cancelable: true }));
        const row = document.querySelector("tr[aria-current]");
        answer([document.activeElement === inputs[1], row.rowIndex - 2]);
    """)
    assert at == [True, 1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(look: Callable[..., Any], scheme: str) -> None:
    """A contrast of 4.5 at least (WCAG 2, AA)."""
    seen = look(scheme)
    assert len(seen["texts"]) > 60
    assert [text for text in seen["texts"] if text[1] < 4.5] == []
    assert (seen["background"] < 0.05) == (scheme == "dark")


@pytest.mark.parametrize("width", [1200, 390])
def test_the_page_itself_never_scrolls_sideways(look: Callable[..., Any], width: int) -> None:
    assert look("light", width)["overflow"] <= 0

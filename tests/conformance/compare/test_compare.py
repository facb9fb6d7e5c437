"""Which numbers make one Adam of another: what is said is run, in our oracle and in the real libraries."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.cli import main
from adamcore.conformance.compare.compare import (
    adam_of_row,
    arguments_of,
    compare,
    designed_run,
    nearest_match,
)
from adamcore.conformance.compare.plot import svg
from adamcore.conformance.compare.port import port
from adamcore.dialects import dialect
from adamcore.errors import DialectError

STEPS = 12


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ("torch.AdamW", "optax.adamw", "identical"),
        ("torch.Adam", "torch.AdamW", "identical"),  # at weight_decay=0
        ("keras.AdamW", "tf_keras.Adam", "identical"),
        ("keras.Adam", "torch-1.2.Adam", "identical"),
        ("mlx.AdamW", "torch.AdamW", "different"),  # its gradients' eps
        ("torch.AdamW", "mlx.AdamW", "identical"),  # with bias_correction=True
        ("torch.AdamW", "paper.AdamW", "exact"),  # weight_decay times lr
        ("tfa.AdamW", "keras.AdamW", "exact"),
        ("transformers4.AdamW", "keras.AdamW", "identical"),  # at its weight_decay=0
        ("keras.AdamW", "transformers4.AdamW", "exact"),  # decay before, made one after
        ("bitsandbytes-cuda.AdamW", "torch.AdamW", "exact"),
        ("torch.Adam", "keras.Adam", "different"),
        ("torch.NAdam", "optax.nadam", "different"),
        ("torch.AdamW", "optax.adam", "different"),  # nowhere to put the decay
    ],
)
def test_verdicts(first: str, second: str, verdict: str) -> None:
    a = adam_of_row(dialect(first), lr=0.1)
    found = nearest_match(a, dialect(second), STEPS)
    assert found.verdict == verdict, (found.changes, max(found.gaps))
    assert len(found.gaps) == STEPS
    assert bool(found.lacking) == (verdict in ("approximate", "different"))


def test_l2_is_no_decoupled_decay() -> None:
    a = adam_of_row(dialect("paper"), weight_decay=0.1, lr=0.1)
    row = dialect("keras.AdamW")
    assert nearest_match(a, row, STEPS).verdict == "different"
    b = adam_of_row(dialect("torch.AdamW"), weight_decay=0.1, lr=0.1)
    assert nearest_match(b, dialect("torch.Adam"), STEPS).adam.decay == "decoupled"


def test_no_correction_is_a_schedule() -> None:
    """eps-hat with corrections is no correction with a schedule of lr, exactly."""
    a = Adam.like("keras.Adam", lr=0.1)
    found = nearest_match(a, dialect("mindspore.AdamWeightDecay"), STEPS)
    assert found.verdict == "exact"
    assert found.scheduled


def test_eps_that_stands_far_below_makes_no_difference() -> None:
    """The same pair: 'different' with the default eps, approximate where eps is small beside sqrt(v)."""
    row = dialect("keras.Adam")
    gap = [
        max(nearest_match(adam_of_row(dialect("torch.Adam"), eps=eps), row, STEPS).gaps)
        for eps in (1e-6, 1e-8, 1e-12, 0.0)
    ]
    assert gap == sorted(gap, reverse=True)
    assert gap[-1] < 1e-20
    assert gap[-2] < 1e-3


def test_the_proof_holds_in_the_real_libraries() -> None:
    """What `match` says of transformers' order of decay, run with torch.optim and by hand in optax."""
    torch, optax, jax = (pytest.importorskip(name) for name in ("torch", "optax", "jax"))
    a = Adam.like("transformers4.AdamW", lr=0.125, weight_decay=0.5, eps=1e-3)  # decay after
    found = nearest_match(a, dialect("keras.AdamW"), STEPS)
    assert found.verdict == "exact"
    torch_like = adam_of_row(dialect("torch.AdamW"), lr=0.125, weight_decay=0.5)
    port_to = nearest_match(torch_like, dialect("optax.adamw"), STEPS)
    p0, grads = designed_run(STEPS)
    w = torch.nn.Parameter(torch.tensor(p0))
    optimizer = torch.optim.AdamW([w], **arguments_of(torch_like, dialect("torch.AdamW")))
    with jax.enable_x64(True):
        tx = optax.adamw(**arguments_of(port_to.adam, dialect("optax.adamw")))
        params = jax.numpy.asarray(p0)
        state = tx.init(params)
        for g in grads:
            w.grad = torch.tensor(g)
            optimizer.step()
            updates, state = tx.update(jax.numpy.asarray(g), state, params)
            params = optax.apply_updates(params, updates)
    assert np.abs(w.detach().numpy() - np.asarray(params)).max() < 1e-9


def test_defaults_and_axes_are_compared() -> None:
    found = compare("torch.AdamW", "optax.adamw", steps=4)
    assert found.defaults["weight_decay"] == (0.01, 1e-4)
    assert found.defaults["lr"] == (1e-3, None)
    assert set(found.axes) == {"missing", "clock", "all_missing", "complex", "coefficients"}
    assert max(found.default_gaps) > 1e-4
    assert found.freezing == ("missing", "clock", "all_missing")


@pytest.mark.parametrize(
    ("source", "target", "call"),
    [
        ("torch.AdamW", "optax", "optax.adamw(learning_rate=0.001, b1=0.9, b2=0.999, eps=1e-08, "
                                 "eps_root=0.0, weight_decay=0.01)"),
        ("optax.adamw", "torch", "torch.optim.AdamW(model.parameters(), lr=0.001, betas=(0.9, 0.999), "
                                 "eps=1e-08, weight_decay=0.0001)"),
        ("torch.Adam", "mlx", "mlx.optimizers.Adam(learning_rate=0.001, betas=(0.9, 0.999), eps=1e-08, "
                              "bias_correction=True)"),
    ],
)  # fmt: skip
def test_port_prints_what_runs(source: str, target: str, call: str) -> None:
    found = port(source, target, steps=3)
    assert found.text.splitlines()[1] == f"optimizer = {call}"
    if target != "mlx":
        pytest.importorskip(found.text.split()[1].split(".")[0])
        model: Any = type("Model", (), {"parameters": lambda self: [__import__("torch").nn.Parameter()]})()
        exec(found.text, {"model": model} if target == "torch" else {})


def test_port_without_an_exact_target_says_what_is() -> None:
    found = port("torch.AdamW", "keras", steps=3, lr=3e-4)
    assert found.match.verdict in ("approximate", "different")
    assert "# it differs in epsilon" in found.text
    assert (
        "from adamcore.backends.keras import Adam\n"
        "optimizer = Adam(learning_rate=0.0003, dialect='torch.AdamW')" in (found.text)
    )
    assert "SparseAdam" not in port("keras.Adam", "torch", steps=3).text
    with pytest.raises(DialectError, match="no framework 'tensorflew'"):
        port("torch.AdamW", "tensorflew")


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plot = tmp_path / "gap.svg"
    arguments = [
        "compare",
        "torch.Adam",
        "keras.Adam",
        "--steps",
        "5",
        "--set",
        "eps=1e-3",
        "--svg",
        str(plot),
    ]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert re.search(r"^epsilon +outside-corrected +outside-uncorrected", said, flags=re.M)
    assert "what remains: epsilon" in said
    root = ET.parse(plot).getroot()
    assert len(root.findall("{http://www.w3.org/2000/svg}polyline")) == 3
    assert main(["port", "torch.AdamW", "--to", "optax", "--steps", "3"]) == 0
    assert main(["port", "torch.AdamW", "--to", "keras", "--steps", "3"]) == 1
    for wrong in (["compare", "torch.Adam", "torch.adamw"], ["port", "torch.AdamW", "--to", "x"],
                  ["compare", "torch.Adam", "torch.AdamW", "--set", "b1=2"]):  # fmt: skip
        assert main(wrong) == 2
        assert capsys.readouterr().err.startswith("adamcore: ")


def test_plot_of_nothing() -> None:
    for series in ({}, {"zero": [0.0, 0.0]}, {"one": [1e-3]}):
        ET.fromstring(svg("a <title> & more", series))
    assert json.dumps(svg("t", {"a": [1.0]}))

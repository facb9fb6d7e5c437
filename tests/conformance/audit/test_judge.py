"""Judging a recording: right runs conform, and the fault of a wrong one is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import optax
import pytest
import torch
from audit_runs import only, run_torch, tensors

from adamcore.conformance.audit import Recorder
from adamcore.conformance.audit.judge import audit
from adamcore.conformance.audit.recording import read_tensors
from adamcore.conformance.cli import main
from adamcore.conformance.rules import SAYS


@pytest.mark.parametrize(
    ("make", "options", "claimed"),
    [
        (torch.optim.AdamW, {}, "torch.AdamW"),
        (torch.optim.Adam, {"amsgrad": True, "maximize": True}, "torch.Adam(amsgrad=True, maximize=True)"),
        (torch.optim.NAdam, {}, "torch.NAdam"),
    ],
)
def test_torch_conforms(make: Any, options: dict[str, Any], claimed: str, path: Path) -> None:
    entry = only(run_torch(path, make, absent=(3, 4), **options))
    assert (entry.verdict, entry.claimed) == ("conforms", claimed)
    assert entry.results[0].status == "passed"
    assert 0.1 < entry.results[0].worst_ratio <= 1.0


def test_bfloat16_and_several_groups(path: Path) -> None:
    params = tensors()
    half = torch.full((5,), 0.5, dtype=torch.bfloat16, requires_grad=True)
    groups: list[dict[str, Any]] = [
        {"params": list(params.values())},
        {"params": [half], "lr": 0.25, "eps": 0.125},
    ]
    optimizer = torch.optim.AdamW(groups, fused=True)
    recorder = Recorder.torch(optimizer)
    for k in range(4):
        for p in (*params.values(), half):
            p.grad = torch.full_like(p, 0.5 - k)
        optimizer.step()
        optimizer.param_groups[0]["lr"] /= 2
    recorder.save(path)
    first, second = audit(path).entries
    assert [r.dtype for r in (*first.results, *second.results)] == ["float32", "bfloat16"]
    assert (first.verdict, second.verdict) == ("conforms", "conforms")


def run_optax(path: Path, optimizer: Any, dialect: str, weight_decay: float, steps: int = 10) -> Path:
    params = {"w": jnp.linspace(-1.0, 1.0, 12).reshape(3, 4), "b": jnp.zeros(4)}
    state = optimizer.init(params)
    hyper = {"lr": 0.0625, "b1": 0.9, "b2": 0.99, "eps": 1e-3, "weight_decay": weight_decay}
    recorder = Recorder(hyper, dialect=dialect)
    for k in range(steps):
        grads = {n: jnp.cos(k + 3 * p) for n, p in params.items()}
        updates, state = optimizer.update(grads, state, params)
        before, params = params, optax.apply_updates(params, updates)
        recorder.step(before, grads, params)
    recorder.save(path)
    return path


def test_optax_conforms_and_an_order_of_its_parts_does_not(path: Path) -> None:
    right = optax.adamw(0.0625, 0.9, 0.99, 1e-3, weight_decay=0.25)
    assert only(run_optax(path, right, "optax.adamw", 0.25)).verdict == "conforms"
    wrong = optax.chain(
        optax.add_decayed_weights(0.25), optax.scale_by_adam(0.9, 0.99, 1e-3), optax.scale(-0.0625)
    )
    entry = only(run_optax(path, wrong, "optax.adamw", 0.25))
    assert entry.verdict == "deviates"
    finding = entry.findings[0]
    assert (finding.area, finding.rule, finding.observed) == ("decay", "DEC.2", "decay=l2")


@pytest.mark.parametrize(
    ("claimed", "area", "observed"),
    [
        ("torch.Adam", "decay", "decay=decoupled"),
        ("keras.Adam", "epsilon", "epsilon=outside-corrected"),
        ("transformers4.AdamW", "epsilon", "epsilon=outside-corrected"),
        ("BertAdam", "bias_correction", "bias_correction=both"),
    ],
)
def test_another_dialect_is_named(claimed: str, area: str, observed: str, path: Path) -> None:
    entry = only(run_torch(path), claimed)
    assert entry.verdict == "deviates"
    assert (entry.findings[0].area, entry.findings[0].observed) == (area, observed)
    assert entry.identified in ("torch.AdamW", "timm.AdamW", "torchao.AdamW")


def test_one_wrong_value_is_found_and_named(path: Path) -> None:
    def spoil(step: int, params: dict[str, torch.Tensor]) -> None:
        if step == 7:
            w = params["weight"]
            w[2, 1] = (
                torch.nextafter(w[2, 1], torch.tensor(1e9)) + 8 * torch.finfo(w.dtype).eps * w[2, 1].abs()
            )

    entry = only(run_torch(path, spoil=spoil))
    evidence = entry.findings[0].evidence
    assert entry.verdict == "deviates"
    assert evidence is not None
    assert (evidence.step, evidence.element) == (7, "weight[2, 1]")
    assert "weight[2, 1] leaves the bound in step 7" in entry.findings[0].observed
    assert entry.findings[0].expected == SAYS["STEP.1"]


def test_a_frozen_parameter_that_moves(path: Path) -> None:
    def spoil(step: int, params: dict[str, torch.Tensor]) -> None:
        if step == 3:
            params["bias"] *= 0.99

    entry = only(run_torch(path, spoil=spoil, absent=(3,)))
    assert entry.verdict == "deviates"
    assert entry.results[0].evidence is not None
    assert entry.results[0].evidence.bound_ulp == 0.0  # bit for bit


def test_parameters_changed_between_steps_are_not_the_optimizers_fault(path: Path) -> None:
    params = tensors()
    optimizer = torch.optim.AdamW(list(params.values()), lr=0.0625, eps=1e-3)
    recorder = Recorder.torch(optimizer, params)
    for k in range(6):
        for p in params.values():
            p.grad = torch.full_like(p, 1.0 / (k + 1)) if k != 3 else None  # stands from where it was put
        optimizer.step()
        with torch.no_grad():
            params["weight"].clamp_(-0.5 / (k + 1), 0.5 / (k + 1))
    recorder.save(path)
    arrays, _ = read_tensors(path)
    assert "before/3/weight" in arrays
    assert "before/3/bias" not in arrays
    assert only(path).verdict == "conforms"


def test_a_large_parameter_that_was_away_for_a_step_is_judged(path: Path) -> None:
    small, large = (torch.nn.Parameter(torch.ones(size)) for size in (4, 5000))
    optimizer = torch.optim.AdamW([small, large])
    recorder = Recorder.torch(optimizer, {"small": small, "large": large})
    for k in range(4):
        optimizer.param_groups[0]["params"] = [small] if k == 2 else [small, large]
        for p in (small, large):
            p.grad = torch.full_like(p, 0.5)
        optimizer.step()
    recorder.save(path)
    assert [entry.verdict for entry in audit(path).entries] == ["conforms", "conforms"]


def test_values_that_are_undecided_are_told_with_all_of_them(path: Path) -> None:
    p = torch.full((5,), 0.5, dtype=torch.bfloat16, requires_grad=True)
    optimizer = torch.optim.AdamW([p], lr=1e-2)
    recorder = Recorder.torch(optimizer)
    for _ in range(4):
        p.grad = torch.full_like(p, 0.5)
        optimizer.step()
    recorder.save(path)
    assert "too wide to decide 20 of 20 values" in only(path).reason


def test_nothing_to_decide_is_no_verdict(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An lr below the last place of every parameter."""
    p = torch.full((3,), 1e4, requires_grad=True)
    optimizer = torch.optim.AdamW([p], lr=1e-9, weight_decay=0.0)
    recorder = Recorder.torch(optimizer)
    p.grad = torch.ones(3)
    optimizer.step()
    recorder.save(path)
    assert main(["audit", str(path)]) == 2
    assert "nothing in it can be decided" in capsys.readouterr().out.replace("\n", " ")

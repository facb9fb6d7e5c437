"""A deviation as a program: it runs without us, and shows what the finding says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from adamcore.conformance import check
from adamcore.conformance.candidates.adapter.base import CandidateInfo
from adamcore.conformance.checking.repro import (
    LONG,
    MinimalExample,
    literal,
    period,
    shrink,
    write_program,
)
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Evidence, Probe, Step

ARRAY = """
import numpy as np

class Inside:
    dialect = "torch.AdamW"

    def init(self, params, hyper):
        self.p, self.h = [p.copy() for p in params], hyper
        self.m = [np.zeros_like(p) for p in params]
        self.v = [np.zeros_like(p) for p in params]
        self.t = [0] * len(params)

    def step(self, grads):
        h = self.h
        for i, g in enumerate(grads):
            if g is not None:
                self.t[i] += 1
                f = self.p[i].dtype.type
                self.m[i] = f(h["b1"]) * self.m[i] + f(1 - h["b1"]) * g
                self.v[i] = f(h["b2"]) * self.v[i] + f(1 - h["b2"]) * g * g
                m_hat = self.m[i] / f(1 - h["b1"] ** self.t[i])
                v_hat = self.v[i] / f(1 - h["b2"] ** self.t[i])
                kept = self.p[i] * f(1 - h["lr"] * h["weight_decay"])
                self.p[i] = np.asarray(kept - f(h["lr"]) * m_hat / np.sqrt(v_hat + f(h["eps"])))
        return [p.copy() for p in self.p]
"""

TORCH = """
import torch

class Late(torch.optim.AdamW):
    # forgets its weight decay
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=0.0)
"""

OPTAX = """
import optax

def adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    return optax.adam(learning_rate, b1=b2, b2=b1, eps=eps)
"""


@pytest.mark.parametrize(
    ("source", "name", "dialect", "area"),
    [
        (ARRAY, "Inside", "torch.AdamW", "epsilon"),
        (TORCH, "Late", "torch.AdamW", "decay"),
        pytest.param(OPTAX, "adam", "optax.adam", "hyperparameters", marks=pytest.mark.slow),
    ],
)
def test_the_program_shows_the_deviation(
    tmp_path: Path, source: str, name: str, dialect: str, area: str
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(source)
    probes = ["STEP.1/fingerprint", "EPS.1/*", "DEC.1/coupling", "MOM.1/common", "BC.1/first-steps"]
    report = check(f"{file}:{name}", dialect=dialect, probes=probes, dtypes=["float32"])
    [entry] = report.entries
    first = entry.findings[0]
    assert first.area == area
    assert first.repro is not None
    assert len(first.repro.splitlines()) <= 16
    assert "adamcore" not in first.repro
    done = subprocess.run(
        [sys.executable, "-c", first.repro], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    got, want = (line.split()[1] for line in done.stdout.splitlines()[-2:])
    assert float.fromhex(got) != float.fromhex(want)
    assert got in first.repro or float.fromhex(got) == pytest.approx(
        float(first.repro.split("# ")[1].split(":")[0])
    )


def test_a_probe_with_a_loss_scale_is_not_cut_down() -> None:
    evidence = Evidence("SCALE.1/scaled", 1, "0[0]", "0x1p+0", "0x0p+0", 1.0, 1.0)
    assert shrink(PROBES["SCALE.1/scaled"], evidence) == []
    assert shrink(PROBES["SCALE.2/skipped"], evidence) == []


def test_a_rate_that_changes_is_left_out_first() -> None:
    evidence = Evidence("", 6, "0[0]", "0x0p+0", "0x1p+0", 1.0, 1.0)
    kept, single, *_ = shrink(PROBES["LR.1/odd-values"], evidence)
    assert [step.lr for step in kept.steps] == [None] * 6
    assert [step.lr for step in single.steps] != [None] * 6
    assert [p.shape for p in kept.params] == [(1,)]


def test_a_long_array_is_written_as_what_it_repeats() -> None:
    values = np.resize(np.arange(37.0), (50, 40))
    text = literal(values)
    assert len(text) < 400
    np.testing.assert_array_equal(eval(text, {"np": np}), values)
    short = np.arange(float(LONG))
    np.testing.assert_array_equal(eval(literal(short), {}), short)


def test_a_long_array_that_does_not_repeat_has_no_program() -> None:
    values = np.arange(LONG + 1.0)
    assert period(values) is None
    probe = Probe("STEP.1/x", "", (values,), (Step((values,)),), {})
    evidence = Evidence("STEP.1/x", 1, "0[0]", "0x0p+0", "0x1p+0", 1.0, 1.0)
    small = MinimalExample(probe, "float32", evidence)
    assert write_program("a:B", CandidateInfo("array candidate"), small) is None


def test_the_program_hands_over_the_lr_max_that_the_check_did() -> None:
    """An lr_max that a probe does not name is its lr; a program with 0 would divide by it."""
    probe = PROBES["DEC.1/coupling"]
    one = shrink(probe, Evidence(probe.name, 1, "0[0]", "0x0p+0", "0x1p+0", 1.0, 1.0))[0]
    evidence = Evidence(probe.name, 1, "0[0]", "0x0p+0", "0x1p+0", 1.0, 1.0)
    text = write_program("a:B", CandidateInfo("array candidate"), MinimalExample(one, "float32", evidence))
    assert text is not None
    assert f"'lr_max': {probe.hyper['lr']!r}" in text


@pytest.mark.parametrize(
    ("name", "key"), [("lr", '"lr"'), ("rate", '"lr" if "lr" in optimizer.param_groups[0] else "rate"')]
)
def test_the_program_sets_a_rate_by_the_optimizers_name_for_it(name: str, key: str) -> None:
    x = np.ones(1)
    probe = Probe("LR.1/x", "", (x,), (Step((x,)), Step((x,), lr=0.25)), {"lr": 0.5})
    evidence = Evidence("LR.1/x", 2, "0[0]", "0x0p+0", "0x1p+0", 1.0, 1.0)
    info = CandidateInfo("torch optimizer", names={"lr": name})
    text = write_program("a:B", info, MinimalExample(probe, "float32", evidence))
    assert text is not None
    assert f"optimizer.param_groups[0][{key}] = lr" in text


def test_the_program_gives_a_closure_to_a_step_that_needs_one() -> None:
    x = np.ones(1)
    probe = Probe("STEP.1/x", "", (x,), (Step((x,)),), {"lr": 0.5})
    evidence = Evidence("STEP.1/x", 1, "0[0]", "0x0p+0", "0x1p+0", 1.0, 1.0)
    info = CandidateInfo("torch optimizer", step="step(lambda: torch.zeros(()))")
    text = write_program("a:B", info, MinimalExample(probe, "float32", evidence))
    assert text is not None
    assert "    optimizer.step(lambda: torch.zeros(()))\n" in text

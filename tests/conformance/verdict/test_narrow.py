"""Why runs in 16 bits failed: rounding between operations is named, and nothing else is taken for it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from adamcore import Adam
from adamcore.conformance.candidates.torch.candidate import TorchCandidate
from adamcore.conformance.dtypes import round_probe
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Run
from adamcore.conformance.verdict.judge import judge
from adamcore.conformance.verdict.narrow import narrow_findings

NAMES = ("STEP.1/fingerprint", "EPS.1/beside-small-root", "EPS.2/comparable", "MOM.1/common", "DEC.5/order")


class Rounding(torch.optim.AdamW):
    """PyTorch's, which rounds after every operation."""


class NoCorrection(torch.optim.Optimizer):
    """An AdamW in float32 arithmetic, without bias correction."""

    def __init__(self, params: Any, lr: float, betas: Any, eps: float, weight_decay: float) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                s = self.state[p]
                m, v = (s.get(k, torch.zeros_like(p)).float() for k in ("m", "v"))
                g = p.grad.float()
                m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
                s["m"], s["v"] = m.to(p.dtype), v.to(p.dtype)
                delta = group["lr"] * m / (v.sqrt() + group["eps"])
                p.copy_(p.float() * (1 - group["lr"] * group["weight_decay"]) - delta)


def findings(cls: Any, dtype: str) -> list[Any]:
    candidate = TorchCandidate(cls, {}, None, None)
    probes = {name: PROBES[name] for name in NAMES}
    runs: dict[tuple[str, str], Run] = {(name, dtype): candidate.run(p, dtype) for name, p in probes.items()}
    claim = Adam.like("torch.AdamW")
    results = [judge(claim, probes[name], dtype, run) for (name, _), run in runs.items()]
    return narrow_findings(claim, runs, results, probes, flushes=False)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_rounding_between_operations_is_one_finding(dtype: str) -> None:
    [found] = findings(Rounding, dtype)
    assert (found.rule, found.area) == ("NUM.1", "mixed_precision")
    assert found.observed.startswith(f"it rounds to {dtype} between operations: in ")
    assert f"ULP of {dtype} off" in found.observed
    assert found.evidence.probe == "STEP.1/fingerprint"


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_another_fault_is_not_taken_for_it(dtype: str) -> None:
    found = findings(NoCorrection, dtype)
    assert found
    assert all(f.rule != "NUM.1" for f in found)


def test_nothing_failed_nothing_found() -> None:
    probe = round_probe(PROBES["STEP.1/fingerprint"], "bfloat16")
    assert narrow_findings(Adam(), {}, [], {probe.name: probe}, flushes=False) == []

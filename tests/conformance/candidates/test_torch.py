"""torch.optim.Optimizer classes run as in a training loop."""

from __future__ import annotations

from typing import Any

import pytest
from candidate_probes import G0, G1, P0, P1, probe

from adamcore.conformance.candidates import load_candidates
from adamcore.conformance.candidates.base import same_bits
from adamcore.conformance.types import Step


def test_torch_runs_as_in_a_training_loop() -> None:
    torch = pytest.importorskip("torch")
    steps = (Step((G0, None)), Step((G0, G1), lr=0.25), Step((None, G1)))
    [candidate] = load_candidates("torch.optim:AdamW", [None], {}, None)
    run = candidate.run(probe(*steps), "float32")
    params = [torch.nn.Parameter(torch.tensor(p, dtype=torch.float32)) for p in (P0, P1)]
    optimizer = torch.optim.AdamW(params, lr=0.5, betas=(0.5, 0.75), eps=0.25, weight_decay=0.125)
    for step, after in zip(steps, run.params, strict=True):
        if step.lr is not None:
            optimizer.param_groups[0]["lr"] = step.lr
        for p, g in zip(params, step.grads, strict=True):
            p.grad = None if g is None else torch.tensor(g, dtype=torch.float32)
        optimizer.step()
        assert all(same_bits(p.detach().numpy(), a) for p, a in zip(params, after, strict=True))
    assert candidate.info.lacks == ("eps_root", "momentum_decay")
    assert run.written == []


def test_torch_is_seen_writing_to_a_gradient() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch import TorchCandidate

    class Writer(torch.optim.Adam):  # type: ignore[misc, name-defined]
        def step(self, closure: Any = None) -> None:
            super().step()
            self.param_groups[0]["params"][1].grad.mul_(0.5)

    run = TorchCandidate(Writer, {}, None, None).run(probe(), "float32")
    assert run.written == ["gradient 1 in step 1", "gradient 1 in step 2"]


def test_the_attribute_dialect_is_the_claim() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch import TorchCandidate

    claims = type("Claims", (torch.optim.AdamW,), {"dialect": "torch.AdamW"})
    assert TorchCandidate(claims, {}, None, None).info.dialect == "torch.AdamW"
    assert TorchCandidate(torch.optim.AdamW, {}, None, None).info.dialect is None

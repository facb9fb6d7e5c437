"""The steps of an optimizer class, as in a training loop."""

from __future__ import annotations

from typing import Any

import pytest
from candidate_probes import G0, G1, P0, P1, probe

from adamcore import Adam
from adamcore.conformance.candidates import load_candidates
from adamcore.conformance.candidates.adapter.base import same_bits
from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.design import resumed
from adamcore.conformance.types import Step
from adamcore.conformance.verdict.judge import judge


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
    assert candidate.info.lacks == ("eps_root", "momentum_decay", "lr_max")
    assert run.written == []


def test_torch_is_seen_writing_to_a_gradient() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    class Writer(torch.optim.Adam):  # type: ignore[misc, name-defined]
        def step(self, closure: Any = None) -> None:
            super().step()
            self.param_groups[0]["params"][1].grad.mul_(0.5)

    run = TorchCandidate(Writer, {}, None, None).run(probe(), "float32")
    assert run.written == ["gradient 1 in step 1", "gradient 1 in step 2"]


def test_torch_is_seen_taking_a_state_apart() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    class Takes(torch.optim.Adam):  # type: ignore[misc, name-defined]
        def load_state_dict(self, state_dict: dict[str, Any]) -> None:
            super().load_state_dict(state_dict)
            state_dict["state"].clear()

    run = TorchCandidate(Takes, {}, None, None).run(resumed(probe()), "float32")
    assert run.written == ["the state that it was restored from, before step 2"]


def test_an_optimizer_of_other_tensors_is_seen() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    class MadeBeforeMove(torch.optim.AdamW):  # type: ignore[misc, name-defined]
        def __init__(self, params: Any, **settings: Any) -> None:
            super().__init__([p.detach().clone() for p in params], **settings)

    runs = [TorchCandidate(cls, {}, None, None).run(probe(), "float32")
            for cls in (MadeBeforeMove, torch.optim.AdamW)]  # fmt: skip
    assert [run.unheld for run in runs] == [(0, 1), ()]


def test_a_load_that_changes_parameters_is_seen_before_the_next_step() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    class PutsBack(torch.optim.AdamW):  # type: ignore[misc,name-defined]
        """After a load parameters are what they were when it was made, until the next step begins."""

        def __init__(self, params: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(params, *args, **kwargs)
            self.old = [p.detach().clone() for group in self.param_groups for p in group["params"]]
            self.loaded: list[Any] = []

        @torch.no_grad()
        def load_state_dict(self, state_dict: dict[str, Any]) -> None:
            super().load_state_dict(state_dict)
            params = [p for group in self.param_groups for p in group["params"]]
            self.loaded = [(p, p.detach().clone()) for p in params]
            for p, old in zip(params, self.old, strict=True):
                p.copy_(old)

        @torch.no_grad()
        def step(self, closure: Any = None) -> Any:
            for p, loaded in self.loaded:
                p.copy_(loaded)
            self.loaded = []
            return super().step(closure)

    claim, restored = Adam.like("torch.AdamW"), PROBES["STATE.4/resumed"]
    for cls, status in ((torch.optim.AdamW, "passed"), (PutsBack, "failed")):
        run = TorchCandidate(cls, {}, None, None).run(restored, "float64")
        assert judge(claim, restored, "float64", run).status == status


def test_a_wrapper_without_a_state_of_its_own_is_run_and_cannot_be_saved() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    class Wrapper:
        def __init__(self, params: Any, **settings: Any) -> None:
            self.inner = torch.optim.AdamW(params, **settings)
            self.param_groups = self.inner.param_groups

        def step(self) -> None:
            self.inner.step()

    candidate = TorchCandidate(Wrapper, {}, None, None)
    run = candidate.run(probe(), "float32")
    assert (run.error, run.unsupported, run.clocks) == (None, None, [])
    run = candidate.run(resumed(probe()), "float32")
    assert run.error is not None
    assert "state_dict" in run.error

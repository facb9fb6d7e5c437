"""Closures: a step calls one once, returns its loss, and changes nothing before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from candidate_probes import G0, G1, probe

from adamcore.conformance.candidates import load_candidates
from adamcore.conformance.candidates.adapter.base import same_bits
from adamcore.conformance.types import Probe, Step


def closures() -> Probe:
    return replace(probe(Step((G0, G1)), Step((G0, G1))), manner="closure")


def test_torch_gets_its_gradients_from_a_closure() -> None:
    pytest.importorskip("torch")
    [candidate] = load_candidates("torch.optim:AdamW", [None], {}, None)
    run, plain = (candidate.run(p, "float32") for p in (closures(), replace(closures(), manner="plain")))
    assert run.closure == []
    for a, b in zip(run.params, plain.params, strict=True):
        assert all(same_bits(x, y) for x, y in zip(a, b, strict=True))


def test_a_parameter_without_a_gradient_is_no_part_of_a_closure() -> None:
    torch = pytest.importorskip("torch")
    lacking = replace(probe(Step((None, G1)), Step((None, None))), manner="closure")
    [candidate] = load_candidates("torch.optim:AdamW", [None], {}, None)
    run = candidate.run(lacking, "float32")
    assert (run.error, run.closure) == (None, [])
    assert torch.equal(*(torch.tensor(after[0]) for after in run.params))


def test_a_parameter_that_is_nan_is_not_changed_before_the_closure() -> None:
    pytest.importorskip("torch")
    [candidate] = load_candidates("torch.optim:AdamW", [None], {}, None)
    run = candidate.run(replace(probe(Step((G0 * np.nan, G1)), Step((G0, G1))), manner="closure"), "float32")
    assert np.isnan(run.params[0][0]).all()
    assert (run.error, run.closure) == (None, [])


def test_a_parameter_that_is_changed_before_the_closure_is_called_is_said() -> None:
    """Its gradients are then those of other parameters."""
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    base: type = torch.optim.AdamW

    class DecaysFirst(base):  # type: ignore[misc]
        def step(self, closure: Any = None) -> Any:
            with torch.no_grad():
                for p in self.param_groups[0]["params"] if closure else ():
                    p.mul_(0.5)
            return super().step(closure)

    run = TorchCandidate(DecaysFirst, {}, None, None).run(closures(), "float32")
    assert run.closure == [f"changed a parameter before it called its closure in step {i}" for i in (1, 2)]


@pytest.mark.parametrize(
    ("calls", "said"), [(0, "called its closure 0 times in step 1"), (1, ""), (2, "2 times")]
)
def test_calls_of_a_closure_are_counted(calls: int, said: str) -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    class Calls(torch.optim.AdamW):  # type: ignore[misc, name-defined]
        def step(self, closure: Any = None) -> Any:
            losses = [closure() for _ in range(calls)]
            super().step()
            return losses[-1] if losses else None

    run = TorchCandidate(Calls, {}, None, None).run(closures(), "float32")
    assert said in "".join(run.closure[:1])
    assert (run.error, bool(run.closure)) == (None, bool(said))


def test_a_loss_that_is_lost_is_seen() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    class LosesLoss(torch.optim.AdamW):  # type: ignore[misc, name-defined]
        def step(self, closure: Any = None) -> None:
            super().step(closure)

    loses, keeps = (TorchCandidate(cls, {}, None, None) for cls in (LosesLoss, torch.optim.AdamW))
    should = replace(closures(), level="should")
    assert loses.run(should, "float32").closure[0] == "returned nothing of its closure's loss in step 1"
    assert keeps.run(should, "float32").closure == loses.run(closures(), "float32").closure == []


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (lambda loss: loss, ""),
        (lambda loss: loss.bfloat16(), ""),  # fewer digits of the same number
        (lambda loss: None, ""),
        (lambda loss: (loss, 0.0), ""),  # no number
        (lambda loss: loss + 1, "where its closure returned"),
        (lambda loss: 0.0, "returned 0 where its closure returned"),
    ],
)
def test_another_number_than_the_loss_is_seen(told: Callable[[Any], Any], said: str) -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    class Tells(torch.optim.AdamW):  # type: ignore[misc, name-defined]
        def step(self, closure: Any = None) -> Any:
            loss = super().step(closure)
            return None if loss is None else told(loss)

    run = TorchCandidate(Tells, {}, None, None).run(closures(), "float32")
    assert said in "".join(run.closure[:1])
    assert bool(run.closure) == bool(said)


def test_a_closure_that_is_not_taken_is_not_served() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    class TakesNone(torch.optim.AdamW):  # type: ignore[misc, name-defined]
        def step(self) -> None:
            super().step()

    class Refuses(torch.optim.AdamW):  # type: ignore[misc, name-defined]
        def step(self, closure: Any = None) -> None:
            if closure is not None:
                raise TypeError("closures are not supported")
            super().step()

    run = TorchCandidate(TakesNone, {}, None, None).run(closures(), "float32")
    assert run.unsupported == "its step takes no closure"
    run = TorchCandidate(Refuses, {}, None, None).run(closures(), "float32")
    assert run.unsupported == "it refuses a closure: TypeError: closures are not supported"


def test_a_step_that_needs_a_closure_gets_one() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    class Needs(torch.optim.AdamW):  # type: ignore[misc, name-defined]
        def step(self, closure: Any) -> Any:
            return super().step(closure)

    needs, other = (TorchCandidate(cls, {}, None, None) for cls in (Needs, torch.optim.AdamW))
    for asked in (probe(Step((G0, None)), Step((G0, G1))), closures()):
        runs = [candidate.run(asked, "float32") for candidate in (needs, other)]
        assert runs[0].error is runs[0].unsupported is None
        for after, expected in zip(*(run.params for run in runs), strict=True):
            assert all(map(same_bits, after, expected))
    made_by_function = TorchCandidate(lambda params, **settings: Needs(params, **settings), {}, None, None)
    assert made_by_function.run(probe(), "float32").error is None
    assert (needs.info.step, other.info.step) == ("step(lambda: torch.zeros(()))", "step()")

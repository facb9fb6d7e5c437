"""A group's settings are given by the names that the optimizer's groups have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from candidate_probes import G0, G1, probe

from adamcore.conformance.candidates.adapter.base import same_bits
from adamcore.conformance.types import Probe, Step

torch = pytest.importorskip("torch")
from adamcore.conformance.candidates.torch.candidate import TorchCandidate  # noqa: E402

GROUPS = ({"b1": 0.875, "weight_decay": 0.25}, {"lr": 0.125, "b2": 0.875})
BOTH = Step((G0, G1))


class Spelled(torch.optim.AdamW):  # type: ignore[misc, name-defined]
    """PyTorch's AdamW, whose constructor has other names than its groups."""

    def __init__(
        self, params: Any, learning_rate: float, beta1: float, beta2: float, eps: float, wd: float
    ) -> None:
        super().__init__(params, learning_rate, (beta1, beta2), eps, wd)


@pytest.mark.parametrize(
    "asked",
    [
        replace(probe(BOTH, BOTH), groups=GROUPS),
        replace(probe(Step((G0, None)), BOTH, BOTH), groups=GROUPS, manner="joining"),
        probe(BOTH, Step((G0, G1), lr=0.25, changes={"b1": 0.75, "weight_decay": 0.5})),
    ],
    ids=["groups", "joining", "changes"],
)
def test_settings_of_other_names_arrive(asked: Probe) -> None:
    runs = [TorchCandidate(c, {}, None, None).run(asked, "float32") for c in (Spelled, torch.optim.AdamW)]
    assert runs[0].unsupported is runs[0].error is None
    for after, expected in zip(runs[0].params, runs[1].params, strict=True):
        assert all(map(same_bits, after, expected))


def test_what_no_group_has_is_given_by_the_constructors_name() -> None:
    """An optimizer that keeps a number for itself does not follow its groups, and that shows."""

    class Own(Spelled):
        def __init__(self, params: Any, **settings: float) -> None:
            self.rate = settings["learning_rate"]
            super().__init__(params, **settings)
            for group in self.param_groups:
                del group["lr"]

        def step(self, closure: Any = None) -> None:
            for group in self.param_groups:
                group["lr"] = self.rate
            super().step()
            for group in self.param_groups:
                del group["lr"]

    asked = replace(probe(BOTH), groups=({}, {"lr": 0.125}))
    runs = [TorchCandidate(c, {}, None, None).run(asked, "float32") for c in (Own, torch.optim.AdamW)]
    assert runs[0].error is None
    assert not same_bits(runs[0].params[0][1], runs[1].params[0][1])

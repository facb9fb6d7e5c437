"""Torch optimizers on several processes, as ``adamcore check --ranks`` runs them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

import ranks

from adamcore.conformance.candidates.sharded.torch import ShardedTorchCandidate, ShardedTorchStepper
from adamcore.conformance.candidates.torch.candidate import TorchCandidate
from adamcore.conformance.errors import CandidateError
from adamcore.conformance.probes import PROBES


@pytest.mark.parametrize(("run", "world", "name"), ranks.parameters("sharded_checks"))
def test_runs(run: str, world: int, name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    ranks.check(run, world, name, tmp_path_factory.getbasetemp())


@pytest.mark.parametrize("layout", ["zero", "ddp"])
def test_the_one_layout_that_zero_does_not_send(layout: str) -> None:
    """See findings/torch-gloo-strides.sh."""
    import torch

    one = TorchCandidate(torch.optim.AdamW, {}, None, "cpu")
    candidate = object.__new__(ShardedTorchCandidate)
    candidate.__dict__ = {**one.__dict__, "group": SimpleNamespace(layout=layout)}
    probes = {name: probe for name, probe in PROBES.items() if name.startswith("STEP.1/")}
    refused = {name for name, probe in probes.items() if candidate.refuses(probe)}
    strided = {name for name, probe in probes.items() if layout == "zero" and probe.layout == "strided"}
    hard = {name for name, p in probes.items() if p.manner in ("joining", "frozen", "used")}
    placed = {name for name, probe in probes.items() if probe.is_set_from_outside}
    assert refused == strided | hard | placed | {name for name, p in probes.items() if one.refuses(p)}


def test_a_rank_that_is_gone_is_no_deviation(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch.distributed as dist

    def reset(*_: Any) -> None:
        raise RuntimeError("Connection reset by peer")

    monkeypatch.setattr(dist, "all_gather_object", reset)
    stepper = object.__new__(ShardedTorchStepper)
    group: Any = SimpleNamespace(ranks=2)
    stepper.group = group
    with pytest.raises(CandidateError, match="have lost each other: RuntimeError: Connection reset"):
        stepper.exchange(None, [], [])

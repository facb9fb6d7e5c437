"""Parameter groups: parameters that come later, and hyperparameters that change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from candidate_probes import G0, G1, P0, P1, probe

from adamcore import Adam
from adamcore.conformance.candidates import load_candidates
from adamcore.conformance.candidates.adapter.base import same_bits
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Step
from adamcore.conformance.verdict.judge import judge


class Groups:
    """What an optimizer's groups were at each step: the sizes of their parameters, and two settings."""

    def __init__(self) -> None:
        self.seen: list[list[tuple[list[int], float, float]]] = []

    def of(self, base: type) -> type:
        seen = self.seen

        class Recorded(base):  # type: ignore[misc]
            def step(self, closure: Any = None) -> Any:
                seen.append(
                    [
                        ([p.numel() for p in g["params"]], g["lr"], g["weight_decay"])
                        for g in self.param_groups
                    ]
                )
                return super().step(closure)

        return Recorded


def test_parameters_are_added_before_their_first_gradient() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    steps = (Step((G0, None)), Step((G0, None), lr=0.25), Step((G0, G1)), Step((None, G1), resumed=True))
    joined = replace(probe(*steps), manner="joining", groups=({"weight_decay": 0.5}, {}))
    groups, size = Groups(), (P0.size, P1.size)
    run = TorchCandidate(groups.of(torch.optim.AdamW), {}, None, None).run(joined, "float64")
    assert (run.error, run.unsupported) == (None, None)
    lr, decay = joined.hyper["lr"], joined.hyper["weight_decay"]
    first, second = ([size[0]], 0.25, 0.5), ([size[1]], 0.25, decay)
    assert groups.seen == [[([size[0]], lr, 0.5)], [first], [first, second], [first, second]]


def test_one_parameter_is_there_from_the_start() -> None:
    from adamcore.conformance.candidates.torch.groups import waiting

    assert waiting(replace(probe(Step((None, None))), manner="joining")) == [1]
    assert waiting(probe(Step((None, G1)))) == []


def test_torch_has_groups_and_changes_of_every_setting() -> None:
    torch = pytest.importorskip("torch")
    [candidate] = load_candidates("torch.optim:AdamW", [None], {}, None)
    asked = replace(probe(Step((G0, G1)), Step((G0, G1))), groups=({"b2": 0.875}, {"lr": 0.125}))
    changed = probe(Step((G0, G1)), Step((G0, G1), changes={"b1": 0.75, "eps": 0.5}))
    settings = {"lr": 0.5, "betas": (0.5, 0.75), "eps": 0.25, "weight_decay": 0.125}

    def run_torch(groups: bool) -> list[Any]:
        params = [torch.nn.Parameter(torch.tensor(p, dtype=torch.float32)) for p in (P0, P1)]
        own = [{"params": [params[0]], "betas": (0.5, 0.875)}, {"params": [params[1]], "lr": 0.125}]
        optimizer = torch.optim.AdamW(own if groups else params, **settings)
        for k, grads in enumerate([(G0, G1), (G0, G1)]):
            if k and not groups:
                optimizer.param_groups[0] |= {"betas": (0.75, 0.75), "eps": 0.5}
            for p, g in zip(params, grads, strict=True):
                p.grad = torch.tensor(g, dtype=torch.float32)
            optimizer.step()
        return [p.detach().numpy() for p in params]

    for given, groups in ((asked, True), (changed, False)):
        after = candidate.run(given, "float32").params[-1]
        assert all(same_bits(a, b) for a, b in zip(after, run_torch(groups), strict=True))


def test_a_setting_that_is_in_no_group_cannot_be_changed() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    class Hidden(torch.optim.AdamW):  # type: ignore[misc, name-defined]
        @torch.no_grad()
        def step(self, closure: Any = None) -> None:
            eps = self.param_groups[0].pop("eps", self.defaults["eps"])
            self.param_groups[0]["eps"] = eps
            super().step()
            del self.param_groups[0]["eps"]

    changed = probe(Step((G0, G1)), Step((G0, G1), changes={"eps": 0.5}))
    run = TorchCandidate(Hidden, {}, None, None).run(changed, "float32")
    assert run.unsupported == "its groups have no eps"


def test_a_rate_that_is_a_tensor_is_written_to() -> None:
    """As PyTorch's schedulers do: some optimizers refuse a number in its place."""
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    class TensorRate(torch.optim.AdamW):  # type: ignore[misc,name-defined]
        def __init__(self, params: Any, lr: float, betas: Any, eps: float, weight_decay: float) -> None:
            super().__init__(params, torch.tensor(lr), betas, eps, weight_decay)

        def step(self, closure: Any = None) -> Any:
            assert all(torch.is_tensor(group["lr"]) for group in self.param_groups)
            return super().step(closure)

    run = TorchCandidate(TensorRate, {}, None, None).run(
        probe(Step((G0, G1)), Step((G1 * G0, G1), lr=0.25)), "float32"
    )
    assert run.error is None
    assert len(run.params) == 2


def test_a_rate_that_is_assigned_counts_or_is_refused() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    class FollowsItsTensor(torch.optim.AdamW):  # type: ignore[misc,name-defined]
        def __init__(self, params: Any, lr: float, betas: Any, eps: float, weight_decay: float) -> None:
            super().__init__(params, lr, betas, eps, weight_decay)
            self.rate = self.param_groups[0]["lr"] = torch.tensor(lr, dtype=torch.float64)

        def step(self, closure: Any = None) -> Any:
            assigned, self.param_groups[0]["lr"] = self.param_groups[0]["lr"], float(self.rate)
            super().step(closure)
            self.param_groups[0]["lr"] = assigned

    class Refuses(FollowsItsTensor):
        def step(self, closure: Any = None) -> Any:
            if not torch.is_tensor(self.param_groups[0]["lr"]):
                raise RuntimeError("lr has to be a tensor")
            return super().step(closure)

    class Raises(torch.optim.AdamW):  # type: ignore[misc,name-defined]
        def step(self, closure: Any = None) -> Any:
            raise RuntimeError("no such device")  # before a number was assigned: it refuses none

    claim = Adam.like("torch.AdamW")
    for cls, written, assigned in (
        (torch.optim.AdamW, "passed", "passed"),
        (FollowsItsTensor, "passed", "failed"),
        (Refuses, "passed", "skipped"),
        (Raises, "failed", "failed"),
    ):
        for name, status in (("LR.1/every-array", written), ("LR.3/replaced", assigned)):
            run = TorchCandidate(cls, {}, None, None).run(PROBES[name], "float64")
            assert judge(claim, PROBES[name], "float64", run).status == status


def test_a_group_without_parameters_stands_between_others() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    class LosesItsGroup(torch.optim.AdamW):  # type: ignore[misc,name-defined]
        def load_state_dict(self, state_dict: dict[str, Any]) -> None:
            super().load_state_dict(state_dict)
            for group in self.param_groups:
                if not group["params"]:
                    del group["betas"]

        def step(self, closure: Any = None) -> Any:
            assert all(len(group["betas"]) == 2 for group in self.param_groups)
            return super().step(closure)

    claim, vacant = Adam.like("torch.AdamW"), PROBES["STATE.4/resumed-vacant"]
    for cls, status in ((torch.optim.AdamW, "passed"), (LosesItsGroup, "failed")):
        run = TorchCandidate(cls, {}, None, None).run(vacant, "float32")
        assert judge(claim, vacant, "float32", run).status == status


@pytest.mark.parametrize("key", ["alpha", None])
def test_a_rate_of_another_name_is_set_by_that_name(key: str | None) -> None:
    """What the groups do not have is not asked for, and no error of the candidate's."""
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

    class Named(torch.optim.Optimizer):  # type: ignore[misc,name-defined]
        def __init__(self, params: Any, alpha: float, betas: Any, eps: float) -> None:
            self.alpha = alpha
            super().__init__(params, {} if key is None else {key: alpha})

        @torch.no_grad()
        def step(self, closure: Any = None) -> None:
            for group in self.param_groups:
                for p in group["params"]:
                    p.sub_(group.get("alpha", self.alpha) * p.grad.sign())

    steps = Step((G0, G1)), Step((G0, G1), lr=0.25)
    run = TorchCandidate(Named, {}, None, None).run(probe(*steps), "float64")
    if key is None:
        assert run.unsupported == "its groups have no alpha"
    else:
        moved = np.abs(np.subtract(run.params[1][0], run.params[0][0]))
        assert (run.error, moved.max()) == (None, 0.25)

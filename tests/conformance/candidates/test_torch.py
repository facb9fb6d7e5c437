"""torch.optim.Optimizer classes run as in a training loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from candidate_probes import G0, G1, P0, P1, probe

from adamcore import Adam
from adamcore.conformance.candidates import load_candidates
from adamcore.conformance.candidates.base import same_bits
from adamcore.conformance.probes import PROBES
from adamcore.conformance.probes.design import resumed
from adamcore.conformance.types import Probe, Step
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
    from adamcore.conformance.candidates.torch import TorchCandidate

    class Writer(torch.optim.Adam):  # type: ignore[misc, name-defined]
        def step(self, closure: Any = None) -> None:
            super().step()
            self.param_groups[0]["params"][1].grad.mul_(0.5)

    run = TorchCandidate(Writer, {}, None, None).run(probe(), "float32")
    assert run.written == ["gradient 1 in step 1", "gradient 1 in step 2"]


def test_torch_is_seen_taking_a_state_apart() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch import TorchCandidate

    class Takes(torch.optim.Adam):  # type: ignore[misc, name-defined]
        def load_state_dict(self, state_dict: dict[str, Any]) -> None:
            super().load_state_dict(state_dict)
            state_dict["state"].clear()

    run = TorchCandidate(Takes, {}, None, None).run(resumed(probe()), "float32")
    assert run.written == ["the state that it was restored from, before step 2"]


def test_the_attribute_dialect_is_the_claim() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch import TorchCandidate

    claims = type("Claims", (torch.optim.AdamW,), {"dialect": "torch.AdamW"})
    assert TorchCandidate(claims, {}, None, None).info.dialect == "torch.AdamW"
    assert TorchCandidate(torch.optim.AdamW, {}, None, None).info.dialect == "torch.AdamW"
    without = dict.fromkeys(("b1", "b2", "eps"), "0.5")
    assert TorchCandidate(torch.optim.SGD, without, None, None).info.dialect is None


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
    from adamcore.conformance.candidates.torch import TorchCandidate

    steps = (Step((G0, None)), Step((G0, None), lr=0.25), Step((G0, G1)), Step((None, G1), resumed=True))
    joined = replace(probe(*steps), manner="joining", groups=({"weight_decay": 0.5}, {}))
    groups, size = Groups(), (P0.size, P1.size)
    run = TorchCandidate(groups.of(torch.optim.AdamW), {}, None, None).run(joined, "float64")
    assert (run.error, run.unsupported) == (None, None)
    lr, decay = joined.hyper["lr"], joined.hyper["weight_decay"]
    first, second = ([size[0]], 0.25, 0.5), ([size[1]], 0.25, decay)
    assert groups.seen == [[([size[0]], lr, 0.5)], [first], [first, second], [first, second]]


def test_one_parameter_is_there_from_the_start() -> None:
    from adamcore.conformance.candidates.torch import waiting

    assert waiting(replace(probe(Step((None, None))), manner="joining")) == [1]
    assert waiting(probe(Step((None, G1)))) == []


def test_a_parameter_that_is_nan_is_not_changed_before_the_closure() -> None:
    pytest.importorskip("torch")
    [candidate] = load_candidates("torch.optim:AdamW", [None], {}, None)
    run = candidate.run(replace(probe(Step((G0 * np.nan, G1)), Step((G0, G1))), manner="closure"), "float32")
    assert np.isnan(run.params[0][0]).all()
    assert (run.error, run.closure) == (None, [])


@pytest.mark.parametrize(
    ("attributes", "claims"),
    [({}, False), ({"dialect": "torch.AdamW"}, True), ({"complex": True}, True),
     ({"dialect": "torch.AdamW", "complex": False}, False)],
)  # fmt: skip
def test_who_names_no_dialect_claims_no_complex_parameters(attributes: dict[str, Any], claims: bool) -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch import TorchCandidate

    def start(self: Any, params: Any, lr: float = 1e-3, betas: Any = (0.9, 0.999), eps: float = 1e-8) -> None:
        torch.optim.Optimizer.__init__(self, params, {"lr": lr, "betas": betas, "eps": eps})

    cls = type("Own", (torch.optim.Optimizer,), {"__init__": start, **attributes})
    assert TorchCandidate(cls, {}, None, None).info.claims_complex is claims


def test_a_step_may_refuse_complex_parameters() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch import TorchCandidate

    base: type = torch.optim.AdamW

    class RealAlone(base):  # type: ignore[misc]
        def step(self, closure: Any = None) -> Any:
            if any(p.is_complex() for group in self.param_groups for p in group["params"]):
                raise NotImplementedError("complex parameters")
            return super().step(closure)

    run = TorchCandidate(RealAlone, {}, None, None).run
    refused = run(PROBES["CPX.1/complex"], "float64").unsupported or ""
    assert refused.startswith("it refuses complex parameters: NotImplementedError")
    assert run(PROBES["STEP.1/fingerprint"], "float64").error is None


def test_a_parameter_that_is_changed_before_the_closure_is_called_is_said() -> None:
    """Its gradients are then those of other parameters."""
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch import TorchCandidate

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
    from adamcore.conformance.candidates.torch import TorchCandidate

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
    from adamcore.conformance.candidates.torch import TorchCandidate

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
    from adamcore.conformance.candidates.torch import TorchCandidate

    class Tells(torch.optim.AdamW):  # type: ignore[misc, name-defined]
        def step(self, closure: Any = None) -> Any:
            loss = super().step(closure)
            return None if loss is None else told(loss)

    run = TorchCandidate(Tells, {}, None, None).run(closures(), "float32")
    assert said in "".join(run.closure[:1])
    assert bool(run.closure) == bool(said)


def test_an_optimizer_of_other_tensors_is_seen() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch import TorchCandidate

    class MadeBeforeMove(torch.optim.AdamW):  # type: ignore[misc, name-defined]
        def __init__(self, params: Any, **settings: Any) -> None:
            super().__init__([p.detach().clone() for p in params], **settings)

    runs = [TorchCandidate(cls, {}, None, None).run(probe(), "float32")
            for cls in (MadeBeforeMove, torch.optim.AdamW)]  # fmt: skip
    assert [run.unheld for run in runs] == [(0, 1), ()]


def test_a_closure_that_is_not_taken_is_not_served() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch import TorchCandidate

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
    from adamcore.conformance.candidates.torch import TorchCandidate

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
    from adamcore.conformance.candidates.torch import TorchCandidate

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


@pytest.mark.parametrize(("layout", "strides"), [("offset", (2, 1)), ("broadcast", (0, 1)), ("F", (1, 3))])
def test_gradients_lie_in_memory_as_asked(layout: str, strides: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.base import cast
    from adamcore.conformance.candidates.torch import as_tensor

    array = np.ones((3, 2))
    made = as_tensor(cast(array, "float32", layout), "cpu")  # type: ignore[arg-type]
    assert made.stride() == strides
    assert torch.equal(made, torch.ones(3, 2))
    assert made.data_ptr() % 8 == (4 if layout == "offset" else made.data_ptr() % 8)


@pytest.mark.parametrize("target", ["torch.optim:AdamW", "adamcore.backends.torch:AdamW"])
@pytest.mark.parametrize("name", [p.name for p in PROBES.values() if p.is_scaled and p.manner != "scheduled"])
def test_a_fused_optimizer_gets_the_scale_and_the_flag_of_a_grad_scaler(target: str, name: str) -> None:
    pytest.importorskip("torch")
    [candidate] = load_candidates(target, [None], {"fused": "True"}, None)
    result = judge(Adam(decay="decoupled"), PROBES[name], "float32", candidate.run(PROBES[name], "float32"))
    assert (result.status, result.reason) == ("passed", "")


def test_an_optimizer_that_leaves_the_scale_to_grad_scaler_is_not_asked() -> None:
    pytest.importorskip("torch")
    [candidate] = load_candidates("torch.optim:AdamW", [None], {}, None)
    run = candidate.run(PROBES["SCALE.2/skipped"], "float32")
    assert run.unsupported == ("its step takes no loss scale: GradScaler divides before it, or leaves it out")


def test_a_rate_that_is_a_tensor_is_written_to() -> None:
    """As PyTorch's schedulers do: some optimizers refuse a number in its place."""
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch import TorchCandidate

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
    from adamcore.conformance.candidates.torch import TorchCandidate

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
    from adamcore.conformance.candidates.torch import TorchCandidate

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


def test_a_load_that_changes_parameters_is_seen_before_the_next_step() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch import TorchCandidate

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


def test_what_compiles_for_too_long_is_run_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates import torch as adapter
    from adamcore.conformance.candidates.programs import compilations
    from adamcore.conformance.verdict.diagnose import eager_notes

    stances, programs = list[str](), iter(range(100))
    monkeypatch.setattr(torch.compiler, "set_stance", stances.append)
    monkeypatch.setattr(compilations, "_off", False)
    monkeypatch.setattr(compilations, "count", lambda: next(programs))
    monkeypatch.setattr(adapter, "COMPILING", 0.0)
    candidate = adapter.TorchCandidate(torch.optim.Adam, {}, None, None)
    runs = {(str(k), "float32"): candidate.run(probe(), "float32") for k in range(3)}
    assert [run.eager for run in runs.values()] == [False, True, True]
    assert stances == ["force_eager"]
    [note] = eager_notes(runs)
    assert note.observed.startswith("2 of 3 runs were made without torch.compile")
    assert eager_notes({}) == []


@pytest.mark.parametrize("key", ["alpha", None])
def test_a_rate_of_another_name_is_set_by_that_name(key: str | None) -> None:
    """What the groups do not have is not asked for, and no error of the candidate's."""
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch import TorchCandidate

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


def test_a_wrapper_without_a_state_of_its_own_is_run_and_cannot_be_saved() -> None:
    torch = pytest.importorskip("torch")
    from adamcore.conformance.candidates.torch import TorchCandidate

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

"""Recording PyTorch: whatever happens to an optimizer is followed, and nothing ends its training."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_optimizers import GRADIENTS, HYPER, give_gradients, judged, parameter, run, verdicts

from adamcore.backends.torch import Adam as OurAdam
from adamcore.backends.torch import AdamW as OurAdamW
from adamcore.conformance.audit import Recorder, RecordingError
from adamcore.conformance.audit.judge import audit
from adamcore.conformance.report.report import Entry

Optimizer = torch.optim.Optimizer


@pytest.fixture(autouse=True)
def _seeded() -> None:
    GRADIENTS.manual_seed(5)


# Settings that change ---------------------------------------------------------------------------------


def onecycle(opt: Optimizer) -> Any:
    return torch.optim.lr_scheduler.OneCycleLR(opt, 0.0625, total_steps=20)


def cyclic(opt: Optimizer) -> Any:
    return torch.optim.lr_scheduler.CyclicLR(
        opt, 0.01, 0.1, step_size_up=3, cycle_momentum=True, base_momentum=0.8, max_momentum=0.95
    )


class Setter:
    """A scheduler in three lines, as trainers have them."""

    def __init__(self, opt: Optimizer, change: Callable[[dict[str, Any], int], None]) -> None:
        self.opt, self.change, self.k = opt, change, 0

    def step(self) -> None:
        self.k += 1
        for group in self.opt.param_groups:
            self.change(group, self.k)


def rising_decay(group: dict[str, Any], k: int) -> None:
    group["weight_decay"] = 0.04 + 0.036 * k


def warmup_stable_decay(group: dict[str, Any], k: int) -> None:
    group["lr"] = 0.0625 * min(k / 3, 1.0, (12 - k) / 4)
    group["betas"] = (0.75, 0.95 if k > 5 else 0.875)


def rising_eps(group: dict[str, Any], k: int) -> None:
    group["eps"] = 1e-3 * 2**k


def a_new_tensor(group: dict[str, Any], k: int) -> None:
    group["lr"] = torch.tensor(0.0625 / k)


def flipped(group: dict[str, Any], k: int) -> None:
    group["maximize"] = bool(k % 2)


SCHEDULERS: dict[str, Callable[[Optimizer], Any]] = {
    "OneCycleLR": onecycle,
    "CyclicLR": cyclic,
    "decay": lambda opt: Setter(opt, rising_decay),
    "WSD": lambda opt: Setter(opt, warmup_stable_decay),
    "eps": lambda opt: Setter(opt, rising_eps),
    "tensor lr": lambda opt: Setter(opt, a_new_tensor),
    "maximize": lambda opt: Setter(opt, flipped),
}


@pytest.mark.parametrize("make", [torch.optim.AdamW, torch.optim.Adam, torch.optim.NAdam, OurAdamW])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_settings_that_a_scheduler_changes_are_judged(name: str, make: Any, path: Path) -> None:
    w, b = parameter(2, 3), parameter(4)
    optimizer = make([w, b], **HYPER)
    recorder = Recorder.torch(optimizer, {"w": w, "b": b})
    scheduler = SCHEDULERS[name](optimizer)
    run(optimizer, 8, lambda k: scheduler.step() if k > 1 else None)
    [entry] = judged(recorder, path).entries
    assert (entry.verdict, recorder.faults) == ("conforms", [])
    assert 0.05 < entry.results[0].worst_ratio <= 1.0


def test_momentum_decay_and_each_group_by_itself(path: Path) -> None:
    w, b = parameter(3), parameter(2)
    groups: list[dict[str, Any]] = [{"params": [w]}, {"params": [b], "betas": (0.5, 0.75)}]
    optimizer = torch.optim.NAdam(groups, lr=0.0625, eps=1e-3)
    recorder = Recorder.torch(optimizer)

    def change(k: int) -> None:
        optimizer.param_groups[0]["momentum_decay"] = 0.01 * k
        optimizer.param_groups[1]["betas"] = (0.5 + 0.03 * k, 0.75)

    run(optimizer, 7, change)
    assert verdicts(judged(recorder, path)) == ["conforms", "conforms"]


def reads_once(names: tuple[str, ...]) -> type[Optimizer]:
    """An AdamW that goes on with the settings of its first step."""

    class Once(torch.optim.AdamW):
        def step(self, closure: Any = None) -> Any:
            told = [dict(group) for group in self.param_groups]
            for group, first in zip(self.param_groups, self.__dict__.setdefault("first", told), strict=True):
                group.update({name: first[name] for name in names})
            try:
                return super().step(closure)
            finally:
                for group, now in zip(self.param_groups, told, strict=True):
                    group.update({name: now[name] for name in names})

    return Once


class SumOfBetas(torch.optim.Optimizer):
    """Corrections by the product of the betas that there were, as tinygrad's would be."""

    dialect = "torch.Adam"

    def __init__(self, params: Any, **options: Any) -> None:
        super().__init__(params, {**HYPER, "weight_decay": 0.0, **options})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                s = self.state[p]
                if not s:
                    s.update(
                        step=0, exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p), powers=[1.0, 1.0]
                    )
                s["step"] += 1
                s["powers"] = [s["powers"][0] * b1, s["powers"][1] * b2]
                s["exp_avg"].lerp_(p.grad, 1 - b1)
                s["exp_avg_sq"].mul_(b2).addcmul_(p.grad, p.grad, value=1 - b2)
                root = (s["exp_avg_sq"] / (1 - s["powers"][1])).sqrt() + group["eps"]
                p -= group["lr"] / (1 - s["powers"][0]) * s["exp_avg"] / root


@pytest.mark.parametrize(
    ("make", "change", "area", "rule", "observed"),
    [
        (
            reads_once(("weight_decay",)),
            rising_decay,
            "schedule",
            "LR.3",
            "change of weight_decay is ignored",
        ),
        (reads_once(("betas",)), warmup_stable_decay, "schedule", "LR.3", "is ignored"),
        (reads_once(("eps",)), rising_eps, "schedule", "LR.3", "change of eps is ignored"),
        (SumOfBetas, warmup_stable_decay, "bias_correction", "BC.4", "the product of all betas so far"),
    ],
)
def test_a_change_that_is_not_followed_is_named(
    make: Any, change: Any, area: str, rule: str, observed: str, path: Path
) -> None:
    w = parameter(6)
    optimizer = make([w], **({} if make is SumOfBetas else HYPER))
    recorder = Recorder.torch(optimizer, {"w": w})
    setter = Setter(optimizer, change)
    run(optimizer, 9, lambda k: setter.step() if k > 1 else None)
    [entry] = judged(recorder, path).entries
    finding = entry.findings[0]
    assert (entry.verdict, finding.area, finding.rule) == ("deviates", area, rule)
    assert observed in finding.observed


def test_a_setting_without_a_meaning_ends_the_judgement_there(path: Path) -> None:
    w = parameter(3)
    optimizer = torch.optim.AdamW([w], **HYPER)
    recorder = Recorder.torch(optimizer)

    def change(k: int) -> None:
        optimizer.param_groups[0]["lr"] = 0.0625 if k < 4 else -0.0625  # which torch does not refuse

    run(optimizer, 6, change)
    [entry] = judged(recorder, path).entries
    assert entry.verdict == "conforms"
    assert "3 steps" in entry.reason
    assert "step 4 has lr=-0.0625" in entry.reason


@pytest.mark.parametrize("dtypes", [{"moment_dtype": "float32"}, {"m_dtype": "float32"}])
def test_moments_in_a_dtype_of_their_own(path: Path, dtypes: dict[str, Any]) -> None:
    w = parameter(5, dtype=torch.bfloat16)
    optimizer = OurAdamW([w], **HYPER, **dtypes)
    recorder = Recorder.torch(optimizer)
    run(optimizer, 12)
    [entry] = judged(recorder, path).entries
    assert (entry.verdict, entry.results[0].undecided) == ("conforms", 0)


@pytest.mark.parametrize("policy", ["master", "split", "split8", "kahan", "stochastic"])
def test_a_parameter_of_which_a_part_is_in_the_state(path: Path, policy: str) -> None:
    """The value from which a step starts is any that is shown as the recorded parameter."""
    w = parameter(500, dtype=torch.bfloat16)
    w.data /= 16  # so that half a distance of its neighbours is far below lr
    optimizer = OurAdamW([w], **HYPER, p_storage=policy, moment_dtype="float32")
    recorder = Recorder.torch(optimizer)
    run(optimizer, 3)
    [entry] = judged(recorder, path).entries
    assert (entry.verdict, entry.results[0].undecided) == ("conforms", 0)
    assert 0.5 < entry.results[0].worst_ratio < 1.0


def test_moments_in_8_bits_are_not_recorded(path: Path) -> None:
    optimizer = OurAdamW([parameter(70)], **HYPER, m_storage="companded8")
    Recorder.torch(optimizer)
    with pytest.warns(RuntimeWarning, match=r"m_storage='companded8': expected 'plain'"):
        run(optimizer, 2)


# Freezing, and states that are put back -----------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"clock": "global"}, {"missing": "zero"}, {"missing": "error"}])
@pytest.mark.parametrize("how", ["keep", "reset"])
def test_freeze_and_thaw(options: dict[str, Any], how: Any, path: Path) -> None:
    a, b = parameter(4), parameter(2)
    optimizer = OurAdamW([("a", a), ("b", b)], **HYPER, **options)
    recorder = Recorder.torch(optimizer)
    run(optimizer, 3)
    optimizer.freeze("b")
    run(optimizer, 3)
    if how == "reset" and options.get("clock") == "global":
        optimizer.thaw("b")
        optimizer.reset("b", clock="keep")
    else:
        optimizer.thaw("b", how)
    run(optimizer, 3)
    [entry] = judged(recorder, path).entries
    assert (entry.verdict, recorder.faults) == ("conforms", [])


def test_a_frozen_parameter_that_moves_is_accused(path: Path) -> None:
    a, b = parameter(4), parameter(2)
    optimizer = OurAdamW([("a", a), ("b", b)], **HYPER)

    def spoil(*_: Any) -> None:
        with torch.no_grad():
            b.mul_(0.999)

    optimizer.register_step_post_hook(spoil)
    optimizer.freeze("b")
    recorder = Recorder.torch(optimizer)
    run(optimizer, 3)
    [entry] = judged(recorder, path).entries
    assert entry.verdict == "deviates"
    assert entry.findings[0].evidence is not None
    assert entry.findings[0].evidence.element.startswith("b[")


def cleared(optimizer: Optimizer, p: torch.Tensor) -> None:
    optimizer.state.clear()


def zeroed_past_the_count(optimizer: Optimizer, p: torch.Tensor) -> None:
    optimizer.state[p]["exp_avg"].data.zero_()


def scaled(optimizer: Optimizer, p: torch.Tensor) -> None:
    optimizer.state[p]["exp_avg_sq"] *= 0.25


def reloaded(optimizer: Optimizer, p: torch.Tensor) -> None:
    state = optimizer.state_dict()
    state["state"][0]["step"] = torch.tensor(40.0)
    optimizer.load_state_dict(state)


@pytest.mark.parametrize("change", [cleared, zeroed_past_the_count, scaled, reloaded])
@pytest.mark.parametrize("make", [torch.optim.AdamW, torch.optim.NAdam])
def test_a_state_that_somebody_changes_is_taken_up(change: Any, make: Any, path: Path) -> None:
    w = parameter(4)
    optimizer = make([w], **HYPER)
    recorder = Recorder.torch(optimizer)
    run(optimizer, 4)
    change(optimizer, w)
    run(optimizer, 4)
    assert verdicts(judged(recorder, path)) == ["conforms"]


# Parameters that come and go ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (torch.optim.AdamW, {"amsgrad": True}),
        (torch.optim.NAdam, {}),
        (OurAdamW, {"clock": "global"}),
        (OurAdam, {"dialect": "optax.amsgrad", "missing": "skip", "weight_decay": 0.0}),
    ],
)
def test_attached_after_some_steps(make: Any, options: dict[str, Any], path: Path) -> None:
    w, b = parameter(3), parameter(2)
    optimizer = make([w, b], **HYPER | options)
    for _ in range(5):
        give_gradients(w, b)
        optimizer.step()
    recorder = Recorder.torch(optimizer, {"w": w})
    run(optimizer, 5)
    [entry] = judged(recorder, path).entries
    assert (entry.verdict, recorder.steps) == ("conforms", 5)


def test_attached_to_a_loaded_state(path: Path) -> None:
    w = parameter(3)
    old = torch.optim.AdamW([w], **HYPER)
    run(old, 3)
    new = torch.optim.AdamW([w], **HYPER)
    new.load_state_dict(old.state_dict())
    recorder = Recorder.torch(new)
    run(new, 3)
    assert verdicts(judged(recorder, path)) == ["conforms"]


def test_a_state_that_cannot_be_read_is_refused_when_attached() -> None:
    w = parameter(3)
    optimizer = torch.optim.Adagrad([w])
    del optimizer.state[w]["step"]
    with pytest.raises(RecordingError, match=r"the state of Adagrad has 'sum', and nothing of what is known"):
        Recorder.torch(optimizer)


@pytest.mark.parametrize("options", [{}, {"clock": "global"}])
def test_groups_that_are_added(options: dict[str, Any], path: Path) -> None:
    a, b, c = parameter(3), parameter(2), parameter(4)
    optimizer = (OurAdamW if options else torch.optim.AdamW)([a], **HYPER, **options)
    recorder = Recorder.torch(optimizer, {"a": a, "b": b, "c": c})
    run(optimizer, 3)
    optimizer.add_param_group({"params": [b], "lr": 0.03125})
    run(optimizer, 3)
    optimizer.param_groups[0]["params"].append(c)  # edited by hand
    run(optimizer, 3)
    report = judged(recorder, path)
    assert verdicts(report) == ["conforms"] * 3
    assert recorder.faults == []
    assert "3 steps from step 7 on" in report.entries[2].reason


def test_parameters_that_go_move_and_come_back(path: Path) -> None:
    a, b = parameter(3), parameter(2)
    groups: list[dict[str, Any]] = [{"params": [a, b]}, {"params": [], "lr": 0.25}]
    optimizer = torch.optim.AdamW(groups, **HYPER)
    recorder = Recorder.torch(optimizer, {"a": a, "b": b})
    run(optimizer, 2)
    del optimizer.param_groups[0]["params"][1]
    run(optimizer, 2)
    optimizer.param_groups[1]["params"].append(b)
    run(optimizer, 3)
    optimizer.param_groups.reverse()
    run(optimizer, 3)
    assert verdicts(judged(recorder, path)) == ["conforms", "conforms"]
    assert recorder.faults == []


def test_the_step_of_evidence_is_counted_from_the_beginning(path: Path) -> None:
    a, b = parameter(3), parameter(2)
    optimizer = torch.optim.AdamW([a], **HYPER)

    def spoil(*_: Any) -> None:
        if recorder.steps == 5:
            with torch.no_grad():
                b[1] += 0.01

    optimizer.register_step_post_hook(spoil)
    recorder = Recorder.torch(optimizer, {"a": a, "b": b})
    run(optimizer, 3)
    optimizer.add_param_group({"params": [b]})
    run(optimizer, 4)
    _, entry = judged(recorder, path).entries
    evidence = entry.findings[0].evidence
    assert evidence is not None
    assert (evidence.step, evidence.element) == (6, "b[1]")
    assert entry.results[0].evidence is not None
    assert entry.results[0].evidence.step == 6
    assert "in step 6" in entry.findings[0].observed or "step" not in entry.findings[0].observed


def test_a_parameter_that_is_replaced_as_gaussian_splatting_does(path: Path) -> None:
    xyz, opacity = parameter(4, 3), parameter(4, 1)
    groups: list[dict[str, Any]] = [
        {"params": [xyz], "lr": 0.0625, "name": "xyz"},
        {"params": [opacity], "name": "opacity"},
    ]
    optimizer = torch.optim.Adam(groups, eps=1e-3)
    recorder = Recorder.torch(optimizer)
    run(optimizer, 3)
    for group in optimizer.param_groups:  # two points more: densify_and_clone
        old = group["params"][0]
        state = optimizer.state.pop(old)
        for name in ("exp_avg", "exp_avg_sq"):
            state[name] = torch.cat([state[name], torch.zeros_like(state[name][:2])])
        group["params"][0] = torch.nn.Parameter(torch.cat([old.detach(), old.detach()[:2]]))
        optimizer.state[group["params"][0]] = state
    run(optimizer, 3)
    recorder.save(path)
    report = audit(path)
    assert verdicts(report) == ["conforms"] * 4
    assert recorder.faults == []
    assert b"xyz#2" in path.read_bytes()


def test_a_module_that_becomes_another_dtype(path: Path) -> None:
    module = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(module.parameters(), **HYPER)
    recorder = Recorder.torch(optimizer, module)
    run(optimizer, 3)
    module.double()
    for state in optimizer.state.values():
        state.update({name: state[name].double() for name in ("exp_avg", "exp_avg_sq")})
    run(optimizer, 3)
    assert verdicts(judged(recorder, path)) == ["conforms", "conforms"]
    assert b"weight#2" in path.read_bytes()


# Ways of stepping ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("make", [torch.optim.AdamW, OurAdamW])
def test_a_closure_makes_the_gradients(make: Any, by_name: bool, path: Path) -> None:
    w = parameter(4)
    optimizer = make([w], **HYPER)
    recorder = Recorder.torch(optimizer)
    for k in range(5):

        def closure(k: int = k) -> torch.Tensor:
            optimizer.zero_grad()
            loss = torch.cos(w + k).sum()
            loss.backward()
            return loss

        loss = optimizer.step(closure=closure) if by_name else optimizer.step(closure)
        assert loss is not None
    assert verdicts(judged(recorder, path)) == ["conforms"]
    assert (recorder.steps, recorder.faults) == (5, [])


class ClosureForgotten(torch.optim.AdamW):
    def step(self, closure: Any = None) -> Any:
        return super().step(None)


def test_a_closure_that_is_never_called_is_said_and_the_rest_judged(path: Path) -> None:
    w = parameter(4)
    optimizer = ClosureForgotten([w], **HYPER)
    recorder = Recorder.torch(optimizer)
    run(optimizer, 2)
    with pytest.warns(RuntimeWarning, match="did not call its closure"):
        optimizer.step(lambda: 0.0)
    run(optimizer, 2)
    [entry] = judged(recorder, path).entries
    assert (recorder.steps, entry.verdict) == (4, "conforms")
    assert "did not call its closure" in entry.reason


def test_zero_gradients_are_gradients(path: Path) -> None:
    w = parameter(4)
    optimizer = torch.optim.Adam([w], **HYPER)
    recorder = Recorder.torch(optimizer)
    for k in range(6):
        optimizer.zero_grad(set_to_none=False)
        if k % 2 == 0:
            torch.cos(w + k).sum().backward()
        optimizer.step()
    assert verdicts(judged(recorder, path)) == ["conforms"]


@pytest.mark.parametrize(
    ("make", "fused"), [(torch.optim.AdamW, False), (torch.optim.AdamW, True), (OurAdamW, True)]
)
def test_grad_scaler_and_the_steps_it_skips(make: Any, fused: bool, path: Path) -> None:
    w = parameter(4)
    optimizer = make([w], **HYPER, fused=fused)
    recorder = Recorder.torch(optimizer)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for k in range(6):
        optimizer.zero_grad()
        loss = torch.cos(w + k).sum() * (torch.inf if k in (2, 3) else 1.0)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    [entry] = judged(recorder, path).entries
    assert (entry.verdict, recorder.faults) == ("conforms", [])


@pytest.mark.parametrize("make", [torch.optim.SparseAdam, OurAdam])
def test_sparse_gradients(make: Any, path: Path) -> None:
    table = torch.nn.Embedding(6, 3, sparse=True)
    options = {} if make is torch.optim.SparseAdam else {"sparse": "lazy", "epsilon": "outside-uncorrected"}
    optimizer = make(list(table.parameters()), lr=0.0625, betas=(0.75, 0.875), eps=1e-3, **options)
    recorder = Recorder.torch(optimizer, table)
    for k in range(6):
        optimizer.zero_grad()
        rows = torch.tensor([[0, 2, 2], [5, 1, 0]][k % 2])
        (table(rows) * (k + 1.5)).cos().sum().backward()
        optimizer.step()
    [entry] = judged(recorder, path).entries
    assert (entry.verdict, recorder.faults) == ("conforms", [])
    assert b"mask/1/weight" in path.read_bytes()


@pytest.mark.parametrize("make", [torch.optim.AdamW, OurAdamW])
def test_complex_parameters(make: Any, path: Path) -> None:
    w, b = parameter(3, dtype=torch.complex64), parameter(2)
    optimizer = make([w, b], **HYPER)
    recorder = Recorder.torch(optimizer)
    run(optimizer, 5)
    optimizer.state[w]["exp_avg"] *= 0.5
    run(optimizer, 2)
    [entry] = judged(recorder, path).entries
    assert (entry.verdict, recorder.faults) == ("conforms", [])
    assert len(entry.results) == 1


class Wrapped:
    """As accelerate and Lightning wrap an optimizer."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.param_groups, self.state = optimizer.param_groups, optimizer.state

    def step(self, closure: Any = None) -> Any:
        return self.optimizer.step(closure)


def test_wrappers(path: Path) -> None:
    w = parameter(3)
    wrapped = Wrapped(torch.optim.AdamW([w], **HYPER))
    recorder = Recorder.torch(wrapped)
    for _ in range(3):
        give_gradients(w)
        wrapped.step()
    assert verdicts(judged(recorder, path)) == ["conforms"]
    with pytest.raises(RecordingError, match=r"object is no torch\.optim\.Optimizer"):
        Recorder.torch(object())


# Nothing ends a training ------------------------------------------------------------------------------------


@pytest.fixture
def strict() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def broken_settings(optimizer: Optimizer, p: torch.nn.Parameter) -> Callable[[], None]:
    optimizer.param_groups[0]["eps"] = "small"

    def mend() -> None:
        optimizer.param_groups[0]["eps"] = 1e-3

    return mend


def broken_group(optimizer: Optimizer, p: torch.nn.Parameter) -> Callable[[], None]:
    betas = optimizer.param_groups[0].pop("betas")

    def mend() -> None:
        optimizer.param_groups[0]["betas"] = betas

    return mend


class Tolerant(torch.optim.AdamW):
    """Steps whatever its groups say."""

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            group.update(eps=1e-3, betas=(0.75, 0.875))
        return super().step(closure)


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("breaks", [broken_settings, broken_group])
def test_a_fault_of_the_recorder_leaves_one_step_out(breaks: Any, path: Path) -> None:
    w = parameter(3)
    optimizer = Tolerant([w], **HYPER)
    recorder = Recorder.torch(optimizer)
    run(optimizer, 3)
    mend = breaks(optimizer, w)
    run(optimizer, 1)
    mend()
    run(optimizer, 3)
    [entry] = judged(recorder, path).entries
    assert entry.verdict == "conforms"
    assert len(recorder.faults) <= 1
    if recorder.faults:
        assert recorder.steps == 6
        assert recorder.faults[0] in entry.reason


def test_the_training_that_ended_goes_on_and_the_fault_is_said_once(path: Path) -> None:
    w = parameter(3)
    narrow = torch.nn.Parameter(torch.zeros(2, dtype=torch.float8_e4m3fn), requires_grad=False)
    optimizer = torch.optim.AdamW([w, narrow], **HYPER)
    recorder = Recorder.torch(optimizer)
    give_gradients(w)
    with pytest.warns(RuntimeWarning, match=r"'0\.1' is not recorded .* float8_e4m3fn") as seen:
        optimizer.step()
    assert len(seen) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step()
        optimizer.step()
    with pytest.warns(RuntimeWarning, match="1 faults"):
        [entry] = judged(recorder, path).entries
    assert (entry.verdict, recorder.steps) == ("conforms", 3)
    assert "float8_e4m3fn" in entry.reason


def test_a_step_that_raises_is_not_recorded(path: Path) -> None:
    w = parameter(3)
    optimizer = torch.optim.AdamW([w], **HYPER)
    recorder = Recorder.torch(optimizer)
    run(optimizer, 2)
    optimizer.param_groups[0]["betas"] = None
    with pytest.raises(TypeError):
        run(optimizer, 1)
    optimizer.param_groups[0]["betas"] = (0.75, 0.875)
    run(optimizer, 2)
    assert verdicts(judged(recorder, path)) == ["conforms"]
    assert recorder.steps == 4


def test_detached_it_records_no_more() -> None:
    w = parameter(3)
    recorder = Recorder.torch(optimizer := torch.optim.AdamW([w]))
    run(optimizer, 2)
    recorder.detach()
    run(optimizer, 2)
    assert recorder.steps == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_step(path: Path) -> None:
    w = parameter(3)
    optimizer = torch.optim.AdamW([w], **HYPER)
    recorder = Recorder.torch(optimizer)
    step = torch.compile(optimizer.step, backend="eager")
    for _ in range(3):
        give_gradients(w)
        step()
    entry: Entry
    [entry] = judged(recorder, path).entries
    assert (entry.verdict, recorder.steps) == ("conforms", 3)


# Whatever happens -----------------------------------------------------------------------------------------


def fresh(optimizer: Optimizer, k: int) -> None:
    optimizer.add_param_group({"params": [parameter(1 + k % 3)]})


def gone(optimizer: Optimizer, k: int) -> None:
    group = optimizer.param_groups[k % len(optimizer.param_groups)]
    if group["params"]:
        optimizer.state.pop(group["params"].pop(k % len(group["params"])), None)


def moved(optimizer: Optimizer, k: int) -> None:
    first, last = optimizer.param_groups[0]["params"], optimizer.param_groups[-1]["params"]
    if first:
        last.append(first.pop())


def replaced(optimizer: Optimizer, k: int) -> None:
    for group in optimizer.param_groups:
        group["params"][:] = [parameter(*p.shape) for p in group["params"]]


def other_settings(optimizer: Optimizer, k: int) -> None:
    group = optimizer.param_groups[k % len(optimizer.param_groups)]
    group.update(lr=0.01 * (k + 1), betas=(0.5 + 0.05 * k, 0.9), weight_decay=0.1 * k)


def without_state(optimizer: Optimizer, k: int) -> None:
    optimizer.state.clear()


def swapped_groups(optimizer: Optimizer, k: int) -> None:
    optimizer.param_groups.reverse()


EVENTS = [fresh, gone, moved, replaced, other_settings, without_state, swapped_groups]


@settings(max_examples=8, deadline=None)
@given(
    st.sampled_from([torch.optim.AdamW, torch.optim.NAdam, OurAdamW]),
    st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 7)), max_size=5),
)
def test_any_order_of_events_is_followed(make: Any, events: list[tuple[Any, int]]) -> None:
    optimizer = make([parameter(3), parameter(2)], **HYPER)
    recorder = Recorder.torch(optimizer)
    run(optimizer, 1)
    for change, k in events:
        change(optimizer, k)
        run(optimizer, 1)
    with TemporaryDirectory() as folder:
        report = judged(recorder, Path(folder) / "run.safetensors")
    assert recorder.faults == []
    assert {entry.verdict for entry in report.entries} <= {"conforms", "unavailable"}


def test_what_could_not_be_judged_is_refused_before_the_training() -> None:
    """Told by ``adamcore audit`` alone, the training would have been recorded in vain."""

    class Named(torch.optim.Optimizer):
        def __init__(self, params: Any) -> None:
            super().__init__(params, {"alpha": 0.1, "beta_m": 0.9})

    p = torch.nn.Parameter(torch.ones(2))
    wanted = (
        "the parameter groups of Named have no lr, betas, eps, by which a recording is judged; they have "
        r"alpha, beta_m: record it by Recorder\(hyper\)"
    )
    optimizer = Named([p])
    with pytest.raises(RecordingError, match=wanted):
        Recorder.torch(optimizer, {"p": p})
    assert not optimizer._optimizer_step_pre_hooks

"""A step on the same tensors again gives the bits of the long way, whatever was changed in between."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("llvmlite")

from torch.nn import Parameter  # noqa: E402
from torch_changes import (  # noqa: E402
    CHANGES,
    run,
    with_all_checks,
)
from torch_runs import bits, gradients, parameters  # noqa: E402

from adamcore import Clip  # noqa: E402
from adamcore.backends.torch import (  # noqa: E402
    Adam,
    AdamW,
    fast,
)
from adamcore.backends.torch.backend import TorchBackend  # noqa: E402
from adamcore.backends.torch.optimizer import step_cache  # noqa: E402
from adamcore.errors import AdamcoreError, StateError  # noqa: E402


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The cached steps that were made, in their order."""
    made: list[Any] = []
    bind = step_cache.GroupStep.bind

    def counting(cached: Any, *arguments: Any) -> Any:
        run = bind(cached, *arguments)
        if run is None:
            return None

        def step(clipping: Any) -> None:
            made.append(cached)
            run(clipping)

        return step

    monkeypatch.setattr(step_cache.GroupStep, "bind", counting)
    return made


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_between_steps(name: str, ran: list[Any]) -> None:
    for settings in ({}, {"clock": "global"}, {"amsgrad": True, "nesterov": "dozat"}):

        def make(settings: Any = settings) -> tuple[Any, list[Any]]:
            params = parameters((7,), (5, 5), (7,))
            return Adam(params, lr=0.1, **settings), params

        change = CHANGES[name]
        if settings.get("clock") == "global" and name.startswith(("t ", "one clock")):
            change = CHANGES["nothing"]
        got = run(make, change)
        assert len(ran) >= 4, "no cached step was made"
        ran.clear()
        assert got == with_all_checks(make, change), settings


@pytest.mark.parametrize("guards", [True, False])
def test_gradients_of_other_kinds(guards: bool, ran: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """None, sparse, of another layout, in the parameter's own memory: all as with all checks."""
    if not guards:  # where PyTorch has no such class
        monkeypatch.setattr(fast, "TensorGuards", None)

    def grads(p: Any, t: int) -> Any:
        g = torch.linspace(-1, 1, p.numel()).reshape(p.shape) * (t + 1)
        return [g, g, g, None, g, g.to_sparse(), g, g.t(), g.clone(), p.data, g, -torch._neg_view(g)][t % 12]

    def trajectory() -> list[Any]:
        memory = torch.arange(65.0)
        params = [Parameter(torch.ones(4, 4)), Parameter(memory[1:].view(8, 8))]
        optimizer, seen = AdamW(params, lr=0.1), []
        for t in range(30):
            params[0].grad = grads(params[0], t)
            params[1].grad = torch.ones(8, 8) if t % 7 else memory[:64].view(8, 8)
            optimizer.step()
            seen.append(bits([params, list(optimizer.state.values())]))
        return seen

    got = trajectory()
    assert len(ran) > 8
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step_cache.StepCache, "bind", lambda *_: {})
        assert got == trajectory()


def test_patterns_of_absence_each_have_a_cached_step(ran: list[Any]) -> None:
    params = parameters((3,), (4,))
    optimizer = Adam(params, lr=0.1)
    for t in range(12):
        params[0].grad = torch.ones(3) if t % 3 else None
        params[1].grad = torch.ones(4) if t % 2 else None
        optimizer.step()
    assert [int(optimizer.state[p]["step"]) for p in params] == [8, 6]
    assert len(ran) == 7  # of 12: two without any gradient, and each pattern with all checks once
    assert len(optimizer._step_cache.steps) == 3


@pytest.mark.parametrize("guards", [True, False])
def test_tensors_of_another_kind_at_the_same_address(guards: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not guards:
        monkeypatch.setattr(fast, "TensorGuards", None)
    for kind in (
        lambda x: x.t(), lambda x: x[:2], lambda x: x.flatten(), lambda x: x.view(torch.int32),
        lambda x: torch._neg_view(x), lambda x: x.requires_grad_(),
    ):  # fmt: skip
        tensors = [torch.ones(3, 3) for _ in range(4)]
        alike = fast.MEMORY.guard(tensors)
        assert alike([x.clone() for x in tensors])
        for k in range(4):
            assert not alike([kind(x) if n == k else x for n, x in enumerate(tensors)])
            tensors[k].requires_grad_(False)
        for other in (None, tensors[1].to_sparse()):
            assert not alike([tensors[0], other, *tensors[2:]])


def test_state_of_another_shape() -> None:
    a, b = parameters((3,), (4,))
    optimizer = Adam([a, b])
    a.grad, b.grad = torch.ones(3), torch.ones(4)
    optimizer.step()
    optimizer.state[a]["exp_avg"] = torch.zeros(2)
    with pytest.raises(StateError, match="shape"):
        optimizer.step()


def test_all_groups_are_checked_before_one_is_stepped(ran: list[Any]) -> None:
    a, b = parameters((3,), (4,))
    optimizer = Adam([{"params": [a]}, {"params": [b], "missing": "error"}])
    for t in range(3):
        a.grad, b.grad = torch.ones(3), torch.ones(4) if t < 2 else None
        before = bits([a, optimizer.state[a]])
        if t < 2:
            optimizer.step()
    with pytest.raises(AdamcoreError):
        optimizer.step()
    assert bits([a, optimizer.state[a]]) == before
    b.grad, optimizer.param_groups[0]["eps"] = torch.ones(4), -1.0
    with pytest.raises(AdamcoreError):
        optimizer.step()
    optimizer.param_groups[0] |= {"eps": 1e-8, "lr": -1.0}
    with pytest.raises(AdamcoreError):
        optimizer.step()
    assert bits([a, optimizer.state[a]]) == before


def test_what_autograd_is_to_record_goes_all_checks(ran: list[Any]) -> None:
    [p] = parameters((3,))
    optimizer = Adam([p])
    for differentiable in (False, False, True, True, False):
        p.grad, before = torch.ones(3), optimizer.state[p].get("exp_avg")
        optimizer.param_groups[0]["differentiable"] = differentiable
        optimizer.step()
        assert (optimizer.state[p]["exp_avg"] is before) == (not differentiable and before is not None)
    assert len(ran) == 1


def test_copies_go_their_own_way(ran: list[Any]) -> None:
    params = parameters((3,), (4,))
    optimizer = Adam(params, lr=0.1)
    for p in params:
        p.grad = torch.ones_like(p)
    for _ in range(3):
        optimizer.step()
    before = bits([params, list(optimizer.state.values())])
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert not other._step_cache.steps
        for p in other.param_groups[0]["params"]:
            p.grad = torch.ones_like(p)
        for _ in range(3):
            other.step()
        assert [int(own["step"]) for own in other.state.values()] == [6, 6]
        assert bits([params, list(optimizer.state.values())]) == before


def test_gradients_are_not_kept_alive(ran: list[Any]) -> None:
    import weakref

    params = parameters((3,))
    optimizer = Adam(params)
    for _ in range(3):
        params[0].grad = torch.ones(3)
        reference = weakref.ref(params[0].grad)
        optimizer.step()
        params[0].grad = None
        assert reference() is None
    assert len(ran) == 2


def test_a_step_nobody_watches_is_the_step_that_is_watched() -> None:
    """A profiler sees its range, and grad mode and errors are what they are in torch.optim."""
    from torch.profiler import ProfilerActivity, profile

    w = torch.nn.Parameter(torch.ones(3))
    optimizer = Adam([w], lr=0.1)
    modes: list[bool] = []

    def closure() -> float:
        modes.append(torch.is_grad_enabled())
        w.grad = torch.ones(3)
        return 7.0

    assert optimizer.step(closure) == 7.0
    assert torch.is_grad_enabled()
    with torch.no_grad():
        optimizer.step(closure)
        assert not torch.is_grad_enabled()
    assert modes == [True, True]
    assert not w.grad.requires_grad

    def broken() -> float:
        raise RuntimeError("in the closure")

    with pytest.raises(RuntimeError, match="in the closure"):
        optimizer.step(broken)
    assert torch.is_grad_enabled()
    with profile(activities=[ProfilerActivity.CPU]) as watch:
        optimizer.step()
    assert "Optimizer.step#Adam.step" in {event.key for event in watch.key_averages()}

    class Mine(Adam):
        def step(self, closure: Any = None) -> Any:
            modes.append(False)
            return super().step(closure)

    mine = Mine([w], lr=0.1)
    with profile(activities=[ProfilerActivity.CPU]) as watch:
        mine.step()
    assert modes[-1] is False
    assert "Optimizer.step#Mine.step" in {event.key for event in watch.key_averages()}


@pytest.mark.parametrize("lrs", [(0.8, 0.8, 0.1, 0.1), (0.1, 0.1, 0.8, 0.8)])
def test_a_decay_that_passes_one_half(lrs: tuple[float, ...]) -> None:
    """Where lr*weight_decay is above 1/2 the program is another (NUM.4)."""
    p, q = (Parameter(torch.linspace(-1, 1, 9)) for _ in range(2))
    steady, fresh = AdamW([p], weight_decay=1.0), AdamW([q], weight_decay=1.0)
    for lr in lrs:
        for w, optimizer in ((p, steady), (q, fresh)):
            w.grad = torch.ones(9)
            optimizer.param_groups[0]["lr"] = lr
            optimizer.step()
        fresh._step_cache = step_cache.StepCache(fresh.rules)
        assert torch.equal(p, q)


@pytest.mark.parametrize("policy", ["split", "stochastic"])
def test_a_policy_of_storage_has_the_bits_of_the_definition(
    policy: str, ran: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under "stochastic" the numbers of a group's parameters move where a group before it grows."""

    def run() -> tuple[list[bytes], int]:
        generator = torch.Generator().manual_seed(0)
        shapes = ((3, 7), (5,), (70,))
        ps = [Parameter(torch.randn(s, generator=generator).to(torch.bfloat16)) for s in shapes]
        groups = [{"params": ps[:1]}, {"params": ps[1:]}]
        opt = Adam(groups, lr=1e-2, p_storage=policy, seed=4, moment_dtype="float32", weight_decay=0.1)
        ran.clear()
        for k in range(6):
            for p in ps:
                p.grad = torch.randn(p.shape, generator=generator).to(torch.bfloat16)
            if k == 4:
                other = Parameter(torch.ones(2, dtype=torch.bfloat16))
                other.grad = torch.ones_like(other)
                opt.param_groups[0]["params"].append(other)
            opt.step()
        rests = [opt.state[p]["p_rest"] for p in ps] if policy == "split" else []
        return [x.detach().view(torch.int16).numpy().tobytes() for x in (*ps, *rests)], len(ran)

    found, cached = run()
    assert cached == (9 if policy == "split" else 8)
    monkeypatch.setattr(fast, "column_step", lambda *_: None)
    monkeypatch.setattr(TorchBackend, "fast", None)
    assert run() == (found, 0)


@pytest.mark.parametrize("settings", [
    {"m_storage": "companded8", "v_storage": "companded8", "amsgrad": True},
    {"m_storage": "companded8"},
    {"v_storage": "companded8", "amsgrad": True, "clock": "global"},
])  # fmt: skip
def test_moments_in_8_bits_have_the_bits_of_the_definition(
    settings: dict[str, Any], ran: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scales that are put in the place of others are seen, and so is AMSGrad that is given up."""

    def run() -> tuple[list[bytes], int]:
        generator = torch.Generator().manual_seed(0)
        ps = [Parameter(torch.randn(s, generator=generator)) for s in ((3, 50), (), (64,), (129,))]
        opt = Adam(ps, lr=1e-2, weight_decay=0.1, **settings)
        ran.clear()
        for k in range(9):
            for p in ps:
                p.grad = torch.randn(p.shape, generator=generator) * 10.0 ** (-k)
            if k == 3:
                own = opt.state[ps[0]]
                own |= {name: own[name] * 4 for name in own if name.endswith("_scale")}
            if k == 6:
                opt.param_groups[0]["amsgrad"] = False
            opt.step()
        state = [opt.state[p][name] for p in ps for name in sorted(opt.state[p]) if name != "step"]
        return [x.detach().numpy().tobytes() for x in (*ps, *state)], len(ran)

    found, cached = run()
    assert cached == (6 if settings.get("amsgrad") else 7)
    monkeypatch.setattr(fast, "column_step", lambda *_: None)
    monkeypatch.setattr(TorchBackend, "fast", None)
    assert run() == (found, 0)


@pytest.mark.parametrize("clip", [Clip(global_norm=0.5), Clip(norm=0.5), Clip(value=0.1)])
def test_clipped_steps_are_cached(clip: Clip, ran: list[Any]) -> None:
    """The norm is that of all groups; another way to clip, and none, takes a step with all checks."""
    found = []
    for cached in (True, False):
        params = parameters((7,), (5, 5), (3,))
        groups = [{"params": params[:1]}, {"params": params[1:], "weight_decay": 0.1}]
        optimizer = Adam(groups, lr=0.1, clip=clip)
        for t in range(8):
            if t == 5:
                optimizer.clip = None if clip.value else Clip(value=0.2)
            scale = 4.0 if t == 3 else 1.0
            for p, g in zip(params, gradients(params, t), strict=True):
                p.grad = scale * g
            setattr(optimizer, "grad_scale", torch.tensor(scale) if t == 3 else None)  # noqa: B010
            optimizer.step()
            if not cached:
                optimizer._step_cache.steps.clear()
        found.append([bits(x) for p in params for x in (p.detach(), *optimizer.state[p].values())])
    assert found[0] == found[1]
    assert len(ran) == 2 * 6

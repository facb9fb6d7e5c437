"""A step on the same tensors again gives the bits of the long way, whatever was changed in between."""

from __future__ import annotations

import copy
import pickle
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("llvmlite")

from torch.nn import Parameter  # noqa: E402
from torch_runs import bits, gradients, parameters  # noqa: E402

from adamcore.backends import torch_fast, torch_steady  # noqa: E402
from adamcore.backends.torch import Adam, AdamW  # noqa: E402
from adamcore.errors import AdamcoreError, StateError  # noqa: E402

Change = Callable[[Any, list[Any]], Any]


def first(optimizer: Any) -> dict[str, Any]:
    """The state of the first parameter."""
    return optimizer.state[optimizer.param_groups[0]["params"][0]]  # type: ignore[no-any-return]


def put(name: str, value: Any) -> Change:
    """A setting changed in the first group."""
    return lambda o, ps: o.param_groups[0].__setitem__(name, value)


def data(of: Callable[[Any, list[Any]], Any], new: Callable[[Any], Any]) -> Change:
    """The `.data` of a tensor replaced."""

    def change(o: Any, ps: list[Any]) -> None:
        x = of(o, ps)
        x.data = new(x.data)

    return change


def replaced(name: str, new: Callable[[Any], Any]) -> Change:
    """An entry of a parameter's state replaced."""
    return lambda o, ps: first(o).__setitem__(name, new(first(o)[name]))


def new_state(o: Any, ps: list[Any]) -> None:
    o.state = defaultdict(dict, {p: {k: x.clone() for k, x in own.items()} for p, own in o.state.items()})


def new_entry(o: Any, ps: list[Any]) -> None:
    o.state[ps[0]] = {name: x.clone() for name, x in first(o).items()}


def swapped(o: Any, ps: list[Any]) -> None:
    first, second, third = o.state.values()
    o.state.clear()
    o.state |= {ps[2]: first, ps[1]: second, ps[0]: third}


def loaded(o: Any, ps: list[Any]) -> None:
    saved = copy.deepcopy(o.state_dict())
    saved["state"][0]["exp_avg"] += 1
    o.load_state_dict(saved)


def other_parameter(o: Any, ps: list[Any]) -> None:
    old = o.param_groups[0]["params"][0]
    o.param_groups[0]["params"][0] = ps[0] = Parameter(old.detach() + 1)
    o.state[ps[0]] = o.state.pop(old)


def shared(o: Any, ps: list[Any]) -> None:
    first(o)["step"].share_memory_()


def narrow_product(o: Any, ps: list[Any]) -> None:
    if "mu_product" in first(o):
        first(o)["mu_product"] = first(o)["mu_product"].float()


CHANGES: dict[str, Change] = {
    "nothing": lambda o, ps: None,
    "lr": put("lr", 0.3),
    "lr an integer": put("lr", 1),
    "lr a tensor": put("lr", torch.tensor([0.25])),
    "betas": put("betas", (0.5, 0.6)),
    "betas of tensors": put("betas", (torch.tensor(0.5), torch.tensor(0.75))),
    "eps": put("eps", 0.1),
    "weight_decay": put("weight_decay", 0.2),
    "maximize": put("maximize", True),
    "epsilon": put("epsilon", "inside-corrected"),
    "frozen": lambda o, ps: o.freeze(ps[0]),
    "reset": lambda o, ps: o.reset(),
    "p elsewhere": data(lambda o, ps: ps[0], torch.clone),
    "p another value": data(lambda o, ps: ps[0], lambda x: x * 2),
    "p turned": data(lambda o, ps: ps[1], lambda x: x.t()),
    "m elsewhere": data(lambda o, ps: first(o)["exp_avg"], torch.clone),
    "v elsewhere": data(lambda o, ps: first(o)["exp_avg_sq"], lambda x: x * 2),
    "t elsewhere": data(lambda o, ps: first(o)["step"], lambda x: x + 3),
    "t in shared memory": shared,
    "t set in place": lambda o, ps: first(o)["step"].fill_(9),
    "t a number": replaced("step", lambda x: 5),
    "t another tensor": replaced("step", lambda x: x + 2),
    "one clock for two": lambda o, ps: o.state[ps[2]].__setitem__("step", first(o)["step"]),
    "a product in float32": narrow_product,
    "m another tensor": replaced("exp_avg", lambda x: x + 1),
    "v another tensor": replaced("exp_avg_sq", lambda x: x + 1),
    "a new state": new_state,
    "a new entry": new_entry,
    "a state taken away": lambda o, ps: o.state.pop(ps[0]),
    "states swapped": swapped,
    "load_state_dict": loaded,
    "add_param_group": lambda o, ps: o.add_param_group({"params": [Parameter(torch.ones(3))], "lr": 0.5}),
    "another parameter": other_parameter,
    "parameters in another order": lambda o, ps: o.param_groups[0]["params"].reverse(),
    "no gradient any more": lambda o, ps: ps[0].requires_grad_(False),
}


def run(make: Callable[[], tuple[Any, list[Any]]], change: Change, steps: int = 9) -> list[Any]:
    """What each step leaves; the change comes before the fifth."""
    optimizer, params = make()
    seen = []
    for t in range(steps):
        if t == 5:
            change(optimizer, params)
        for p, g in zip(params, gradients(params, t), strict=True):
            p.grad = g
        optimizer.step()
        seen.append(bits([params, [optimizer.state.get(p) for p in params], optimizer.param_groups[0]["lr"]]))
    return seen


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The lanes that have made a step, one for each."""
    lanes: list[Any] = []
    inner = torch_steady.Lane.run
    monkeypatch.setattr(torch_steady.Lane, "run", lambda lane: (lanes.append(lane), inner(lane))[1])
    return lanes


def long_way(*arguments: Any) -> list[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_steady.Lanes, "ready", lambda *_: {})
        return run(*arguments)


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
        assert len(ran) >= 4, "no step went the short way"
        ran.clear()
        assert got == long_way(make, change), settings


@pytest.mark.parametrize("guards", [True, False])
def test_gradients_of_other_kinds(guards: bool, ran: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """None, sparse, of another layout, in the parameter's own memory: all as the long way does it."""
    if not guards:  # where PyTorch has no such class
        monkeypatch.setattr(torch_fast, "TensorGuards", None)

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
        patch.setattr(torch_steady.Lanes, "ready", lambda *_: {})
        assert got == trajectory()


def test_patterns_of_absence_each_have_a_lane(ran: list[Any]) -> None:
    params = parameters((3,), (4,))
    optimizer = Adam(params, lr=0.1)
    for t in range(12):
        params[0].grad = torch.ones(3) if t % 3 else None
        params[1].grad = torch.ones(4) if t % 2 else None
        optimizer.step()
    assert [int(optimizer.state[p]["step"]) for p in params] == [8, 6]
    assert len(ran) == 7  # of 12: two without any gradient, and each pattern the long way once
    assert len(optimizer._lanes.lanes) == 3


@pytest.mark.parametrize("guards", [True, False])
def test_tensors_of_another_kind_at_the_same_address(guards: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not guards:
        monkeypatch.setattr(torch_fast, "TensorGuards", None)
    for kind in (
        lambda x: x.t(), lambda x: x[:2], lambda x: x.flatten(), lambda x: x.view(torch.int32),
        lambda x: torch._neg_view(x), lambda x: x.requires_grad_(),
    ):  # fmt: skip
        columns = [[torch.ones(3, 3)] for _ in range(4)]
        alike = torch_fast.MEMORY.likeness(columns)
        assert alike([[x[0].clone()] for x in columns])
        for k in range(4):
            assert not alike([[kind(x[0]) if n == k else x[0]] for n, x in enumerate(columns)])
            columns[k][0].requires_grad_(False)
        assert not alike([columns[0], [None], *columns[2:]])
        assert not alike([columns[0], [columns[1][0].to_sparse()], *columns[2:]])


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


def test_what_autograd_is_to_record_goes_the_long_way(ran: list[Any]) -> None:
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
        assert not other._lanes.lanes
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
    assert not w.grad.requires_grad  # type: ignore[union-attr]

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
        fresh._lanes = torch_steady.Lanes()
        assert torch.equal(p, q)

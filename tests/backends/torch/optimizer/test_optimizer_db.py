"""The inputs and error inputs that PyTorch ships for its own Adam and AdamW hold for ours as they do there.

They are taken from ``torch.testing._internal.common_optimizers``, which loads SciPy and a list of all
operators, so that it is loaded in a test.  What is done with them follows what PyTorch's own tests ask of
every optimizer in its list.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from copy import deepcopy
from itertools import product
from typing import Any

import pytest
import torch
from torch.nn import Parameter
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.optim.optimizer import register_optimizer_step_pre_hook

from adamcore.backends.torch import Adam, AdamW
from adamcore.errors import AdamcoreError

OURS: dict[str, Any] = {"Adam": Adam, "AdamW": AdamW}
THEIRS: dict[str, Any] = {"Adam": torch.optim.Adam, "AdamW": torch.optim.AdamW}
EACH = pytest.mark.parametrize("name", OURS)


def info_of(name: str) -> Any:
    """Return what PyTorch's list has about an optimizer."""
    from torch.testing._internal.common_optimizers import optim_db

    [found] = [info for info in optim_db if info.name == name]
    return found


def inputs(name: str) -> list[Any]:
    """The inputs with every flag that PyTorch combines them with, as for CUDA: there are more there.

    PyTorch's own classes refuse ``capturable`` on the CPU; ours take it, so those run here too.
    """
    from torch.testing._internal import common_optimizers

    found: list[Any] = common_optimizers._get_optim_inputs_including_global_cliquey_kwargs(
        "cuda", torch.float32, info_of(name)
    )
    return found


def case(*, differentiable: bool) -> Callable[[Callable[[str, dict[str, Any]], None]], Callable[..., None]]:
    """A test of every input, each with one of the four flags in turn, or with all: that one is slow.

    It is called with ``name`` and ``kwargs``.  Where parameters are leaves, ``differentiable`` is left out as
    PyTorch does: nobody may write to those while autograd records.
    """

    def decorate(check: Callable[[str, dict[str, Any]], None]) -> Callable[..., None]:
        @EACH
        @pytest.mark.parametrize("flags", ["in turn", pytest.param("all", marks=pytest.mark.slow)])
        def test(name: str, flags: str) -> None:
            found = inputs(name)
            chosen = found if flags == "all" else [found[4 * k + k % 4] for k in range(len(found) // 4)]
            for given in chosen:
                if differentiable or not given.kwargs.get("differentiable"):
                    check(name, given.kwargs)

        test.__doc__, test.__name__ = check.__doc__, check.__name__
        return test

    return decorate


def own(kwargs: dict[str, Any]) -> dict[str, Any]:
    """A copy: the inputs hold tensors."""
    return deepcopy(kwargs)


def test_the_inputs_are_there() -> None:
    for name in OURS:
        assert len(inputs(name)) == 4 * len(info_of(name).optim_inputs_func("cuda")) == 40


@EACH
def test_errors(name: str) -> None:
    """The same type and words, an error of ours; where PyTorch's class only warns, ours does."""
    from torch.testing._internal.common_optimizers import OptimizerErrorEnum

    errors = info_of(name).optim_error_inputs_func(device="cpu", dtype=torch.float32)
    assert len(errors) >= 8
    for error in errors:
        given = error.optimizer_error_input
        assert error.error_on == OptimizerErrorEnum.CONSTRUCTION_ERROR
        if issubclass(error.error_type, Warning):
            with pytest.warns(error.error_type, match=error.error_regex):
                OURS[name](given.params, **given.kwargs)
            continue
        params = [Parameter(torch.ones(1))] if given.params is None else given.params
        with pytest.raises(error.error_type, match=error.error_regex) as raised:
            OURS[name](params, **given.kwargs)
        if given.params is None:  # not the base class' own checks of the parameters
            assert isinstance(raised.value, AdamcoreError), given.desc


@EACH
@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"foreach": True, "fused": True}, "`fused` and `foreach` cannot be `True` together"),
        ({"fused": True, "differentiable": True}, "`fused` does not support `differentiable`"),
    ],
)
def test_errors_for_cuda(name: str, kwargs: dict[str, Any], words: str) -> None:
    with pytest.raises(RuntimeError, match=re.escape(words)) as raised:
        OURS[name]([torch.empty(())], **kwargs)
    assert isinstance(raised.value, AdamcoreError)


def problem(contiguous: bool = True) -> tuple[Parameter, Parameter, Callable[[], torch.Tensor]]:
    """A weight, a bias and a loss that falls as both shrink."""
    torch.manual_seed(0)
    if contiguous:
        weight, bias = Parameter(torch.randn(10, 5)), Parameter(torch.randn(10))
    else:
        weight, bias = Parameter(torch.randn(10, 5, 2)[..., 0]), Parameter(torch.randn(10, 2)[..., 0])
    x = torch.randn(5)

    def loss() -> torch.Tensor:
        weight.grad = bias.grad = None
        value = (weight.mv(x) + bias).pow(2).sum()
        value.backward()
        return value

    return weight, bias, loss


def goes_right(kwargs: dict[str, Any], before: float, after: float) -> bool:
    return after > before if kwargs.get("maximize") else after < before


@case(differentiable=False)
def test_goes_in_the_right_direction(name: str, kwargs: Any) -> None:
    for contiguous in (True, False):
        weight, bias, loss = problem(contiguous)
        optimizer = OURS[name]([weight, bias], **own(kwargs))
        before = loss().item()
        for _ in range(20):
            optimizer.step(loss)
        assert goes_right(kwargs, before, loss().item())


@EACH
@pytest.mark.parametrize("how", ["in turn", pytest.param("each with all", marks=pytest.mark.slow)])
def test_goes_right_with_schedulers(name: str, how: str) -> None:
    info = info_of(name)
    given_inputs, makes = info.optim_inputs_func("cuda"), info.scheduler_inputs
    pairs = list(product(given_inputs, makes))
    if how == "in turn":
        pairs = [(given, makes[k % len(makes)]) for k, given in enumerate(given_inputs)]
    for given, those in pairs:
        weight, bias, loss = problem()
        optimizer = OURS[name]([{"params": [weight]}, {"params": [bias], "lr": 0.01}], **own(given.kwargs))
        schedulers = [make(optimizer) for make in those]
        before = loss().item()
        for _ in range(20):
            optimizer.step(loss)
            for scheduler in schedulers:
                scheduler.step(loss().item()) if isinstance(
                    scheduler, ReduceLROnPlateau
                ) else scheduler.step()
        assert goes_right(given.kwargs, before, loss().item())


@case(differentiable=False)
def test_matches_pytorch(name: str, kwargs: Any) -> None:
    """Their own comparison of implementations, in float64, with a step without gradients in it."""
    theirs = {k: v for k, v in own(kwargs).items() if k != "capturable"}
    theirs["betas"] = tuple(map(float, theirs.get("betas", (0.9, 0.999))))
    theirs["foreach"] = False
    finals, steps = [], []
    for cls, settings in ((OURS[name], own(kwargs)), (THEIRS[name], theirs)):
        torch.manual_seed(1)
        model = torch.nn.Sequential(
            torch.nn.Linear(2, 3), torch.nn.Sigmoid(), torch.nn.Linear(3, 1), torch.nn.Sigmoid()
        ).to(torch.float64)
        x = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], dtype=torch.float64).reshape(3, 2)
        scalar = torch.ones((), dtype=torch.float64, requires_grad=True)
        optimizer = cls([*model.parameters(), scalar], **settings)
        for i in range(7):
            optimizer.zero_grad()
            if i != 3:
                (model(x).sum() * scalar).backward()
            optimizer.step()
        finals.append([p.detach() for p in (*model.parameters(), scalar)])
        steps.append([optimizer.state_dict()["state"][k]["step"].item() for k in range(5)])
    torch.testing.assert_close(*finals)  # PyTorch's own tolerance for float64, as in its test
    assert steps == [[6.0] * 5] * 2


@case(differentiable=False)
def test_complex(name: str, kwargs: Any) -> None:
    """A complex parameter moves as its two real parts do, bit for bit."""
    torch.manual_seed(0)
    whole = [
        torch.randn(10, 5, dtype=torch.complex64),
        torch.randn(10, dtype=torch.complex64),
        torch.randn(4),
    ]
    parts = [torch.view_as_real(p).clone() if p.is_complex() else p.clone() for p in whole]
    for p in whole + parts:
        p.requires_grad_()
    optimizers = [OURS[name](params, **own(kwargs)) for params in (whole, parts)]
    for _ in range(3):
        for p, q in zip(whole, parts, strict=True):
            q.grad = torch.randn_like(q)
            p.grad = torch.view_as_complex(q.grad) if p.is_complex() else q.grad
        for optimizer in optimizers:
            optimizer.step()
        for p, q in zip(whole, parts, strict=True):
            assert torch.equal(torch.view_as_real(p) if p.is_complex() else p, q)


@case(differentiable=False)
def test_groups_have_their_own_weight_decay(name: str, kwargs: Any) -> None:
    weight, bias, loss = problem()
    with_decay = {"params": [weight], **own(kwargs)}
    without = {"params": [bias], **own(kwargs), "weight_decay": 0.0}
    optimizer = OURS[name]([with_decay, without])
    before = loss().item()
    for _ in range(20):
        optimizer.step(loss)
    assert goes_right(kwargs, before, loss().item())
    assert optimizer.param_groups[1]["weight_decay"] == 0.0


@case(differentiable=False)
def test_groups_have_their_own_lr(name: str, kwargs: Any) -> None:
    weight, bias, loss = problem()
    irrelevant = Parameter(torch.ones(2))
    group = {"params": [weight, bias], "lr": 1e-3} | own(kwargs)
    optimizer = OURS[name]([group, {"params": [irrelevant]}], lr=1e-28)
    before = loss().item()
    for _ in range(20):
        irrelevant.grad = torch.rand(2)
        optimizer.step(loss)
    assert goes_right(kwargs, before, loss().item())
    assert torch.equal(irrelevant, torch.ones(2))


@case(differentiable=True)
def test_step_without_gradients_is_none(name: str, kwargs: Any) -> None:
    params = [torch.randn(2, 3) for _ in range(2)]
    before = deepcopy(params)
    optimizer = OURS[name](params, **own(kwargs))
    assert optimizer.step(lambda: torch.tensor([1])) == torch.tensor([1])
    assert all(torch.equal(p, q) for p, q in zip(params, before, strict=True))
    assert len(optimizer.state) == 0


@case(differentiable=True)
def test_step_with_zero_gradients_is_none_without_decay(name: str, kwargs: Any) -> None:
    kwargs = own(kwargs) | {"weight_decay": 0.0}
    before = torch.randn((5, 1), requires_grad=True)
    p = before.clone() if kwargs.get("differentiable") else before.detach().clone().requires_grad_()
    optimizer = OURS[name]([p], **kwargs)
    p.grad = torch.zeros_like(p)
    optimizer.step()
    assert torch.equal(p, before)


@case(differentiable=True)
def test_can_be_printed(name: str, kwargs: Any) -> None:
    text = repr(OURS[name]([Parameter(torch.ones(2))], **own(kwargs)))
    assert text.startswith(f"{name} (")
    assert "lr:" in text


@case(differentiable=False)
def test_state_dict_is_deterministic(name: str, kwargs: Any) -> None:
    weight, bias, loss = problem()
    optimizer = OURS[name]([weight, bias], **own(kwargs))
    for _ in range(10):
        optimizer.step(loss)
    copies = [Parameter(p.detach().clone()) for p in (weight, bias)]
    other = OURS[name](copies, **own(kwargs))
    saved = deepcopy(optimizer.state_dict())
    other.load_state_dict(saved)
    assert plain(saved) == plain(optimizer.state_dict())
    for _ in range(10):
        loss()
        for p, q in zip(copies, (weight, bias), strict=True):
            p.grad = None if q.grad is None else q.grad.clone()
        optimizer.step()
        other.step()
        assert all(torch.equal(p, q) for p, q in zip(copies, (weight, bias), strict=True))
    assert plain(optimizer.state_dict()) == plain(other.state_dict())
    other.param_groups.extend(other.param_groups)  # repeated parameters look the same each time
    assert plain(optimizer.state_dict()["param_groups"][-1]) == plain(other.state_dict()["param_groups"][-1])


def plain(x: Any) -> Any:
    """Tensors as lists, so that == can be asked."""
    if isinstance(x, torch.Tensor):
        return (str(x.dtype), x.tolist())
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    return [plain(v) for v in x] if isinstance(x, list | tuple) else x


@case(differentiable=False)
def test_loads_an_older_state_dict(name: str, kwargs: Any) -> None:
    """Without the flags that came later, and with steps that are no tensors."""
    weight, bias, loss = problem()
    optimizer = OURS[name]([weight, bias], **own(kwargs))
    for _ in range(3):
        optimizer.step(loss)
    for new in (("maximize", "foreach", "fused", "differentiable", "capturable"), ()):
        saved = deepcopy(optimizer.state_dict())
        for group in saved["param_groups"]:
            for flag in new:
                del group[flag]
        for state in saved["state"].values():
            state["step"] = state["step"] if new else state["step"].item()
        optimizer.load_state_dict(saved)
        optimizer.step(loss)
    assert optimizer.state_dict()["state"][0]["step"] == 5.0


@case(differentiable=True)
def test_deepcopy_has_all_public_attributes(name: str, kwargs: Any) -> None:
    optimizer = OURS[name]([Parameter(torch.ones(2))], **own(kwargs))
    public = [{k for k in vars(o) if not k.startswith("_")} for o in (optimizer, deepcopy(optimizer))]
    assert public[0] == public[1]


@EACH
@pytest.mark.parametrize("amsgrad", [False, True])
def test_differentiable(name: str, amsgrad: bool) -> None:
    """The step is a function of parameter, gradient, moments and lr that autograd differentiates."""
    torch.manual_seed(0)

    def f(p: Any, g: Any, m: Any, v: Any, v_max: Any, lr: Any) -> Any:
        p = p.clone()
        p.grad = g
        optimizer = OURS[name]([p], lr=lr, weight_decay=0.1, amsgrad=amsgrad, differentiable=True)
        state = {"step": torch.tensor(10.0), "exp_avg": m.clone(), "exp_avg_sq": v.clone()}
        optimizer.state[p].update(state | ({"max_exp_avg_sq": v_max.clone()} if amsgrad else {}))
        optimizer.step()
        return (p, *(x for x in optimizer.state[p].values() if x.requires_grad))

    values = [torch.rand(10, dtype=torch.float64, requires_grad=True) for _ in range(5)]
    assert torch.autograd.gradcheck(f, (*values, torch.tensor(0.9, dtype=torch.float64, requires_grad=True)))


@EACH
def test_hooks(name: str) -> None:
    """Before and after a step, of this optimizer and of all; and around state dicts."""
    seen: list[Any] = []
    optimizer = OURS[name]([Parameter(torch.ones(2))])
    optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
    optimizer.register_step_post_hook(lambda *_: seen.append("after"))
    everyone = register_optimizer_step_pre_hook(lambda *_: seen.append("all"))
    optimizer.step(lambda: seen.append("closure"))
    everyone.remove()
    assert seen == ["all", "before", "closure", "after"]

    optimizer.register_state_dict_pre_hook(lambda o: seen.append("save"))
    optimizer.register_state_dict_post_hook(lambda o, saved: saved | {"extra": 1})
    optimizer.register_load_state_dict_pre_hook(lambda o, saved: {k: saved[k] for k in saved if k != "extra"})
    optimizer.register_load_state_dict_post_hook(functools.partial(lambda log, o: log.append("loaded"), seen))
    saved = optimizer.state_dict()
    assert saved["extra"] == 1
    optimizer.load_state_dict(saved)
    assert seen[-2:] == ["save", "loaded"]

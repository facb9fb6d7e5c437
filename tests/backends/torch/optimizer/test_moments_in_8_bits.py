"""``m_storage`` and ``v_storage`` in the optimizer: the bits of the core, and scales in the state."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest
from moment_runs import POLICIES, SHAPES, steps
from storage_runs import same

torch = pytest.importorskip("torch")

from torch.nn import Parameter  # noqa: E402

from adamcore import Adam as Core  # noqa: E402
from adamcore.backends.torch import Adam  # noqa: E402
from adamcore.errors import BackendError, StateError  # noqa: E402

KEYS = ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"]
SCALES = [f"{key}_scale" for key in KEYS]


def optimizer_of(policy: str, **settings: Any) -> tuple[list[Any], list[Any], Adam]:
    """Return the parameters and the gradients of :func:`moment_runs.steps`, and their optimizer."""
    random = np.random.default_rng(5)
    params = [Parameter(torch.tensor(random.standard_normal(s), dtype=torch.float32)) for s in SHAPES]
    grads = [[torch.tensor(random.integers(-8, 9, s) / 8).float() for s in SHAPES] for _ in range(6)]
    chosen: Any = {"lr": 0.01, "betas": (0.5, 0.75), "m_storage": policy, "v_storage": policy} | settings
    return params, grads, Adam(params, **chosen)


def train(optimizer: Adam, params: list[Any], grads: list[Any]) -> None:
    for each in grads:
        for p, g in zip(params, each, strict=True):
            p.grad = g.clone()
        optimizer.step()


def wanted(policy: Any, count: int, **options: Any) -> tuple[list[Any], Any]:
    core = Core(lr=0.01, b1=0.5, b2=0.75, m_storage=policy, v_storage=policy, **options)
    found: tuple[list[Any], Any] = steps(core, "torch", count)
    return found


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("clock", ["per-parameter", "global"])
def test_the_bits_are_those_of_the_core(policy: str, clock: str) -> None:
    params, grads, optimizer = optimizer_of(policy, clock=clock, amsgrad=True)
    train(optimizer, params, grads[:4])
    expected, state = wanted(policy, 4, amsgrad="uncorrected")
    assert same(params, expected)
    fields = (state.m, state.v, state.v_max, state.m_scale, state.v_scale, state.v_max_scale)
    for key, part in zip((*KEYS, *SCALES), fields, strict=True):
        assert same([optimizer.state[p][key] for p in params], part)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_run_goes_on_from_a_file_and_from_a_pickle(policy: str) -> None:
    params, grads, optimizer = optimizer_of(policy, amsgrad=True)
    train(optimizer, params, grads[:2])
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    again = Adam(params, lr=0.01, m_storage=policy, v_storage=policy, amsgrad=True)
    again.load_state_dict(torch.load(file))
    train(again, params, grads[2:3])
    params, last = pickle.loads(pickle.dumps((params, again)))
    train(last, params, grads[3:4])
    assert same(params, wanted(policy, 4, amsgrad="uncorrected")[0])


def test_a_state_dict_is_a_snapshot() -> None:
    params, grads, optimizer = optimizer_of("companded8")
    train(optimizer, params, grads[:1])
    held = optimizer.state_dict()
    before = copy.deepcopy(held["state"][0])
    train(optimizer, params, [[g * 9 for g in grads[1]]])
    assert all(torch.equal(held["state"][0][key], before[key]) for key in before)
    assert (optimizer.state[params[0]]["exp_avg_scale"] != before["exp_avg_scale"]).any()


def test_numbers_of_a_checkpoint_become_codes() -> None:
    """One of torch.optim's, whose moments the settings ask to be rounded."""
    params, grads, optimizer = optimizer_of("companded8")
    theirs = torch.optim.Adam(params, lr=0.01, betas=(0.5, 0.75))
    for p, g in zip(params, grads[0], strict=True):
        p.grad = g
    theirs.step()
    optimizer.load_state_dict(theirs.state_dict())
    _, state = wanted("companded8", 1)
    for key, part in {"exp_avg": state.m, "exp_avg_sq_scale": state.v_scale}.items():
        assert same([optimizer.state[p][key] for p in params], part)


def test_another_storage_is_refused_at_loading() -> None:
    params, grads, optimizer = optimizer_of("companded8")
    train(optimizer, params, grads[:1])
    held, plain = optimizer.state_dict(), Adam(params, lr=0.01)
    with pytest.raises(StateError, match=r"was saved with m_storage='companded8'"):
        plain.load_state_dict(held)
    for group in held["param_groups"]:
        group |= {"m_storage": "plain", "v_storage": "plain"}
    plain.load_state_dict(held)  # to go on with the numbers of the codes
    assert plain.state[params[0]]["exp_avg"].dtype is torch.float32
    assert "exp_avg_scale" not in plain.state[params[0]]
    again = optimizer_of("companded8")[2]
    again.load_state_dict(plain.state_dict() | {"param_groups": again.state_dict()["param_groups"]})
    codes = [again.state[p]["exp_avg"] for p in again.param_groups[0]["params"]]
    assert same(codes, [optimizer.state[p]["exp_avg"] for p in params])


def test_codes_without_scales_are_refused() -> None:
    params, grads, optimizer = optimizer_of("companded8")
    train(optimizer, params, grads[:1])
    del optimizer.state[params[0]]["exp_avg_sq_scale"]
    with pytest.raises(StateError, match=r"'exp_avg_sq'\] is in torch.uint8 with no scales"):
        train(optimizer, params, grads[:1])


def test_a_restart_and_a_skipped_step() -> None:
    params, grads, optimizer = optimizer_of("companded8")
    train(optimizer, params, grads[:1])
    before = copy.deepcopy(optimizer.state[params[0]])
    optimizer.grad_scale = torch.tensor(2.0)  # type: ignore[attr-defined] # as GradScaler sets them
    optimizer.found_inf = torch.tensor(1.0)  # type: ignore[attr-defined]
    train(optimizer, params, grads[:1])
    assert all(torch.equal(optimizer.state[params[0]][key], before[key]) for key in before)
    optimizer.reset()
    assert not any(optimizer.state[params[0]][key].any() for key in before)


@pytest.mark.parametrize(("settings", "said"), [
    ({"differentiable": True}, "codes have no derivative"),
    ({"sparse": "lazy"}, "rows cut the blocks of codes"),
])  # fmt: skip
def test_what_blocks_do_not_allow_is_refused(settings: Any, said: str) -> None:
    with pytest.raises(BackendError, match=said):
        optimizer_of("companded8", **settings)


def test_random_bits_have_no_derivative() -> None:
    with pytest.raises(BackendError, match=r"`differentiable` with m_storage='stochastic': random bits have"):
        optimizer_of("stochastic", differentiable=True)


@pytest.mark.slow
def test_a_compiled_step_gives_the_same_codes() -> None:
    params, grads, optimizer = optimizer_of("companded8")
    step = torch.compile(optimizer.step, backend="aot_eager")
    for each in grads[:3]:
        for p, g in zip(params, each, strict=True):
            p.grad = g
        step()
    expected, state = wanted("companded8", 3)
    assert same(params, expected)
    assert same([optimizer.state[p]["exp_avg"] for p in params], state.m)

"""The optimizers with the kernels for CUDA, run on the CPU: two launches a step, the long way's bits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("llvmlite")

from cases import some  # noqa: E402
from cuda_shim import Shim, needs_compiler, pretending  # noqa: E402
from torch.nn import Parameter  # noqa: E402
from torch_changes import CHANGES, run, with_all_checks  # noqa: E402
from torch_runs import bits, gradients, parameters  # noqa: E402

from adamcore.backends.torch import (  # noqa: E402
    Adam,
    AdamW,
    nvrtc,
)

pytestmark = needs_compiler
STEADY: tuple[dict[str, Any], ...] = ({}, {"clock": "global"}, {"amsgrad": True, "nesterov": "dozat"})


@pytest.fixture(params=[False, True], ids=["clocks on the device", "clocks on the host"])
def shim(folder: Path, request: pytest.FixtureRequest) -> Iterator[Shim]:
    with pretending(Shim(folder), sees=request.param) as made:
        made.sees = request.param  # type: ignore[attr-defined]
        yield made


def names(shim: Shim) -> list[str]:
    return [name for name, _ in shim.launched]


@pytest.mark.parametrize(
    ("name", "shim"), some(product(CHANGES, (False, True)), len(CHANGES) + 1), indirect=["shim"]
)
def test_a_change_between_steps(name: str, shim: Shim) -> None:
    """Whatever is changed, a step on what was remembered has the bits of one from the start."""
    for settings in STEADY:

        def make(settings: Any = settings) -> tuple[Any, list[Any]]:
            params = parameters((7,), (5, 5), (7,))
            return Adam(params, lr=0.1, **settings), params

        change = CHANGES[name]
        if settings.get("clock") == "global" and name.startswith(("t ", "one clock")):
            change = CHANGES["nothing"]
        shim.launched.clear()
        got = run(make, change)
        made = names(shim)
        rows = "fill" if shim.sees else "tick"  # type: ignore[attr-defined]
        assert "\n".join(made).count(f"{rows}\nupdate\n{rows}\nupdate") >= 2, "no step took two launches"
        assert got == with_all_checks(make, change), settings


def test_two_launches(shim: Shim) -> None:
    for settings in STEADY:
        params = parameters(*[(k % 9,) for k in range(148)])
        optimizer = AdamW(params, lr=0.1, capturable=True, **settings)
        rows = "fill" if shim.sees else "tick"  # type: ignore[attr-defined]
        for t in range(4):
            for p, g in zip(params, gradients(params, t), strict=True):
                p.grad = g
            if t == 1:
                shim.launched.clear()
            optimizer.step()
        assert names(shim) == [rows, "update"] * 3


def test_groups_of_their_own(shim: Shim) -> None:
    """Groups, a frozen parameter, patterns of absence: as on the CPU, to the bit."""

    def trajectory() -> list[Any]:
        a, b, c, d, e = parameters((3,), (4, 4), (5,), (6,), (7,))
        optimizer = Adam(
            [
                {"params": [a, b], "weight_decay": 0.1},
                {"params": [c, d], "lr": 0.5, "clock": "global"},
                {"params": [e], "nesterov": "dozat", "momentum_decay": 0.1},
            ],
            lr=0.1,
        )
        seen = []
        for t in range(12):
            for p, g in zip((a, b, c, d, e), gradients([a, b, c, d, e], t), strict=True):
                p.grad = None if (p is b and t % 3 == 1) or (p is d and t in (4, 5, 6)) else g
            if t == 5:
                optimizer.freeze(a)
            if t == 9:
                optimizer.thaw(a)
            optimizer.step()
            seen.append(bits([[a, b, c, d, e], optimizer.state_dict()["state"]]))
        return seen

    got = trajectory()
    assert len(shim.launched) >= 24
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nvrtc, "stand_in", None)
        assert got == trajectory()


def test_gradients_absent_in_ever_other_patterns(shim: Shim) -> None:
    """Two launches for each step, also where there are more patterns than steps are remembered for."""
    for settings in STEADY:

        def trajectory(settings: Any = settings) -> list[Any]:
            params, seen = parameters(*[(k % 4,) for k in range(20)]), []
            optimizer = AdamW(params, lr=0.1, capturable=True, **settings)
            for t in range(9):
                for i, (p, g) in enumerate(zip(params, gradients(params, t), strict=True)):
                    p.grad = None if (i + 1) % (t + 2) == 0 else g
                shim.launched.clear()
                optimizer.step()
                seen.append((names(shim), bits([params, optimizer.state_dict()["state"]])))
            return seen

        got = trajectory()
        rows = "fill" if shim.sees else "tick"  # type: ignore[attr-defined]
        assert [launched for launched, _ in got][1:] == [[rows, "update"]] * 8, settings
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(nvrtc, "stand_in", None)
            assert [b for _, b in got] == [b for _, b in trajectory()]


def test_lr_in_a_tensor(folder: Path) -> None:
    """What a scheduler writes into it is read by the device, at every step."""
    with pretending(Shim(folder)) as shim:

        def trajectory() -> list[Any]:
            [p] = parameters((9,))
            lr = torch.tensor(0.1, dtype=torch.float64)
            optimizer, seen = AdamW([p], lr=lr, capturable=True), []
            for t in range(5):
                p.grad = gradients([p], t)[0]
                lr.fill_(0.1 / (t + 1))
                optimizer.step()
                seen.append(bits([p, optimizer.state[p]]))
            return seen

        got = trajectory()
        assert names(shim)[-6:] == ["tick", "update"] * 3
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(nvrtc, "stand_in", None)
            assert got == trajectory()


def test_tensors_stay_where_they_are(shim: Shim) -> None:
    """What a CUDA graph holds on to."""
    [p] = parameters((9,))
    optimizer = Adam([p], lr=0.1, amsgrad=True, nesterov="dozat", capturable=True)
    p.grad = torch.ones(9)
    optimizer.step()
    held = {k: (id(x), x.data_ptr()) for k, x in optimizer.state[p].items()}
    for t in range(3):
        p.grad = gradients([p], t)[0]
        optimizer.step()
    optimizer.reset()
    assert {k: (id(x), x.data_ptr()) for k, x in optimizer.state[p].items()} == held


SCALES = (4.0, 4.0, 2.0, 2.0, 8.0)
SKIPPED = (0.0, 0.0, 1.0, 0.0, 0.0)


def scaled_run(dtype: Any, **settings: Any) -> list[Any]:
    """Return parameters and state after each step under a loss scale; gradients of skipped ones have NaNs."""
    params = [Parameter(p.detach().to(dtype)) for p in parameters((7,), (5, 5))]
    optimizer: Any = Adam(params, lr=0.1, weight_decay=0.1, fused=True, **settings)
    found = []
    for t, (scale, skipped) in enumerate(zip(SCALES, SKIPPED, strict=True)):
        for p, g in zip(params, gradients(params, t), strict=True):
            p.grad = g * scale
            if skipped:
                p.grad[0] = float("nan")
        optimizer.grad_scale, optimizer.found_inf = torch.tensor(scale), torch.tensor(skipped)
        optimizer.step()
        state = [optimizer.state[p] for p in params]
        found.append([bits(p) for p in params] + [[bits(x) for x in entry.values()] for entry in state])
    return found


@pytest.mark.parametrize("settings", [{}, {"amsgrad": True}, {"nesterov": "dozat"}])
def test_a_loss_scale_and_a_skipped_step_take_two_launches(settings: Any, folder: Path) -> None:
    """All that stands on the device stays as it is, clocks too; the host does not see that it does."""
    with pretending(Shim(folder)) as shim:
        got = scaled_run(torch.float32, **settings)
    assert names(shim)[-8:] == ["tick", "update"] * 4
    assert got[1] == got[2] != got[3]
    assert got == scaled_run(torch.float32, **settings)  # on the CPU, where the host sees the flag


def test_scaled_gradients_of_16_bits_go_all_checks(folder: Path) -> None:
    """They are unscaled in float32, which the kernel does not read beside 16-bit parameters."""
    with pretending(Shim(folder)) as shim:
        got = scaled_run(torch.bfloat16)
    assert "update" not in names(shim)
    assert got == scaled_run(torch.bfloat16)


def test_skipped_steps_and_sparse_gradients_go_all_checks(shim: Shim) -> None:
    p = Parameter(torch.ones(4, 3))
    optimizer: Any = Adam([p], lr=0.1, fused=True)  # GradScaler sets `found_inf` on it
    optimizer.found_inf = torch.tensor(0.0)
    p.grad = torch.ones(4, 3)
    optimizer.step()
    moved = p.detach().clone()
    assert bool((moved != 1.0).all())
    optimizer.found_inf = torch.tensor(1.0)
    optimizer.step()
    assert torch.equal(p, moved)
    del optimizer.found_inf
    p.grad = torch.ones(4, 3).to_sparse()
    optimizer.step()
    assert not torch.equal(p, moved)
    assert int(optimizer.state[p]["step"]) == 2


def test_autograd_is_not_left_out(shim: Shim) -> None:
    """A recorded step goes the long way, and its learning rate has a gradient."""
    lr = torch.tensor(0.1, requires_grad=True)
    p = torch.tensor([1.0, -2.0], requires_grad=True).clone()
    optimizer = Adam([p], lr=lr, differentiable=True)
    p.grad = torch.tensor([0.5, -1.0])
    optimizer.step()
    p[0].backward()
    assert lr.grad is not None
    assert lr.grad != 0
    assert "update" not in names(shim)


def test_rows_follow_the_clocks(shim: Shim) -> None:
    """One clock goes back while every address stays: its tensor takes another row."""

    def trajectory() -> list[Any]:
        params = parameters((3,), (4,), (5,))
        for p, g in zip(params, gradients(params, 0), strict=True):
            p.grad = g
        optimizer, seen = Adam(params, lr=0.1), []
        for t in range(9):
            if t in (4, 7):
                optimizer.state[params[t % 3]]["step"].zero_()
            optimizer.step()
            seen.append(bits([params, list(optimizer.state.values())]))
        return seen

    got = trajectory()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nvrtc, "stand_in", None)
        assert got == trajectory()

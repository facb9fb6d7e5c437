"""The program compiled by torch.compile: the bits of the definition, and one compilation."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch_runs import bits  # noqa: E402

from adamcore import Adam  # noqa: E402
from adamcore.backends.torch import (  # noqa: E402
    AdamW,
    compiled,
    compiler,
)

SHAPES = ((7,), (3, 5), (), (100,))


def trajectory(adam: Adam, donate: bool) -> list[Any]:
    params = [torch.linspace(-1, 1, max(1, torch.Size(s).numel())).reshape(s) for s in SHAPES]
    state, seen = adam.init(params), []
    for t in range(4):
        grads = [torch.sin(p.detach() * (t + 3)) if k or t != 2 else None for k, p in enumerate(params)]
        params, state = adam.step(params, grads, state, lr=0.1 / (t + 1), donate=donate)
        seen.append([x.clone() for x in [*params, *state.m, *state.v, *(state.v_max or [])]])
    return [*seen, state.t]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The graphs that are compiled; they are run as they are, for a compiler takes ten seconds for each.

    So division by a 0-d tensor is PyTorch's own, a product with the reciprocal.
    """
    found: list[Any] = []
    compile_ = torch.compile

    def backend(graph: Any, example: Any) -> Any:
        found.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", lambda f, **options: compile_(f, backend=backend, **options))
    compiler.program_for.cache_clear()
    yield found
    compiler.program_for.cache_clear()


ADAMS = [
    Adam(),
    Adam(decay="decoupled", weight_decay=0.1, clock="global"),
    Adam(amsgrad="corrected", epsilon="inside-corrected", b2=0.4),
    Adam(nesterov="dozat", maximize=True, b1=0.3),
]


@pytest.mark.parametrize("donate", [False, True])
@pytest.mark.parametrize("adam", ADAMS)
def test_graphs(adam: Adam, donate: bool, made: list[Any]) -> None:
    want = trajectory(adam, donate)
    assert not made
    with compiled():
        torch.testing.assert_close(trajectory(adam, donate), want)
    assert 0 < len(made) <= 3  # all four, without the first, and the first with a clock of its own
    with compiled():
        torch.testing.assert_close(
            trajectory(adam, donate), want
        )  # other values of lr and the clock: nothing new
    assert len(made) <= 3


def test_optimizer(made: list[Any]) -> None:
    def run() -> list[Any]:
        p = torch.nn.Parameter(torch.ones(5))
        optimizer, seen = AdamW([p], lr=0.1), []
        for t in range(4):
            p.grad = torch.linspace(-1, 1, 5) * (t + 1)
            optimizer.param_groups[0]["lr"] = 0.1 / (t + 1)
            optimizer.step()
            seen.append([x.detach().clone() for x in (p, *optimizer.state[p].values())])
        return seen

    want = run()
    with compiled():
        torch.testing.assert_close(run(), want)
    assert len(made) == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of what PyTorch's compiler loads
@pytest.mark.skipif(shutil.which("g++") is None, reason="no compiler")
@pytest.mark.parametrize("donate", [False, True])
def test_machine_code(donate: bool) -> None:
    for adam in ADAMS[:2]:
        want = trajectory(adam, donate)
        with compiled():
            assert bits(trajectory(adam, donate)) == bits(want)

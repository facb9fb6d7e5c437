"""States as the tests of conversion make and compare them."""

from __future__ import annotations

from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.backends.states import Moments, NamedState

rng = np.random.default_rng(1)


def made(adam: Adam | None = None, ts: tuple[int, int] = (7, 7), dtype: str = "float32") -> NamedState:
    """Return a state of two parameters with random moments and these clocks."""

    def leaf(t: int, shape: tuple[int, ...]) -> Moments:
        m, v = np.asarray(rng.normal(size=shape), dtype), np.asarray(rng.random(shape), dtype)
        return Moments(t, m, v)

    return NamedState(adam or Adam(), {"a.w": leaf(ts[0], (2, 3)), "b": leaf(ts[1], ())})


def same(a: NamedState, b: NamedState, dtype: bool = True) -> None:
    """Assert that two states are the same, bit for bit."""
    assert list(a.leaves) == list(b.leaves)
    for name, x in a.leaves.items():
        y = b.leaves[name]
        assert x.t == y.t
        assert x.mu_product == y.mu_product
        for p, q in ((x.m, y.m), (x.v, y.v), (x.v_max, y.v_max)):
            assert (p is None) == (q is None)
            if p is not None and q is not None:
                assert p.shape == q.shape
                assert (not dtype) or p.dtype == q.dtype
                assert np.array_equal(p, q)


def torch_run(make: Any, steps: int = 4) -> Any:
    """Return a small model and an optimizer of it, after some steps."""
    import torch

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Linear(2, 1))
    optimizer = make(model)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(8, 3)).square().mean().backward()
        optimizer.step()
    return model, optimizer

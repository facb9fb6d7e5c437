"""Steps of the kernels for CUDA and of the definition in NumPy, on the same tensors, as bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from fast import bits, gradients

from adamcore import Adam
from adamcore.coefficients import MAX_CLOCK, Host
from adamcore.definition import coefficients, update


def reference(
    adam: Adam, params: list[Any], steps: int = 4, lr: Any = None, absent: Any = lambda k, i: False,
    t: list[int] | None = None,
) -> list[list[bytes]]:  # fmt: skip
    """As :func:`stepped`, by the definition in NumPy: widened, updated, rounded once as PyTorch rounds."""
    kind = params[0].dtype
    moment = kind if adam.moment_dtype is None else getattr(torch, adam.moment_dtype)
    work = np.float64 if torch.float64 in (kind, moment) else np.float32
    stored = [kind, moment, moment, *([moment] if adam.amsgrad != "none" else [])]

    def rounded(x: Any, dtype: Any) -> Any:
        return torch.from_numpy(np.asarray(x)).to(dtype).to(getattr(torch, np.dtype(work).name)).numpy()

    def wide(x: Any) -> Any:
        return x.detach().to(getattr(torch, np.dtype(work).name)).numpy().copy()

    ps = [wide(p) for p in params]
    state = [[p, np.zeros_like(p), np.zeros_like(p), np.zeros_like(p)][: len(stored)] for p in ps]
    clocks, seen = list(t or [0] * len(ps)), []
    for k in range(steps):
        drawn = gradients(k, "float32", [tuple(p.shape) for p in params])
        for i, own in enumerate(state):
            if absent(k, i) and adam.clock == "per-parameter":
                continue
            clocks[i] = min(clocks[i] + 1, MAX_CLOCK)
            if absent(k, i):
                continue
            c = coefficients(Host(), adam, clocks[i], adam.lr if lr is None else lr(k))
            g = wide(torch.tensor(drawn[i]).to(kind))
            p, m, v, *most = own
            with np.errstate(all="ignore"):
                [(p, m)], v, v_max = update(np, adam, c, [(p, g, m)], v, most[0] if most else None)
            state[i] = [rounded(x, d) for x, d in zip((p, m, v, v_max), stored, strict=False)]
        seen.append([bits(np.asarray(own[k], np.float64)) for k in range(len(stored)) for own in state])
        count = clocks if adam.clock == "per-parameter" else clocks[:1]
        seen[-1].append(repr(count).encode())
    return seen


def stepped(
    adam: Adam, params: list[Any], steps: int = 4, lr: Any = None, absent: Any = lambda k, i: False,
    t: list[int] | None = None,
) -> list[list[bytes]]:  # fmt: skip
    """The bits after each step, in place, with gradients of all sizes."""
    state, seen = adam.init(params), []
    if t is not None:
        state = state._replace(t=[torch.tensor(x, dtype=torch.int32) for x in t])
    for k in range(steps):
        shapes = [tuple(p.shape) for p in params]
        drawn = [torch.tensor(g).to(params[0].dtype) for g in gradients(k, "float32", shapes)]
        grads = [None if absent(k, i) else g for i, g in enumerate(drawn)]
        params, state = adam.step(params, grads, state, lr=lr and lr(k), donate=True)
        trees = [params, state.m, state.v, state.v_max or []]
        seen.append([bits(x.detach().double().numpy()) for tree in trees for x in tree])
        seen[-1].append(repr([int(x) for x in ([state.t] if adam.clock == "global" else state.t)]).encode())
    return seen


def check_reference(adam: Adam, make: Any, launched: list[tuple[str, int]], **options: Any) -> None:
    """The steps of the kernels against those of the definition, on tensors made twice."""
    launched.clear()
    got = stepped(adam, make(), **options)
    assert {name for name, _ in launched} <= {"tick", "fill", "update"}
    assert len(launched) >= 8
    want = reference(adam, make(), **options)
    for one, two in zip(got, want, strict=True):
        assert one == two

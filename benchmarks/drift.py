"""How far float32 drifts from the exact Adam in 10,000 steps, for each Adam installed here.

The reference is the definition in float64 on the same float32 gradients.  The floor has exact
moments and rounds only p, once a step: no Adam that keeps p in float32 can do better, luck apart.

    python benchmarks/drift.py [--steps N] [--json FILE]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.conformance.bench.results import environment

SIZE, LR = 1024, 1e-3
CHECKPOINTS = (100, 1000, 10_000)
Stepper = Callable[[np.ndarray], np.ndarray]  # a gradient in, the parameters after the step out


def kinds() -> dict[str, Callable[[np.random.Generator], np.ndarray]]:
    """The gradients: pure noise, and noise around a slope."""
    return {
        "random": lambda rng: rng.standard_normal(SIZE, np.float32),
        "biased": lambda rng: np.float32(0.3) + np.float32(0.1) * rng.standard_normal(SIZE, np.float32),
    }


def start() -> np.ndarray:
    return np.random.default_rng(1).standard_normal(SIZE, np.float32)


def ours(dtype: str, **axes: Any) -> Stepper:
    adam, params = Adam(lr=LR, **axes), start().astype(dtype)
    state = adam.init(params)

    def step(g: np.ndarray) -> np.ndarray:
        nonlocal params, state
        params, state = adam.step(params, g.astype(dtype), state, donate=True)
        return params

    return step


def floor() -> Stepper:
    """Exact moments; p rounded at each step."""
    adam, p = Adam(lr=LR), start().astype(np.float64)
    state = adam.init(p)

    def step(g: np.ndarray) -> np.ndarray:
        nonlocal p, state
        p, state = adam.step(p, g.astype(np.float64), state, donate=True)
        p[:] = p.astype(np.float32)
        return p

    return step


def two_weights() -> Stepper:
    """The textbook in float32: b2 and 1-b2 each rounded by itself."""
    p, m, v, t = start(), np.zeros(SIZE, "f"), np.zeros(SIZE, "f"), 0

    def step(g: np.ndarray) -> np.ndarray:
        nonlocal p, m, v, t
        t += 1
        m = 0.9 * m + (1 - 0.9) * g
        v = 0.999 * v + (1 - 0.999) * g * g
        p = p - LR * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        return p

    return step


def torch_optim(**flags: Any) -> Stepper:
    import torch

    p = torch.tensor(start(), requires_grad=True)
    adam = torch.optim.Adam([p], lr=LR, **flags)

    def step(g: np.ndarray) -> np.ndarray:
        p.grad = torch.from_numpy(g)
        adam.step()
        found: np.ndarray = p.detach().numpy()
        return found

    return step


def optax_adam() -> Stepper:
    import jax
    import optax

    adam = optax.adam(LR)
    p: Any = jax.numpy.asarray(start())
    state = adam.init(p)

    @jax.jit
    def update(p: Any, g: Any, state: Any) -> Any:
        updates, state = adam.update(g, state, p)
        return optax.apply_updates(p, updates), state

    def step(g: np.ndarray) -> np.ndarray:
        nonlocal p, state
        p, state = update(p, g, state)
        return np.asarray(p)

    return step


def ours_jit() -> Stepper:
    import jax

    adam = Adam(lr=LR)
    p: Any = jax.numpy.asarray(start())
    state = adam.init(p)
    update = jax.jit(lambda p, g, s: adam.step(p, g, s))

    def step(g: np.ndarray) -> np.ndarray:
        nonlocal p, state
        p, state = update(p, g, state)
        return np.asarray(p)

    return step


def keras_adam() -> Stepper:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    p = keras.Variable(start(), dtype="float32")
    adam = keras.optimizers.Adam(LR, epsilon=1e-8)
    adam.build([p])

    def step(g: np.ndarray) -> np.ndarray:
        adam.apply([keras.ops.convert_to_tensor(g)], [p])
        return np.asarray(keras.ops.convert_to_numpy(p))

    return step


CONTENDERS: dict[str, tuple[tuple[str, ...], Callable[[], Stepper]]] = {
    "floor: exact moments, p rounded": ((), floor),
    "adamcore (NumPy, PyTorch)": ((), lambda: ours("float32")),
    "adamcore (jax.jit)": (("jax",), ours_jit),
    "two weights, each rounded": ((), two_weights),
    "torch.optim.Adam(fused=True)": (("torch",), lambda: torch_optim(fused=True)),
    "torch.optim.Adam(foreach=True)": (("torch",), lambda: torch_optim(foreach=True)),
    "optax.adam under jit": (("jax", "optax"), optax_adam),
    "keras.optimizers.Adam": (("keras", "torch"), keras_adam),
}


def drift(steps: int) -> list[dict[str, Any]]:
    """Median and 99th percentile of the error in ULP at some steps, for each contender and kind."""
    rows: list[dict[str, Any]] = []
    for kind, gradient in kinds().items():
        here = {
            name: make()
            for name, (needs, make) in CONTENDERS.items()
            if all(importlib.util.find_spec(each) for each in needs)
        }
        exact, rng = ours("float64"), np.random.default_rng(2)
        for t in range(1, steps + 1):
            g = gradient(rng)
            want = exact(g)
            for name, step in here.items():
                got = step(g)
                if t in CHECKPOINTS or t == steps:
                    error = np.abs(got.astype(np.float64) - want)
                    error /= np.spacing(np.abs(want).astype(np.float32).clip(LR)).astype(np.float64)
                    median, tail = np.quantile(error, [0.5, 0.99])
                    place = {"gradients": kind, "step": t, "name": name}
                    rows.append(place | {"median": float(median), "p99": float(tail)})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--steps", type=int, default=CHECKPOINTS[-1])
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    rows = drift(options.steps)
    for row in rows:
        print("{gradients:8} {step:6} {name:36} {median:9.2f} {p99:9.2f}".format(**row))
    if options.json:
        document = {"schema": "adamcore-drift/1", "environment": environment(), "rows": rows}
        Path(options.json).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

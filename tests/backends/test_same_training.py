"""One training comes out the same in every backend, whatever its loop does: cached steps forget nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adamcore import Adam, Clip

jax = pytest.importorskip("jax")
torch = pytest.importorskip("torch")

SHAPES: dict[str, tuple[int, ...]] = {"a": (3,), "b": (2, 2), "c": (), "d": (0,), "e": (65,)}
STEPS, LR = 9, 0.1
ROUNDINGS = 64  #: in a step, each of half a last place of the largest number of those that are added
MADE: dict[str, Callable[[Any], Any]] = {
    "numpy": np.array,
    "jax": lambda x: jax.numpy.asarray(x, np.float32),
    "torch": lambda x: torch.tensor(x),
}
RNG = np.random.default_rng(0)
PARAMS = {name: RNG.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
GRADS = [
    {
        name: np.asarray(RNG.normal(size=shape) * 10.0 ** RNG.integers(-2, 3), np.float32)
        for name, shape in SHAPES.items()
    }
    for _ in range(STEPS)
]  #: of sizes that differ by up to 10**4 between leaves and steps
SETTINGS: list[dict[str, Any]] = [
    {},
    {"clock": "global"},
    {"amsgrad": "uncorrected"},
    {"nesterov": "dozat"},
    {"decay": "l2", "weight_decay": 0.1},
]
CLIPS = [None, Clip(norm=0.5), Clip(global_norm=1.0), Clip(value=0.3)]
ABSENT: list[dict[int, list[str]]] = [{}, {2: ["b"], 3: ["b"]}]  #: by step
RATES: list[dict[int, float]] = [{}, {3: 0.05, 5: 0.2}]


def trained(
    library: str, adam: Adam, clip: Clip | None, absent: dict[int, list[str]], rates: dict[int, float]
) -> dict[str, Any]:
    """Return the parameters after all steps, each of which gives away what the last one returned."""
    made = MADE[library]
    params: Any = {name: made(p) for name, p in PARAMS.items()}
    state, lr = adam.init(params), LR
    for k, grads in enumerate(GRADS):
        lr = rates.get(k, lr)
        given = {name: None if name in absent.get(k, []) else made(g) for name, g in grads.items()}
        params, state = adam.step(params, given, state, donate=True, lr=lr, clip=clip)
    return {name: np.asarray(p) for name, p in params.items()}


@pytest.mark.parametrize("rates", RATES, ids=["one rate", "new rates"])
@pytest.mark.parametrize("absent", ABSENT, ids=["all there", "absent"])
@pytest.mark.parametrize("clip", CLIPS, ids=["free", "norm", "global_norm", "value"])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_training(
    settings: dict[str, Any], clip: Clip | None, absent: dict[int, list[str]], rates: dict[int, float]
) -> None:
    adam = Adam(lr=LR, **settings)
    ours, *others = (trained(library, adam, clip, absent, rates) for library in MADE)
    for other in others:
        for name, p in ours.items():
            largest = float(np.max(np.abs(p), initial=LR)) + STEPS * LR
            np.testing.assert_allclose(other[name], p, rtol=0, atol=STEPS * ROUNDINGS * 2.0**-24 * largest)

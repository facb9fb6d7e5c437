"""The plan of a step of many leaves: the same numbers as of few, and few calls for each."""

from __future__ import annotations

import cProfile
from itertools import product
from typing import Any

import numpy as np
import pytest
from cases import some

from adamcore import Adam, trees


def parts(tree: Any, start: int, stop: int) -> Any:
    return {k: x for k, x in tree.items() if start <= int(k) < stop}


CHANGES = ["nothing", "clocks", "gradients", "masks", "dtypes", "layouts"]


@pytest.mark.parametrize(("changed", "donate"), some(product(CHANGES, (False, True)), 7))
def test_the_leaves_of_a_large_tree_are_stepped_as_in_small_trees(
    lib: Any, donate: bool, changed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "LARGE", 8)
    n, rng = 24, np.random.default_rng(3)  # so many that NumPy's are looked at by machine code
    values = {str(k): rng.normal(size=(2, 3)) for k in range(n)}
    small = {k: "float32" if changed == "dtypes" and int(k) % 7 == 0 else "float64" for k in values}

    def make(x: np.ndarray, k: str) -> Any:
        made = lib(x, small[k])
        return made.T if changed == "layouts" and int(k) % 5 == 0 else made

    adam = Adam(lr=0.1, weight_decay=0.01, decay="decoupled", amsgrad="uncorrected")
    whole = {k: make(x, k) for k, x in values.items()}
    pieces = [parts({k: make(x, k) for k, x in values.items()}, i, i + 4) for i in range(0, n, 4)]
    state, states = adam.init(whole), [adam.init(piece) for piece in pieces]
    for step in range(3):
        grads = {k: make(np.cos(x * (step + 1)), k) for k, x in values.items()}
        present = None
        if changed == "gradients" and step:
            grads = {k: None if int(k) % 3 == step else g for k, g in grads.items()}
        if changed == "masks":
            present = {k: int(k) % 4 != step for k in grads}
        if changed == "clocks" and step == 1:
            part = [k for k in grads if int(k) % 9 == 0]
            state = adam.reset(state, {k: k in part for k in whole})
            states = [
                adam.reset(s, {k: k in part for k in piece}) for s, piece in zip(states, pieces, strict=True)
            ]
        whole, state = adam.step(whole, copies(lib, grads), state, present=present, donate=donate)
        for i, piece in enumerate(pieces):
            g, there = parts(copies(lib, grads), 4 * i, 4 * i + 4), None
            if present is not None:
                there = parts(present, 4 * i, 4 * i + 4)
            pieces[i], states[i] = adam.step(piece, g, states[i], present=there, donate=donate)
    for i, piece in enumerate(pieces):
        for ours, theirs in ((whole, piece), *zip(state[:4], states[i][:4], strict=True)):
            for k, x in theirs.items():
                assert lib.numpy(ours[k]).tobytes() == lib.numpy(x).tobytes()


def copies(lib: Any, grads: dict[str, Any]) -> dict[str, Any]:
    return {k: None if g is None else g + 0 for k, g in grads.items()}


@pytest.mark.parametrize("donate", [False, True])
def test_a_large_tree_costs_few_calls_a_leaf(donate: bool) -> None:
    """A step of 100,000 arrays took seconds while each leaf had its checks to itself (some 130 calls)."""
    n = 2000
    params = [np.ones(3, "f") for _ in range(n)]
    adam = Adam()
    params, state = adam.step(params, params, adam.init(params))
    grads = [np.ones(3, "f") for _ in range(n)]
    profile = cProfile.Profile()
    profile.runcall(adam.step, params, grads, state, donate=donate)
    calls = sum(entry.callcount for entry in profile.getstats())
    assert calls < (70 if donate else 8) * n

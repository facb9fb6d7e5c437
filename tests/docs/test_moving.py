"""A training moved torch -> optax -> Keras -> torch; and the pages on moving, JAX, Keras and NumPy."""

from __future__ import annotations

import importlib
import os
import re
from typing import Any

import pytest
from paths import ROOT

# Keras reads a variable of its torch backend through an __array__ that NumPy 2 finds old.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PAGES = {
    name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    for name in ("jax", "keras", "numpy", "moving")
}


def test_links_lead_somewhere() -> None:
    for page in PAGES.values():
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page):
            assert "://" in target or (ROOT / "docs" / target).exists(), target


@pytest.fixture
def moving(monkeypatch: pytest.MonkeyPatch) -> Any:
    for library in ("torch", "jax", "optax", "keras"):
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    if os.environ.get("KERAS_BACKEND") != "torch":
        pytest.skip("Keras was loaded with another backend")
    monkeypatch.syspath_prepend(ROOT / "examples")
    return importlib.import_module("moving")


@pytest.mark.parametrize(
    ("network", "steps"), [("two layers", 16), pytest.param("transformer", 40, marks=pytest.mark.slow)]
)
def test_moved_is_within_the_bound(moving: Any, network: str, steps: int) -> None:
    """Replayed gradients: each chain's parameters lie within the bound, as those of the unbroken run."""
    found = moving.study(network, steps)
    ratios = {name: x for name, x in found.items() if "error over bound" in name}
    assert len(ratios) == 3
    assert max(ratios.values()) <= 1, ratios
    assert found["loss at the end"] < found["loss at the start"]
    free = [x for name, x in found.items() if name.startswith("free: moved")]
    assert max(free) < moving.HYPER["lr"] / 10


@pytest.mark.parametrize("lost", ["the clock", "the moments", "the transposition"])
def test_the_bound_sees_what_a_move_loses(moving: Any, lost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong moves lie far outside: the clock one off, a moment of zeros, a matrix not turned."""
    import dataclasses

    import numpy as np

    loss, p, batches = moving.network("two layers")
    p = {"fc1.kernel": p["fc1.kernel"][:, :4].copy()}  # square, so that nothing but numbers can tell
    rng = np.random.default_rng(3)
    grads = [{"fc1.kernel": rng.normal(size=(4, 4)).astype("f4")} for _ in range(8)]
    good = moving.run(moving.chain("theirs", loss), p, 8, lambda now, k: grads[k])
    assert moving.within(good, p, grads, "optax.adamw") <= 1

    def spoiled(state: Any) -> Any:
        leaves = {}
        for name, leaf in state.leaves.items():
            leaves[name] = {
                "the clock": lambda x=leaf: dataclasses.replace(x, t=x.t + 1),
                "the moments": lambda x=leaf: dataclasses.replace(x, m=np.zeros_like(x.m)),
                "the transposition": lambda x=leaf: dataclasses.replace(x, m=x.m.T, v=x.v.T),
            }[lost]()
        return dataclasses.replace(state, leaves=leaves)

    save = moving.InTorch.save
    monkeypatch.setattr(moving.InTorch, "save", lambda self: spoiled(save(self)))
    bad = moving.run(moving.chain("theirs", loss), p, 8, lambda now, k: grads[k])
    assert moving.within(bad, p, grads, "optax.adamw") > 100
    assert len(batches) == 8

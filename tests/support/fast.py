"""What the tests of fast paths share: Adams on every axis, trees of odd arrays, and the definition itself."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partialmethod
from typing import Any

import numpy as np
import pytest

from adamcore import AXES, Adam
from adamcore.coefficients import Host
from adamcore.definition import Coefficients, coefficients
from adamcore.step_cache import StepCache

SHAPES: list[tuple[int, ...]] = [(), (0,), (1,), (7,), (16,), (3, 5), (17, 31), (5000,), (40_001,)]


def at(adam: Adam, t: int = 3) -> Coefficients:
    """The coefficients of step t."""
    mu = 0.8 if adam.nesterov == "dozat" else None
    return coefficients(Host(), adam, t, 0.05, mu)


def adams(count: int, seed: int = 0) -> list[Adam]:
    """Adams with every value of every axis, drawn by a fixed seed; the first two are the usual ones."""
    draw = random.Random(seed)
    axes = ("epsilon", "bias_correction", "decay", "decay_order", "amsgrad", "nesterov", "maximize", "clock")
    found = [Adam(), Adam.like("torch.AdamW", lr=0.01)]
    while len(found) < count:
        chosen: dict[str, Any] = {axis: draw.choice(AXES[axis]) for axis in axes}
        chosen["cautious_decay"] = chosen["decay"] != "l2" and draw.random() < 0.5
        numbers: dict[str, Any] = {
            "lr": 0.05,
            "b1": draw.choice([0.9, 0.3, 0.0]),
            "b2": draw.choice([0.999, 0.4]),
            "eps": 1e-3,
        }
        found.append(Adam(**numbers, weight_decay=draw.choice([0.0, 0.1]), **chosen))
    return found


def gradients(step: int, dtype: str, shapes: list[tuple[int, ...]] | None = None) -> list[np.ndarray]:
    """Gradients of one step: ordinary ones, zeros, large and small ones."""
    rng = np.random.default_rng(step)
    made = []
    for shape in SHAPES if shapes is None else shapes:
        g = np.asarray(rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 6, shape))
        made.append(np.where(rng.random(shape) < 0.1, 0.0, g).astype(dtype))
    return made


@contextmanager
def definition_alone(backend: Any) -> Iterator[None]:
    """The backend without its fast paths: the definition, one operation after the other."""
    kind = type(backend)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "fast", None)
        patch.setattr(StepCache, "bind", lambda *_: None)
        yield


@contextmanager
def donating() -> Iterator[None]:
    """Every step gives its storage away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Adam, "step", partialmethod(Adam.step, donate=True))
        yield


def trajectory(
    adam: Adam, asarray: Any, numpy: Any, dtype: str, donate: bool, steps: int = 4
) -> list[list[bytes]]:
    """The bits of parameters, moments and clocks after each step; NaN counts as one value."""
    params = [asarray(g) for g in gradients(100, dtype)]
    state, seen = adam.init(params), []
    for k in range(steps):
        grads = [asarray(g) for g in gradients(k, dtype)]
        given = [bits(numpy(x)) for x in grads + params]
        before = params
        params, state = adam.step(params, grads, state, donate=donate)
        assert [bits(numpy(g)) for g in grads] == given[: len(grads)], "a gradient was written to"
        if not donate:
            assert [bits(numpy(p)) for p in before] == given[len(grads) :], "a parameter was written to"
        trees = [params, state.m, state.v, state.v_max or []]
        seen.append([bits(numpy(x)) for tree in trees for x in tree])
    return seen


def bits(x: np.ndarray) -> bytes:
    return np.where(np.isnan(x), np.asarray(np.nan, x.dtype), x).astype(x.dtype).tobytes()


def probed(library: Any, claims: list[Adam], every: int = 1) -> list[str]:
    """The probes, every so many of them, that fail when every step gives its storage away."""
    from adamcore.conformance.candidates.own import OwnCandidate
    from adamcore.conformance.probes import PROBES
    from adamcore.conformance.probes.clipping import for_clipping
    from adamcore.conformance.verdict.judge import judge

    failed = []
    with donating():
        for claim in claims:
            candidate = OwnCandidate(library, claim)
            for probe in for_clipping(PROBES.values(), None)[::every]:
                if not probe.applies_to(claim):
                    continue
                run = candidate.run(probe, "float32")
                run.written.clear()  # it may
                result = judge(claim, probe, "float32", run, flushes=library.flushes)
                if result.status == "failed":
                    failed.append(f"{probe.name} {claim}: {result.reason}")
    return failed

"""What the tests of JAX's cached steps share: runs with it and without, and whether it was taken."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fast import gradients

from adamcore import Adam, AdamState
from adamcore.backends.jax.step_cache import JitStep
from adamcore.step_cache import StepCache

SHAPES: list[tuple[int, ...]] = [(), (0,), (7,), (3, 5), (40,)]


@contextmanager
def counted() -> Iterator[list[bool]]:
    """For every cached step that was asked whether it made the step."""
    made: list[bool] = []
    bind = JitStep.bind

    def counting(self: JitStep, *arguments: Any) -> Any:
        bound = bind(self, *arguments)
        if bound is None:
            made.append(False)
            return None

        def step() -> Any:
            done = bound()
            made.append(done is not None)
            return done

        return step

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JitStep, "bind", counting)
        yield made


@contextmanager
def all_checks() -> Iterator[None]:
    """Every step with all checks: none is cached."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StepCache, "bind", lambda *_: None)
        yield


def tree(seed: int, dtype: str = "float32") -> dict[str, Any]:
    return {f"w{k}": jnp.asarray(x) for k, x in enumerate(gradients(seed, dtype, SHAPES))}


def steps(adam: Adam, count: int = 5, absent: tuple[str, ...] = (), **lr: Any) -> list[Any]:
    """The bits after each step, with some gradients absent from the third on."""
    params, seen = tree(100), []
    state = adam.init(params)
    for k in range(count):
        grads: dict[str, Any] = tree(k)
        if k >= 2:
            grads |= dict.fromkeys(absent)
        params, state = adam.step(params, grads, state, donate=True, **lr)
        seen.append(
            [(np.asarray(x).dtype, np.asarray(x).tobytes()) for x in jax.tree.leaves((params, state))]
        )
    return seen


def warm(adam: Adam, params: Any) -> tuple[Any, AdamState]:
    state = adam.init(params)
    for _ in range(2):
        params, state = adam.step(params, jax.tree.map(jnp.sin, params), state, donate=True)
    return params, state


def on_two_devices(program: str) -> str:
    """What a program prints in a process where the CPU is two devices."""
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)],
        capture_output=True, text=True, env=os.environ | flags,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout


@contextmanager
def packed_alone() -> Iterator[None]:
    """Every step of a packed state has to be one call: none is unpacked."""
    from adamcore.backends.jax.packed import step

    def unpacks(*_: Any) -> Any:
        raise AssertionError("a packed state was unpacked")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, "unpack", unpacks)
        yield


def many(seed: int, count: int = 40, dtype: str = "float32") -> dict[str, Any]:
    """A tree of many small arrays of a few shapes."""
    shapes = [SHAPES[k % len(SHAPES)] for k in range(count)]
    return {f"w{k:02}": jnp.asarray(x) for k, x in enumerate(gradients(seed, dtype, shapes))}


def bits_of(tree: Any) -> list[tuple[str, bytes]]:
    return [(str(x.dtype), np.asarray(x).tobytes()) for x in jax.tree.leaves(tree)]

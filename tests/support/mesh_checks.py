"""Candidates of JAX on simulated devices, in a process of its own.

    python tests/support/mesh_checks.py DEVICES CASE...

Each case raises, or it is right; the process prints its name.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

if __name__ == "__main__":
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={sys.argv[1]}"
    os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from adamcore.backends.jax import adamw
from adamcore.conformance.candidates import Candidate
from adamcore.conformance.candidates.optax import OptaxCandidate
from adamcore.conformance.candidates.own import Jax, JaxJit, JaxNative, OwnCandidate
from adamcore.conformance.candidates.sharded.jax import Devices, MeshOptaxCandidate
from adamcore.conformance.candidates.sharded.layouts import RankError
from adamcore.conformance.candidates.sharded.own_jax import on_mesh
from adamcore.conformance.probes import PROBES
from adamcore.conformance.settings import LAYOUTS
from adamcore.conformance.types import Result
from adamcore.conformance.verdict.judge import judge
from adamcore.dialects import dialect

RANKS = int(sys.argv[1]) if __name__ == "__main__" else 1
CLAIM = dialect("optax.adamw").adam(lr=0.1)
FEW = ("STEP.1/shapes",)
SOME = (*FEW, "LR.1/every-array", "STATE.4/resumed", "CPX.1/complex", "F2/zero-row")
CASES: dict[str, Callable[[], None]] = {}


def case(function: Callable[[], None]) -> Callable[[], None]:
    CASES[function.__name__] = function
    return function


def results(candidate: Candidate, names: Sequence[str]) -> list[Result]:
    runs = [(PROBES[name], candidate.run(PROBES[name], "float32")) for name in names]
    return [judge(CLAIM, probe, "float32", run, flushes=True) for probe, run in runs]


def right(candidate: Candidate, names: Sequence[str]) -> None:
    for found in results(candidate, names):
        assert found.status == "passed", (candidate.info.device, found.probe, found.reason)


def on_devices(factory: Any, layout: str) -> MeshOptaxCandidate:
    return MeshOptaxCandidate(OptaxCandidate(factory, {}, None, None), layout, RANKS)


def ours(library: Jax, layout: str) -> OwnCandidate:
    found = on_mesh(library, layout, RANKS)
    assert found is not None
    return OwnCandidate(found, CLAIM)


@case
def optax_in_every_layout() -> None:
    for layout in LAYOUTS:
        right(on_devices(optax.adamw, layout), FEW)


@case
def ours_in_some_layouts() -> None:
    right(on_devices(adamw, "2d"), FEW)
    right(ours(JaxJit("cpu"), "fsdp"), FEW)


@case
def all_in_every_layout() -> None:
    for layout in LAYOUTS:
        for factory in (optax.adamw, adamw):
            right(on_devices(factory, layout), SOME)
        for library in (JaxJit("cpu"), JaxNative("cpu")):
            right(ours(library, layout), SOME)
        if layout != "shard_map":
            right(ours(Jax("cpu"), layout), SOME)


@case
def where_arrays_lie() -> None:
    """What the mesh divides evenly is cut; what is resumed is cut otherwise; ZeRO-1 cuts the state alone."""
    devices = Devices("fsdp", RANKS)
    x = devices.array(np.ones((2 * RANKS, RANKS)))
    assert x.addressable_shards[0].data.shape == (2, RANKS)
    assert devices.elsewhere().array(np.asarray(x)).addressable_shards[0].data.shape == (2 * RANKS, 1)
    assert devices.array(np.ones((RANKS + 1, 2))).is_fully_replicated
    assert not on_devices(optax.adamw, "fsdp").info.rounds_alike
    assert on_devices(optax.adamw, "zero").info.rounds_alike

    def step(params: Any, state: Any) -> Any:
        return params + 1, state + 1

    p, state = jax.jit(Devices("zero", RANKS).divided(step))(jnp.ones(2 * RANKS), jnp.ones(2 * RANKS))
    assert p.is_fully_replicated
    assert state.addressable_shards[0].data.shape == (2,)


@case
def wrong_ones() -> None:
    """What is decided from the size of a device's part, and devices that drift apart."""

    def update(grads: Any, state: Any, params: Any = None) -> Any:
        return [g * (g.ndim != 2 or g.shape[0] > 1) for g in grads], state

    def factory(learning_rate: float, b1: float, b2: float, eps: float, weight_decay: float) -> Any:
        leaves_rows_out = optax.GradientTransformation(lambda params: optax.EmptyState(), update)
        mine = optax.adamw(learning_rate, b1, b2, eps, weight_decay=weight_decay)
        return optax.chain(leaves_rows_out, mine)

    name = "STEP.1/fortran"
    assert PROBES[name].params[0].shape == (4, 6)
    right(on_devices(factory, "fsdp"), [name])
    assert [found.status for found in results(on_devices(factory, "shard_map"), [name])] == ["failed"]
    devices = Devices("ddp", RANKS)
    apart = [jax.device_put(jnp.asarray(float(k)), d) for k, d in enumerate(devices.mesh.devices)]
    x = jax.make_array_from_single_device_arrays((), devices.resting(()), apart)
    with pytest.raises(RankError, match="other bits on rank 1 than on rank 0"):
        devices.numpy(x)


def main() -> None:
    for name in sys.argv[2:]:
        CASES[name]()
        print(name, flush=True)


if __name__ == "__main__":
    main()

"""Arrays of JAX on meshes: the bits of one device, no word between devices, state where its parameter is.

The cases stand in tests/support/mesh_runs.py; each test is a process of its own, with simulated devices.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from paths import ROOT

pytest.importorskip("jax")
pytest.importorskip("optax")

RUNS = ROOT / "tests" / "support" / "mesh_runs.py"
QUICK = ("few", "outside_of_jit", "from_shapes", "zero_1", "uneven", "explicit_axes", "inside_of_shard_map")
MORE = ("donated_outside_of_jit", "clipping")


def run(*args: str) -> list[str]:
    """Return what the cases print, each its name."""
    done = subprocess.run([sys.executable, str(RUNS), *args], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.split()


@pytest.mark.parametrize("cases", [QUICK, pytest.param(MORE, marks=pytest.mark.slow)], ids=["quick", "more"])
def test_eight_devices(cases: tuple[str, ...]) -> None:
    assert run("8", *cases) == [*cases]


@pytest.mark.slow
def test_sixteen_devices_and_every_policy() -> None:
    cases = [*QUICK, *MORE, "every_policy", "every_way_to_keep_numbers_outside_of_jit"]
    assert run("16", *cases) == cases


@pytest.mark.slow
def test_restored_on_another_mesh() -> None:
    pytest.importorskip("orbax.checkpoint")
    assert run("8", "another_mesh") == ["another_mesh"]


PROCESS = """
import sys
import jax
jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.distributed.initialize(f"localhost:{sys.argv[2]}", 2, int(sys.argv[1]))
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
from mesh_runs import collectives, optimizer, same, step_of

place = NamedSharding(Mesh(np.array(jax.devices()), ("d",)), P("d"))
assert len(jax.devices()) == 8 and len(jax.local_devices()) == 4
whole = [np.random.default_rng(k).standard_normal((16, 5)).astype("float32") for k in range(3)]
for policy in ("plain", "split", "stochastic"):
    tx, dtype = optimizer(policy)
    step = jax.jit(step_of(tx))
    local = [jax.numpy.asarray(x, dtype) for x in whole]
    p, *gs = (jax.make_array_from_callback(x.shape, place, np.asarray(x).__getitem__) for x in local)
    state, (q, *hs) = jax.jit(tx.init)(p), local
    alone = jax.jit(tx.init)(q)
    assert not collectives(step, p, gs[0], state)
    for g, h in zip(gs, hs):
        p, state = step(p, g, state)
        q, alone = step(q, h, alone)
    for x, y in zip(jax.tree.leaves((p, state)), jax.tree.leaves((q, alone)), strict=True):
        for shard in x.addressable_shards:
            assert np.asarray(shard.data).tobytes() == np.asarray(y)[shard.index].tobytes()
print("right")
"""


@pytest.mark.slow
def test_two_processes() -> None:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    variables = {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(RUNS.parent),
    }
    both = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(rank), port],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | variables,
        )
        for rank in (0, 1)
    ]
    for process in both:
        said, errors = process.communicate(timeout=300)
        assert (process.returncode, said.strip()) == (0, "right"), errors[-3000:]

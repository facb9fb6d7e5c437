"""Candidates of JAX on simulated devices: the cases stand in tests/support/mesh_checks.py."""

from __future__ import annotations

import subprocess
import sys

import pytest
from paths import ROOT

pytest.importorskip("jax")
pytest.importorskip("optax")

from adamcore.conformance.candidates.optax import OptaxCandidate
from adamcore.conformance.candidates.sharded.jax import Devices, MeshOptaxCandidate
from adamcore.conformance.errors import UnavailableError
from adamcore.conformance.probes import PROBES

RUNS = ROOT / "tests" / "support" / "mesh_checks.py"


def run(*args: str) -> list[str]:
    """Return what the cases print, each its name."""
    done = subprocess.run([sys.executable, str(RUNS), *args], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.split()


def test_four_devices() -> None:
    quick = ["where_arrays_lie", "wrong_ones"]
    assert run("4", *quick) == quick


@pytest.mark.slow
@pytest.mark.parametrize("devices", ["8", "3"])
def test_every_layout(devices: str) -> None:
    cases = ["optax_in_every_layout", "ours_in_some_layouts", "all_in_every_layout"]
    assert run(devices, *cases) == cases


def test_too_many_arrays_for_shard_map() -> None:
    """Every operation would be compiled for each shape, on each device."""
    import optax

    factory = OptaxCandidate(optax.adamw, {}, None, None)
    run = MeshOptaxCandidate(factory, "shard_map", 1).run(PROBES["STEP.1/many"], "float32")
    assert run.unsupported == "under shard_map a step of 1857 arrays takes minutes"


def test_more_devices_than_there_are() -> None:
    with pytest.raises(UnavailableError, match="expected 4096"):
        Devices("fsdp", 4096)
